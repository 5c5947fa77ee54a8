import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  GRACE_MS,
  PrimaryChoice,
  type PrimaryOptions,
  SETTLE_MS,
  wrappedPrimary,
} from '../../../src/node-config/primary-choice.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const choice = (options: Partial<PrimaryOptions> = {}): PrimaryChoice =>
  new PrimaryChoice(folder.path, { master: '', ownType: 'multus', ...options });

/** A configuration of one plugin; each has a name of its own. */
const of = (type: string, name = `of-${type}`): string => JSON.stringify({ cniVersion: '1.0.0', name, type });

/** The name that is found, or the reason. */
function found(primary: PrimaryChoice, now = 0): string {
  const one = primary.find(now);
  return one.path === undefined ? one.reason.replaceAll(folder.path, 'F') : basename(one.path);
}

function remarks(primary: PrimaryChoice, now: number): string[] {
  const one = primary.find(now);
  return one.path === undefined ? [one.reason] : one.remarks;
}

const NONE = "there is no .conf or .conflist file in F that could be the node's network";

test('says why there is no primary: a missing mount and an empty folder want different remedies', () => {
  assert.is(found(choice()), NONE);
  folder.write('05-cilium.conflist.cilium_bak', '{}');
  folder.write('00-multus.conf', '{}');
  assert.is(
    found(choice()),
    `${NONE}; Cilium renamed 05-cilium.conflist.cilium_bak: set cni.exclusive=false in the configuration of Cilium`,
  );
  assert.is(found(choice({ master: '10-a.conf' })), '"multusMasterCNI" F/10-a.conf is not there');
  rmSync(folder.path, { recursive: true });
  assert.match(found(choice()), 'cannot read folder F: ENOENT');
});

test('takes the first by name that is not ours, as the runtime would without us', () => {
  folder.write('00-multus.conf', '{}');
  folder.write('00-multus.conflist', '{}');
  mkdirSync(folder.at('01-folder.conf'));
  symlinkSync('nowhere', folder.at('02-dangling.conf'));
  folder.write('03-notes.txt', '');
  folder.write('20-b.conf', of('bridge'));
  folder.write('10-a.conflist', of('ptp'));
  assert.is(found(choice()), '10-a.conflist');
});

// Field notes J1 and J2: pods on podman's bridge, or every network twice.
test('never takes one of us, a loopback, or what podman and CRI-O put there, also when nothing else is there', () => {
  const list = (...types: string[]): string =>
    JSON.stringify({ cniVersion: '1.0.0', name: 'list', plugins: types.map((type) => ({ type })) });
  const cases: [string, string, string][] = [
    ['05-renamed.conf', of('multus'), 'it is one of us under another name'],
    ['06-shim.conf', of('multus-shim'), 'it is one of us under another name'],
    ['07-own.conf', of('my-multus'), 'it is one of us under another name'],
    ['08-nested.conflist', list('portmap', 'multus'), 'it is one of us under another name'],
    ['09-lo.conf', of('loopback'), 'it has the loopback interface only'],
    ['87-podman.conflist', list('bridge'), "it is podman's"],
    ['88-podman-bridge.conflist', '{', "it is podman's"],
    ['89-other.conflist', of('bridge', 'podman'), "it is podman's"],
    [
      '90-mine.conflist',
      '{"cniVersion":"1.0.0","name":"m","plugins":[{"type":"bridge","bridge":"cni-podman3"}]}',
      "it is podman's",
    ],
    ['100-crio-bridge.conflist', list('bridge'), 'it is the example of CRI-O'],
    ['11-crio-ipv4-bridge.conflist', list('bridge'), 'it is the example of CRI-O'],
    ['12-renamed.conflist', of('bridge', 'crio'), 'it is the example of CRI-O'],
  ];
  for (const [file, text, reason] of cases) {
    folder.write(file, text);
    const hint = `; ${file}: ${reason}; "multusMasterCNI" can name one of them`;
    assert.is(found(choice({ ownType: 'my-multus' })), NONE + hint, file);
    assert.is(found(choice({ master: file })), file, 'whoever names it has his reasons');
    rmSync(folder.at(file));
  }
  for (const [file, text] of cases) folder.write(file, text);
  folder.write('99-network.conf', of('ptp'));
  assert.is(found(choice({ ownType: 'my-multus' })), '99-network.conf');
});

test('takes the named one only, also when another comes first', () => {
  folder.write('05-other.conf', of('ptp'));
  const primary = choice({ master: '10-a.conf' });
  assert.match(found(primary), 'is not there');
  assert.match(found(primary, GRACE_MS * 9), 'is not there');
  folder.write('10-a.conf', of('bridge'));
  assert.is(found(primary), '10-a.conf');
  assert.equal(remarks(primary, 1), []);
});

// A node that runs pods outside its network policy, because its own network came up second (field notes J1).
test('follows one that comes before it by name at once while the node is set up', () => {
  folder.write('10-ovn.conf', of('kube-ovn'));
  const primary = choice();
  assert.is(found(primary), '10-ovn.conf');
  folder.write('05-cilium.conflist', of('cilium-cni'));
  assert.is(found(primary, SETTLE_MS - 1), '05-cilium.conflist');
});

