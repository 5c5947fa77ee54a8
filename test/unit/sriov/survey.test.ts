import { statSync, symlinkSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inNetns } from '../../../src/sriov/in-netns.ts';
import type { FoundNetns } from '../../../src/sriov/namespaces.ts';
import { surveyNamespaces } from '../../../src/sriov/survey.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const OWN = '/proc/self/ns/net';
const { dev, ino } = statSync(OWN, { bigint: true });

function found(known: Partial<FoundNetns> = {}): FoundNetns {
  return { dev: String(dev), ino: String(ino), path: OWN, isHost: true, paths: [OWN], ...known };
}

const linkNames = (one: FoundNetns) =>
  inNetns(one, async ({ links }) => (await links()).map(({ name }) => name)).then((names) => names?.includes('lo'));

// Another namespace's VFs would be listed as the pod's whose process ID was given anew.
test('inNetns() asks nobody where the paths lead elsewhere by now, or nowhere', async () => {
  assert.is(await linkNames(found({ ino: '1' })), undefined);
  const unmounted = folder.write('unmounted', '');
  assert.is(await linkNames(found({ paths: [folder.at('gone'), '/proc/0/ns/net', unmounted] })), undefined);
});

// A namespace would be missing because the first of its processes ended.
test('inNetns() takes the next path to a namespace', async () => {
  assert.is(await linkNames(found({ paths: ['/proc/0/ns/net', OWN] })), true);
});

// The kernel answers everybody about the host's VFs: an operator without root would see nothing.
test('inNetns() asks in its own namespace without root', async () => {
  const user = process.geteuid?.() ?? 0;
  if (user === 0) process.seteuid?.(65534);
  try {
    assert.is(await linkNames(found()), true);
  } finally {
    process.seteuid?.(user);
  }
});

// The other namespaces would be missing, or the failure would not be seen.
test('surveyNamespaces() tells which namespace it could not look into, and looks into the others', async () => {
  const path = folder.at('loop');
  symlinkSync('loop', path); // neither there nor gone
  const bad = found({ path, paths: [path] });
  const { surveys, problems } = await surveyNamespaces([found(), bad, found()], [], '/sys');
  assert.is(surveys.length, 2);
  assert.is(problems.length, 1);
  assert.match(problems[0] ?? '', `Cannot look into network namespace ${path} (inode ${ino}): `);
});

test.run();
