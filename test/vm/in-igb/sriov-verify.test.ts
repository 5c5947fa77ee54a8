// timeout: 600s
// `multus sriov verify` on a real card: what is right passes, and every way in which sriov-cni loses VFs is found.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Lab } from '../../lab/lab.ts';
import { must, until } from '../../lab/process.ts';
import { assertResult } from '../../lab/spec.ts';
import {
  addPod,
  leakDelWithoutNetns,
  leakInheritedVlan,
  leakNetnsGone,
  leakPartialApply,
  leakRenamedInPod,
  RENAMED,
} from '../lab/leaks.ts';
import { remarks, verify, verifyProgram } from '../lab/verify.ts';
import { type Card, onCard, sriovDir, sriovNetwork } from '../lab/vf-pod.ts';

const foldersOf = (lab: Lab) => ({ cniDir: lab.stateDir, sriovDir: sriovDir(lab) });

/** igbvf sees its link seconds after it was brought up. */
function untilCarrier(lab: Lab, pod: string, ...names: string[]): Promise<void> {
  return until(`${names.join(' and ')} of ${pod} have a carrier`, async () => {
    const up = (await lab.links(pod)).filter(({ flags }) => flags.includes('LOWER_UP')).map(({ ifname }) => ifname);
    return names.every((name) => up.includes(name));
  });
}

// An operator would look for the leak by hand, VF by VF; or trust a node whose next pod lands in another one's network.
onCard('--node finds each of the five leaks among VFs that are right, and names what mends it', async (lab, card) => {
  const right = await addPod({ lab, card }, 5, { vlan: 210 });
  const scene = { lab, card };
  await leakPartialApply(scene);
  const heir = await leakInheritedVlan(scene);
  const without = await leakDelWithoutNetns(scene);
  await leakNetnsGone(scene);
  const renamed = await leakRenamedInPod(scene);
  for (const { pod } of [right, heir.call, without.call]) await untilCarrier(lab, pod, 'net1');
  const words = ['--cni-dir', lab.stateDir, '--sriov-dir', sriovDir(lab)];
  const { code, stdout, stderr } = await verifyProgram('--node', ...words);
  assert.is(code, 1, stdout + stderr);
  const found = await verify({ node: true }, foldersOf(lab));
  assert.is(stdout.slice(0, stdout.indexOf('\n')), found.table.slice(0, found.table.indexOf('\n')));
  assert.equal(remarks(found), [
    '0 warn leftover',
    '1 warn inherited-vlan',
    '2 fail pci-file',
    '3 warn host-name',
    '3 warn pci-file',
    '4 warn carrier',
    '4 fail pci-file',
  ]);
  const { report } = found;
  const fixOf = (vf: number, id: string): string =>
    report.items[vf].checks.find((check: { id: string }) => check.id === id).fix;
  const file = (vf: number): string => join(sriovDir(lab), 'pci', card.addresses[vf] ?? '');
  const bring = (pod: string, name: string, vf: number): string =>
    `nsenter --net=${lab.netns(pod)} ip link set ${name} netns 1 name ${card.name}v${vf}`;
  assert.is(fixOf(0, 'leftover'), `ip link set ${card.name} vf 0 vlan 0`);
  assert.is(fixOf(1, 'inherited-vlan'), `ip link set ${card.name} vf 1 vlan 0`);
  assert.is(fixOf(2, 'pci-file'), bring(without.call.pod, 'net1', 2));
  assert.is(fixOf(3, 'pci-file'), `rm ${file(3)}`);
  assert.is(fixOf(3, 'host-name'), `ip link set net1 name ${card.name}v3`);
  assert.is(fixOf(4, 'pci-file'), bring(renamed.call.pod, RENAMED, 4));
  const [, , , , , item] = report.items;
  assert.equal([item.ifname, item.actual.vlan, item.expected.vlan.value, item.cached.vlan], ['net1', 210, 210, 210]);
  assert.is(item.containerId, right.container);
});

