import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GRACE_MS, PrimaryChoice, wrappedPrimary } from '../../../src/daemon/primary-choice.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const choice = (master = '', remembered = ''): PrimaryChoice => new PrimaryChoice(folder.path, master, remembered);

/** The name that is found, or the reason. */
function found(primary: PrimaryChoice, now = 0): string {
  const one = primary.find(now);
  return one.path === undefined ? one.reason.replaceAll(folder.path, 'F') : basename(one.path);
}

test('says why there is no primary: a missing mount and an empty folder want different remedies', () => {
  const none = 'there is no .conf or .conflist file in F besides ours; ';
  assert.is(found(choice()), `${none}it is empty`);
  folder.write('05-cilium.conflist.cilium_bak', '{}');
  folder.write('00-multus.conf', '{}');
  assert.is(found(choice()), `${none}it has 00-multus.conf, 05-cilium.conflist.cilium_bak`);
  assert.is(found(choice('10-a.conf')), '"multusMasterCNI" F/10-a.conf is not there');
  rmSync(folder.path, { recursive: true });
  assert.match(found(choice()), 'cannot read folder F: ENOENT');
});

test('takes the first by name that is not ours, as the runtime would without us', () => {
  folder.write('00-multus.conf', '{}');
  folder.write('00-multus.conflist', '{}');
  mkdirSync(folder.at('01-folder.conf'));
  symlinkSync('nowhere', folder.at('02-dangling.conf'));
  folder.write('03-notes.txt', '');
  folder.write('20-b.conf', '{}');
  folder.write('10-a.conflist', '{}');
  assert.is(found(choice()), '10-a.conflist');
});

test('takes the named one only, also when another comes first', () => {
  folder.write('05-other.conf', '{}');
  const primary = choice('10-a.conf');
  assert.match(found(primary), 'is not there');
  assert.match(found(primary, GRACE_MS * 9), 'is not there');
  folder.write('10-a.conf', '{}');
  assert.is(found(primary), '10-a.conf');
});

// A node that runs pods outside its network policy, because its own network came up second (field notes J1).
test('follows one that comes before it by name at once', () => {
  folder.write('10-ovn.conf', '{}');
  const primary = choice();
  assert.is(found(primary), '10-ovn.conf');
  folder.write('05-cilium.conflist', '{}');
  assert.is(found(primary), '05-cilium.conflist');
});

// While the network's own agent restarts, podman's bridge would get the pods.
test('waits for a primary that is gone before the next one takes its place', () => {
  folder.write('05-cilium.conflist', '{}');
  folder.write('87-podman.conflist', '{}');
  const primary = choice();
  assert.is(found(primary, 1000), '05-cilium.conflist');
  rmSync(folder.at('05-cilium.conflist'));
  const reason =
    'the primary configuration F/05-cilium.conflist is gone; 87-podman.conflist takes its place when it stays away';
  assert.is(found(primary, 2000), reason);
  assert.is(found(primary, 2000 + GRACE_MS - 1), reason);
  folder.write('05-cilium.conflist', '{}');
  assert.is(found(primary, 2000 + GRACE_MS), '05-cilium.conflist', 'it came back');
  rmSync(folder.at('05-cilium.conflist'));
  assert.is(found(primary, 900_000), reason, 'its time away begins anew');
  assert.is(found(primary, 900_000 + GRACE_MS), '87-podman.conflist');
});

test('a daemon that starts while the primary is away waits for the one that its predecessor wrapped', () => {
  folder.write('87-podman.conflist', '{}');
  const remembered = folder.at('05-cilium.conflist');
  assert.match(found(choice('', remembered)), '05-cilium.conflist is gone');
  assert.is(
    found(choice('', '/elsewhere/05-cilium.conflist')),
    '87-podman.conflist',
    'another folder is configured now',
  );
});

test('remembers from a generated file, and from nothing else', () => {
  assert.is(wrappedPrimary(folder.at('absent')), '');
  assert.is(wrappedPrimary(folder.write('a', '')), '');
  assert.is(wrappedPrimary(folder.write('b', 'null')), '');
  assert.is(wrappedPrimary(folder.write('c', '{"clusterNetwork":5}')), '');
  assert.is(wrappedPrimary(folder.write('d', '{"clusterNetwork":"/a/b.conf"}')), '/a/b.conf');
});

test.run();