// A left-over or an example that sorts first would move all new pods to another network.
test('keeps one that has been the primary for a minute when another comes first, and tells how to change it', () => {
  folder.write('10-calico.conflist', of('calico'));
  const primary = choice();
  assert.is(found(primary, 0), '10-calico.conflist');
  assert.is(primary.memory, undefined);
  assert.is(found(primary, SETTLE_MS), '10-calico.conflist');
  const remembered = primary.memory;
  folder.write('05-example.conf', of('bridge'));
  for (const one of [primary, choice({ remembered })]) {
    assert.is(found(one, SETTLE_MS * 9), '10-calico.conflist');
    assert.equal(remarks(one, SETTLE_MS * 9), [
      '05-example.conf comes before 10-calico.conflist, which stays the primary; to change that, name it in "multusMasterCNI"',
    ]);
  }
});

// Talos: after an upgrade's boot, 10-kube-ovn was there before 05-cilium (multus#1499).
test('waits after a boot for the one that it knows, whichever file is there first', () => {
  folder.write('10-ovn.conf', of('kube-ovn'));
  const remembered = { folder: folder.path, file: '05-cilium.conflist', name: 'of-cilium-cni', types: ['cilium-cni'] };
  const primary = choice({ remembered });
  assert.is(
    found(primary),
    'the primary configuration F/05-cilium.conflist is gone; 10-ovn.conf takes its place when it stays away',
  );
  folder.write('05-cilium.conflist', of('cilium-cni'));
  assert.is(found(primary, 1000), '05-cilium.conflist');
});

test('knows its primary again under another file name, and while its file is half written', () => {
  folder.write('10-calico.conflist', of('calico'));
  const primary = choice();
  found(primary, 0);
  found(primary, SETTLE_MS);
  folder.write('05-first.conf', of('bridge'));
  folder.write('10-calico.conflist', '{"cniVersion"');
  assert.is(found(primary, SETTLE_MS), '10-calico.conflist');
  folder.write('10-calico.conflist', of('calico'));
  renameSync(folder.at('10-calico.conflist'), folder.at('30-calico.conflist'));
  assert.is(found(primary, SETTLE_MS), '30-calico.conflist');
  assert.is(primary.memory?.file, '30-calico.conflist');
});

// While the network's own agent restarts, another file's network would get the pods.
test('waits for a primary that is gone before the next one takes its place, and tells the change', () => {
  folder.write('05-cilium.conflist', of('cilium-cni'));
  folder.write('87-flannel.conflist', of('flannel'));
  const primary = choice();
  assert.is(found(primary, 1000), '05-cilium.conflist');
  assert.is(found(primary, 1000 + SETTLE_MS), '05-cilium.conflist');
  rmSync(folder.at('05-cilium.conflist'));
  const reason =
    'the primary configuration F/05-cilium.conflist is gone; 87-flannel.conflist takes its place when it stays away';
  assert.is(found(primary, 100_000), reason);
  folder.write('01-earlier.conf', of('bridge'));
  assert.match(found(primary, 100_000), 'is gone; 01-earlier.conf takes', 'nor does an earlier one at once');
  rmSync(folder.at('01-earlier.conf'));
  assert.is(found(primary, 100_000 + GRACE_MS - 1), reason);
  folder.write('05-cilium.conflist', of('cilium-cni'));
  assert.is(found(primary, 100_000 + GRACE_MS), '05-cilium.conflist', 'it came back');
  rmSync(folder.at('05-cilium.conflist'));
  assert.is(found(primary, 900_000), reason, 'its time away begins anew');
  assert.equal(remarks(primary, 900_000 + GRACE_MS), [
    'the primary configuration was 05-cilium.conflist (network "of-cilium-cni") and is 87-flannel.conflist (network "of-flannel") now',
  ]);
  folder.write('05-cilium.conflist', of('cilium-cni'));
  assert.is(found(primary, 900_001 + GRACE_MS), '05-cilium.conflist', 'the new one was not remembered yet');
});

// Field notes J3.
test('says that Cilium renamed the primary, and what to set', () => {
  folder.write('10-calico.conflist', of('calico'));
  const primary = choice();
  assert.is(found(primary), '10-calico.conflist');
  renameSync(folder.at('10-calico.conflist'), folder.at('10-calico.conflist.cilium_bak'));
  assert.is(
    found(primary, 1),
    'the primary configuration F/10-calico.conflist is gone: Cilium renamed it to 10-calico.conflist.cilium_bak; set cni.exclusive=false in the configuration of Cilium, and rename it back',
  );
});

test('a daemon that starts while the primary is away waits for the one that its predecessor wrapped', () => {
  folder.write('87-flannel.conflist', of('flannel'));
  assert.match(found(choice({ wrapped: folder.at('05-cilium.conflist') })), '05-cilium.conflist is gone');
  assert.is(
    found(choice({ wrapped: '/elsewhere/05-cilium.conflist' })),
    '87-flannel.conflist',
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