/** The node of the TKE guide, with the three networks of its pod; `north` is to be on a VF with VLAN 210. */
async function attachSeed(lab: Lab, card: Card): Promise<void> {
  const confDir = join(lab.directory, 'net.d', 'multus');
  mkdirSync(confDir, { recursive: true });
  const networks = [
    lab.ptp('flannel-conf', '192.168.42.0/24'),
    sriovNetwork(lab, 'sriov-conf', { deviceID: card.addresses[1], vlan: 0 }),
    sriovNetwork(lab, 'sriov-vlanid-l2enable-conf', { deviceID: card.addresses[0], vlan: 210, spoofchk: 'off' }),
  ];
  for (const network of networks) {
    const text = JSON.stringify({ ...network, cniVersion: '0.3.1' });
    writeFileSync(join(confDir, `${network['name']}.conf`), text);
  }
  const names = JSON.stringify([
    { name: 'flannel-conf' },
    { name: 'sriov-conf' },
    { name: 'sriov-vlanid-l2enable-conf', interfaceRequest: 'north' },
  ]);
  const runtimeConfig = { 'io.kubernetes.cri.pod-annotations': { 'tke.cloud.tencent.com/networks': names } };
  const { daemonSocketDir, cniDir, binDir } = lab.config;
  const dialect = { name: 'node-cni-network', type: 'multus', defaultDelegates: 'flannel-conf', confDir };
  const config = { cniVersion: '0.3.1', ...dialect, daemonSocketDir, cniDir, binDir, runtimeConfig };
  await lab.addNetns('poc');
  const call = { pod: 'poc', args: lab.podArgs('poc'), config: JSON.stringify(config) };
  assertResult(await lab.cni('ADD', call), '0.3.1');
}

// The check that the guide does by eye: `ip link show`, and hope that the pod's VF is the one in the line.
onCard('the guide’s pod: its networks, by every selector, right and then in another VLAN', async (lab, card) => {
  await attachSeed(lab, card);
  await untilCarrier(lab, 'poc', 'north', 'eth1');
  const folders = foldersOf(lab);
  const right = await verify({ node: true }, { ...folders, strict: true });
  assert.is(right.exitCode, 0, right.table);
  const { report: ofPod } = await verify({ pod: 'poc', network: 'sriov-vlanid-l2enable-conf' }, folders);
  const [north, ...others] = ofPod.items;
  assert.equal([north.ifname, north.vf, north.pod, north.actual.vlan, others], ['north', 0, 'default/poc', 210, []]);
  assert.match(north.expected.vlan.source, /^journal \//);

  await must('ip', 'link', 'set', card.name, 'vf', '0', 'vlan', '211');
  for (const vf of ['2', '3']) await must('ip', 'link', 'set', card.name, 'vf', vf, 'vlan', '4095');
  const selections = [
    { pod: 'poc' },
    { netns: lab.netns('poc'), ifname: 'north' },
    { pf: card.name, vf: 0 },
    { pci: card.addresses[0] ?? '' },
  ];
  for (const selection of selections) {
    const found = await verify(selection, folders);
    assert.equal([remarks(found), found.exitCode], [['0 fail vlan'], 1], JSON.stringify(selection));
  }
  const found = await verify({ node: true }, folders);
  assert.equal(remarks(found), ['0 fail vlan', '2 warn leftover', '3 warn leftover']);
  assert.match(found.table, /fail +\w+ +0 +vlan +must have VLAN 210, it has 211 \[journal \//);
  assert.match(found.table, `mend: ip link set ${card.name} vf 0 vlan 210`);
  const asked = await verify({ pf: card.name, vf: 2 }, { ...folders, expect: { vlan: 4094 } });
  assert.match(asked.table, 'must have VLAN 4094, it has 4095 [--expect]');
  const missing = await verify({ pod: 'nobody' }, folders);
  assert.is(missing.exitCode, 4);
  assert.is(missing.table, 'Not found: no VF of pod "default/nobody" is known on this node.\n');
});

test.run();
