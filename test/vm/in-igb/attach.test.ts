// timeout: 600s
// VFs of a real card as pods' networks: the whole way through ADD, CHECK and DEL, as a node has it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeKubelet } from '../../fakes/fake-kubelet.ts';
import { type IpLink, Lab } from '../../lab/lab.ts';
import { must } from '../../lab/process.ts';
import { assertClean, assertResult, assertSilent } from '../../lab/spec.ts';
import { type Card, eachDoorOnCard, onCard, sriovFiles, sriovNetwork } from '../lab/vf-pod.ts';

const RESOURCE = 'k8s.v1.cni.cncf.io/resourceName';
const SRIOV = 'intel.com/igb';

/** As `ip` shows where a link's device is. */
const deviceOf = (link: IpLink): string | undefined => (link as IpLink & { parentdev?: string }).parentdev;

/** "net1 0000:01:10.0 10.1.0.2/24", … */
async function linksOf(lab: Lab, pod: string): Promise<string[]> {
  const links = await lab.links(pod);
  const words = links.map((link) => [link.ifname, deviceOf(link), ...Lab.addresses(link)]);
  return words.map((list) => list.filter((word) => word !== undefined).join(' ')).sort();
}

/** A network whose pods take a device of `SRIOV`. */
function deviceNetwork(lab: Lab, config: Record<string, unknown>): unknown {
  const definition = lab.nadManifest(String(config['name']), config) as { metadata: object };
  return { ...definition, metadata: { ...definition.metadata, annotations: { [RESOURCE]: SRIOV } } };
}

/** A kubelet that has given pod `pod<i>` the card's VF i. */
async function withKubelet(lab: Lab, card: Card, pods: readonly string[], body: () => Promise<void>): Promise<void> {
  const kubeletDir = join(lab.directory, 'kubelet');
  Object.assign(lab.config, { kubeletDir, deviceInfoDir: join(lab.directory, 'devinfo') });
  const kubelet = await FakeKubelet.start(kubeletDir);
  kubelet.pods = pods.map((name, i) => {
    const devices: [string, string[]][] = [[SRIOV, [card.addresses[i] ?? '']]];
    return { namespace: 'default', name, containers: [{ devices }] };
  });
  try {
    await body();
  } finally {
    await kubelet.stop();
  }
}

/** All VFs are on the host under their names, as they were when the driver made them. */
async function assertAllBack(lab: Lab, card: Card): Promise<void> {
  for (const [i, name] of card.links.entries()) {
    assert.is(card.hostLink(i), name);
    const { vlan_list, spoofchk, trust } = await card.vf(i);
    assert.equal({ vlan_list, spoofchk, trust }, { vlan_list: [{}], spoofchk: true, trust: false }, `VF ${i}`);
  }
  assert.equal(sriovFiles(lab), {});
}

// A pod would run on another one's VF or in another one's VLAN, or take its VF with it when it ends.
eachDoorOnCard('three pods at a time: the VF that the kubelet gave each, and its settings', async (lab, card) => {
  const pods = ['pod0', 'pod1', 'pod2'];
  await withKubelet(lab, card, pods, async () => {
    const settings = { vlan: 210, vlanQoS: 2, spoofchk: 'off', trust: 'on', ipam: lab.hostLocal('10.230.0.0/24') };
    lab.manifest('networks.yaml', deviceNetwork(lab, sriovNetwork(lab, 'fast', settings)));
    for (const pod of pods) {
      await lab.addNetns(pod);
      lab.manifest(`${pod}.yaml`, lab.podManifest(pod, [{ name: 'fast', interface: 'data0' }]));
    }
    const calls = pods.map((pod) => ({ pod, container: `c-${pod}`, args: lab.podArgs(pod) }));
    for (const added of await Promise.all(calls.map((call) => lab.cni('ADD', call)))) assertResult(added, '1.0.0');
    for (const [i, pod] of pods.entries()) {
      const [data = '', eth = '', ...more] = await linksOf(lab, pod);
      assert.match(data, new RegExp(`^data0 ${card.addresses[i]} 10\\.230\\.0\\.\\d+/24$`));
      assert.match(eth, /^eth0 10\.210\.0\.\d+\/24$/);
      assert.equal(more, []);
      const { vlan_list, spoofchk, trust } = await card.vf(i);
      assert.equal({ ...vlan_list[0], spoofchk, trust }, { vlan: 210, qos: 2, spoofchk: false, trust: true });
    }
    for (const reply of await Promise.all(calls.map((call) => lab.cni('CHECK', call)))) assertSilent(reply);
    for (const reply of await Promise.all(calls.map((call) => lab.cni('DEL', call)))) assertSilent(reply);
    await assertClean(lab, ...pods);
    await assertAllBack(lab, card);
  });
});

