import { linkSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findNamespaces } from '../../../src/sriov/namespaces.ts';
import { folderFor } from '../folder.ts';
import { addLink } from './fake-sysfs.ts';

const folder = folderFor(test);

/** Files stand for namespaces: those that are one file are one namespace. */
function put(name: string, sameAs?: string): void {
  mkdirSync(dirname(folder.at(name)), { recursive: true });
  if (sameAs === undefined) folder.write(name, '');
  else linkSync(folder.at(sameAs), folder.at(name));
}

const find = () => {
  const { namespaces, problems } = findNamespaces({ proc: folder.at('proc'), netnsDirs: [folder.at('netns')] });
  const shown = namespaces.map(({ path, isHost, paths }) => [
    path.slice(folder.path.length + 1),
    isHost,
    paths.map((one) => one.slice(folder.path.length + 1)),
  ]);
  return { shown, problems };
};

// Every VF would be listed as in no namespace, as if that were known.
test('findNamespaces() refuses where there is no /proc', () => {
  assert.throws(find, /Cannot find our own network namespace: .*\/proc\/self\/ns\/net is not there/);
});

// Each namespace would be asked once for every process in it; and the names that people gave would not be shown.
test('findNamespaces() has every namespace once, by its name, ours first', () => {
  put('proc/self/ns/net');
  put('proc/10/ns/net', 'proc/self/ns/net');
  put('proc/9/ns/net');
  put('proc/100/ns/net', 'proc/9/ns/net');
  put('netns/blue');
  put('proc/11/ns/net', 'netns/blue');
  assert.equal(find(), {
    shown: [
      ['proc/self/ns/net', true, ['proc/self/ns/net', 'proc/10/ns/net']],
      ['netns/blue', false, ['netns/blue', 'proc/11/ns/net']],
      ['proc/9/ns/net', false, ['proc/9/ns/net', 'proc/100/ns/net']],
    ],
    problems: [],
  });
});

// In a container with the host's processes its own namespace is not the host's alone: pid 1's is, too.
test('findNamespaces() takes that of pid 1 for the host’s, too', () => {
  put('proc/self/ns/net');
  put('proc/1/ns/net');
  const { shown } = find();
  assert.equal(
    shown.map(([path, isHost]) => [path, isHost]),
    [
      ['proc/self/ns/net', true],
      ['proc/1/ns/net', true],
    ],
  );
});

// A process that ends, or a name that a reboot left behind, would end the whole command or be taken for a namespace.
test('findNamespaces() passes over processes that end, and files that are no namespace', () => {
  put('proc/self/ns/net');
  addLink(folder, 'proc/20/ns/net', 'gone');
  mkdirSync(folder.at('proc/21'));
  put('proc/sys/ns/net');
  addLink(folder, 'netns/left-behind', '/proc/self/status'); // of another file system
  assert.equal(find(), { shown: [['proc/self/ns/net', true, ['proc/self/ns/net']]], problems: [] });
});

// Whoever is not root would think that all has been looked at.
test('findNamespaces() says once how many processes may not be looked at', () => {
  put('proc/self/ns/net');
  for (const pid of [30, 31, 32]) addLink(folder, `proc/${pid}/ns/net`, 'net'); // ELOOP: neither there nor gone
  const { shown, problems } = find();
  assert.is(shown.length, 1);
  const reason = 'permission denied; it takes root of the node, with CAP_SYS_PTRACE';
  assert.equal(problems, [`Cannot look at ${folder.at('proc/30/ns/net')} and 2 more: ${reason}`]);
});

test.run();
