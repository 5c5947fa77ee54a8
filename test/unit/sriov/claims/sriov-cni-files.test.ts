import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pciFilePath, readSriovCniFiles, vfLockPath } from '../../../../src/sriov/claims/sriov-cni-files.ts';
import type { VfClaim } from '../../../../src/sriov/model.ts';
import { folderFor } from '../../folder.ts';
import { CACHE } from './sriov-cache.ts';

const folder = folderFor(test);
const ID = 'a'.repeat(64);

// An operator would not be told which pod has a VF, nor what sriov-cni was asked for.
test('readSriovCniFiles() finds who has a VF, what was asked for, and what it was before', () => {
  const cache = folder.write(`${ID}-net-1`, JSON.stringify(CACHE));
  const file = folder.write('pci/0000:01:10.0', '/run/netns/web\n');
  folder.write('pci/vf_lock/0000:01:10.0.lock', '');
  const { claims, problems } = readSriovCniFiles(folder.path);
  assert.equal(problems, []);
  assert.equal(
    claims.map(({ source, origin, address }) => [source, origin, address]),
    [
      ['pci-file', file, '0000:01:10.0'],
      ['sriov-cache', cache, '0000:01:10.0'],
    ],
  );
  assert.equal([claims[0]?.netnsPath, claims[0]?.settings], ['/run/netns/web', undefined]);
  const { containerId, ifName, pf, vf, network, settings, original } = claims[1] as VfClaim;
  assert.equal([containerId, ifName, pf, vf, network], [ID, 'net-1', 'enp1s0', 3, 'north']);
  assert.equal(settings, {
    vlan: 210,
    qos: 2,
    protocol: '802.1q',
    mac: '02:00:00:00:00:10',
    trust: true,
    maxTxRate: 100,
  });
  assert.equal(original, {
    hostName: 'enp1s0v3',
    settings: {
      vlan: 0,
      qos: 0,
      protocol: '802.1q',
      spoofCheck: true,
      trust: false,
      linkState: 'auto',
      minTxRate: 0,
      maxTxRate: 0,
    },
  });
});

test('readSriovCniFiles() is silent on a node without sriov-cni', () => {
  assert.equal(readSriovCniFiles(folder.at('absent')), { claims: [], problems: [] });
});

// The check of one damaged file's VF would pass for want of an expectation.
const DAMAGE: [string, string, string][] = [
  ['not JSON', '{"deviceID": "0000:01:1', 'Cannot parse sriov-cni cache'],
  ['no device', JSON.stringify({ ...CACHE, deviceID: undefined }), 'key "deviceID" must be a PCI address'],
  ['a device elsewhere', JSON.stringify({ ...CACHE, deviceID: '../../x' }), 'got "../../x"'],
  ['a text for the VLAN', JSON.stringify({ ...CACHE, vlan: '210' }), 'key "vlan" must be a whole number'],
  ['a negative index', JSON.stringify({ ...CACHE, VFID: -1 }), 'key "VFID" must be a whole number from 0, got -1'],
  ['a list for the state', JSON.stringify({ ...CACHE, OrigVfState: [] }), 'key "OrigVfState" must be an object'],
  ['an old VLAN of text', JSON.stringify({ ...CACHE, OrigVfState: { Vlan: 'x' } }), 'key "Vlan" must be'],
  ['2017', '{"if0":"enp1s0","l2enable":true,"vlan":210}', 'an SR-IOV plugin of 2017/18'],
];

for (const [name, text, problem] of DAMAGE) {
  test(`readSriovCniFiles() names a cache with ${name}, and reads the others`, () => {
    const path = folder.write('c1-net1', text);
    folder.write('c2-net1', JSON.stringify(CACHE));
    const { claims, problems } = readSriovCniFiles(folder.path);
    assert.equal(
      claims.map(({ containerId }) => containerId),
      ['c2'],
    );
    assert.is(problems.length, 1);
    assert.match(problems.join(), problem);
    assert.match(problems.join(), path);
  });
}

// A pipe in the folder would stop the command for ever; a link could make it read anything on the node.
test('readSriovCniFiles() refuses what is no small file', () => {
  execFileSync('mkfifo', [folder.at('c1-net1')]);
  symlinkSync('/etc/passwd', folder.at('c2-net1'));
  folder.write('c3-net1', ' '.repeat(2 ** 20 + 1));
  folder.write('nohyphen', '{}');
  folder.write('pci/0000:01:10.0', 'x'.repeat(5000));
  folder.write('pci/0000:01:10.2', 'netns');
  folder.write('pci/eth0', '/run/netns/x');
  mkdirSync(folder.at('pci', '0000:01:10.4'));
  const { claims, problems } = readSriovCniFiles(folder.path);
  assert.equal(claims, []);
  const at = (...names: string[]): string => folder.at(...names);
  assert.equal(problems, [
    `Cannot use ${at('pci/0000:01:10.0')}: it is longer than 4096 bytes`,
    `Cannot use ${at('pci/0000:01:10.2')}: it must be the path of a network namespace, got "netns"`,
    `Cannot use ${at('pci/eth0')}: its name must be a PCI address, got "eth0"`,
    `Cannot use ${at('c1-net1')}: it is not a regular file`,
    `Cannot use ${at('c2-net1')}: it is a symbolic link`,
    `Cannot use ${at('c3-net1')}: it is longer than 1048576 bytes`,
    `Cannot use sriov-cni cache ${at('nohyphen')}: its name must be <container>-<interface>, got "nohyphen"`,
  ]);
});

// Any byte that a full disk or a crash leaves would end the command, or hide a VF without a word.
test('readSriovCniFiles() makes of any content a claim or a problem', () => {
  const whole = JSON.stringify(CACHE);
  const cut = fc.nat(whole.length).map((length) => whole.slice(0, length));
  const changed = fc
    .tuple(fc.constantFrom(...Object.keys(CACHE)), fc.jsonValue())
    .map(([key, value]) => JSON.stringify({ ...CACHE, [key]: value }));
  const state = fc
    .tuple(fc.constantFrom(...Object.keys(CACHE.OrigVfState)), fc.jsonValue())
    .map(([key, value]) => JSON.stringify({ ...CACHE, OrigVfState: { ...CACHE.OrigVfState, [key]: value } }));
  fc.assert(
    fc.property(fc.oneof(cut, changed, state, fc.json(), fc.string()), fc.string(), (cache, file) => {
      folder.write('c1-net1', cache);
      folder.write('pci/0000:01:10.0', file);
      const { claims, problems } = readSriovCniFiles(folder.path);
      assert.is(claims.length + problems.length, 2);
      for (const problem of problems) assert.match(problem, folder.path);
    }),
  );
});

test('paths are those of sriov-cni', () => {
  assert.is(pciFilePath('/x', '0000:01:10.0'), '/x/pci/0000:01:10.0');
  assert.is(vfLockPath('/x', '0000:01:10.0'), '/x/pci/vf_lock/0000:01:10.0.lock');
});

test.run();