// Users without sriov-cni hand out VFs by host-device; the node would lose one with each pod that ends.
onCard('host-device: the kubelet’s VF, and one named in the configuration', async (lab, card) => {
  await withKubelet(lab, card, ['pod0'], async () => {
    const network = { cniVersion: '1.0.0', type: 'host-device' };
    lab.manifest(
      'networks.yaml',
      deviceNetwork(lab, { ...network, name: 'given', ipam: lab.hostLocal('10.231.0.0/24') }),
      lab.nadManifest('named', { ...network, name: 'named', pciBusID: card.addresses[3] }),
    );
    await lab.addNetns('pod0');
    lab.manifest('pod.yaml', lab.podManifest('pod0', 'given,named@north'));
    const call = { pod: 'pod0', args: lab.podArgs('pod0') };
    assertResult(await lab.cni('ADD', call), '1.0.0');
    const links = [`net1 ${card.addresses[0]} 10.231.0.2/24`, `north ${card.addresses[3]}`];
    assert.equal(await linksOf(lab, 'pod0'), ['eth0 10.210.0.2/24', ...links]);
    assertSilent(await lab.cni('CHECK', call));
    assertSilent(await lab.cni('DEL', call));
    await assertClean(lab, 'pod0');
    await assertAllBack(lab, card);
  });
});

/** The node of the TKE guide: its networks in a folder, each VF in the file of its network. */
function makeTkeNode(lab: Lab, card: Card): void {
  const confDir = join(lab.directory, 'net.d', 'multus');
  mkdirSync(confDir, { recursive: true });
  const networks = [
    { ...lab.bridge('flannel-conf', '192.168.42.0/24') },
    sriovNetwork(lab, 'sriov-conf', { deviceID: card.addresses[1], ipam: lab.hostLocal('10.56.217.0/24') }),
    sriovNetwork(lab, 'sriov-vlanid-l2enable-conf', { deviceID: card.addresses[0], vlan: 210, l2enable: true }),
  ];
  for (const network of networks) {
    writeFileSync(join(confDir, `${network['name']}.conf`), JSON.stringify({ ...network, cniVersion: '0.3.1' }));
  }
  const { daemonSocketDir, cniDir, binDir } = lab.config;
  const paths = { daemonSocketDir, cniDir, binDir, confDir };
  lab.config = {
    cniVersion: '0.3.1',
    name: 'node-cni-network',
    type: 'multus',
    defaultDelegates: 'flannel-conf',
    ...paths,
  };
}

// The guide's own pod: "north" would be in no VLAN, or in sriov-conf's place.
onCard('TKE’s guide: flannel, a VF as eth1, a VF with VLAN 210 as north', async (lab, card) => {
  makeTkeNode(lab, card);
  await lab.addNetns('poc');
  const networks = [
    { name: 'flannel-conf' },
    { name: 'sriov-conf' },
    { name: 'sriov-vlanid-l2enable-conf', interfaceRequest: 'north' },
  ];
  const annotations = { 'tke.cloud.tencent.com/networks': JSON.stringify(networks) };
  const config = JSON.stringify({ ...lab.config, runtimeConfig: { 'io.kubernetes.cri.pod-annotations': annotations } });
  const call = { pod: 'poc', args: lab.podArgs('poc'), config };
  assertResult(await lab.cni('ADD', call), '0.3.1');
  assert.equal(await linksOf(lab, 'poc'), [
    'eth0 192.168.42.2/24',
    `eth1 ${card.addresses[1]} 10.56.217.2/24`,
    `north ${card.addresses[0]}`,
  ]);
  assert.match(await must('ip', 'link', 'show', card.name), /vf 0 .*, vlan 210, .*link-state auto/);
  assert.equal([await card.vlan(1), await card.vlan(2)], [0, 0]);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'poc');
  await must('ip', 'link', 'delete', 'flannel-conf0'); // the machine's, not the lab's
  await assertAllBack(lab, card);
});

test.run();
