import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { NativeLink, NativeVf, NativeVfList } from '../../../src/node/native.ts';
import { joinDevices } from '../../../src/sriov/join.ts';
import type { LiveNetns, PfDevice } from '../../../src/sriov/model.ts';
import type { NetnsSurvey } from '../../../src/sriov/survey.ts';

const PF = '0000:01:00.0';
const VFS = ['0000:01:10.0', '0000:01:10.2', '0000:01:10.4'] as const;
const HOST: LiveNetns = { dev: '4', ino: '1', path: '/proc/1/ns/net', isHost: true };
const POD: LiveNetns = { dev: '4', ino: '2', path: '/run/netns/pod', isHost: false };

function link(index: number, name: string, known: Partial<NativeLink> = {}): NativeLink {
  const device = { parentDevice: '', parentBus: '', portName: '', switchId: '', kind: '' };
  const none = { permanentMac: '', mtu: 1500, flags: 0, up: true, parentIndex: 0, parentNsid: -1, masterIndex: 0 };
  return { index, name, mac: '02:00:00:00:00:01', altNames: [], ...none, ...device, ...known };
}

function vf(index: number, mac: string | null = '00:00:00:00:00:00'): NativeVf {
  const rates = { minTxRate: 0, maxTxRate: 0, linkState: 0 };
  const switches = { spoofCheck: true, trust: false, rssQuery: null, nodeGuid: null, portGuid: null };
  return { index, mac, vlan: 0, qos: 0, vlanProtocol: 0x8100, ...rates, ...switches };
}

const listOf = (...vfs: NativeVf[]): NativeVfList => ({ numVfs: vfs.length, queryable: true, truncated: false, vfs });

function device(known: Partial<PfDevice> = {}): PfDevice {
  const vfs = VFS.map((address, index) => ({ index, address, driver: 'igbvf', physfn: PF }));
  return { address: PF, driver: 'igb', totalVfs: 7, numVfs: 3, offset: 128, stride: 2, vfs, ...known };
}

/** A namespace of links and the devices that they belong to. */
function survey(netns: LiveNetns, links: [NativeLink, string?, (NativeVfList | Error)?][]): NetnsSurvey {
  const devices = links.flatMap(([{ index }, address]) => (address === undefined ? [] : [[index, address] as const]));
  const answers = links.flatMap(([{ index }, , answer]) => (answer === undefined ? [] : [[index, answer] as const]));
  return { netns, links: links.map(([one]) => one), devices: new Map(devices), answers: new Map(answers) };
}

function join(device: PfDevice, ...surveys: NetnsSurvey[]) {
  const [pf] = joinDevices([device], surveys);
  assert.ok(pf);
  return pf;
}

// An operator would search for the card, and would not know that its VFs were never asked for.
test('joinDevices() names a PF without a network device by its address, and says why it was not asked', () => {
  const pf = join(device(), survey(HOST, [[link(1, 'lo')]]));
  assert.equal([pf.name, pf.place, pf.list], [PF, undefined, undefined]);
  assert.is(pf.problem, 'no network namespace that can be looked into has its network device');
  assert.equal(
    pf.vfs.map(({ index, reported }) => [index, reported]),
    [0, 1, 2].map((index) => [index, undefined]),
  );
});

// What the kernel refuses would look like a PF without VFs.
test('joinDevices() keeps the reason for which a PF did not answer', () => {
  const pf = join(device(), survey(HOST, [[link(2, 'eth0'), PF, new Error('No buffer space available')]]));
  assert.equal([pf.name, pf.list, pf.problem], ['eth0', undefined, 'No buffer space available']);
});

// A driver that left out VF 1 (i40e, ice while they are busy): VF 2's settings would be shown as those of VF 1.
test('joinDevices() goes by index, and finds each VF where it is', () => {
  const pf = join(
    device(),
    survey(HOST, [
      [link(2, 'eth0'), PF, listOf(vf(2, '02:00:00:00:00:22'), vf(0))],
      [link(3, 'eth1'), VFS[0]],
    ]),
    survey(POD, [[link(3, 'net1'), VFS[2]]]),
  );
  assert.equal(
    pf.vfs.map(({ reported, places }) => [reported?.mac, places.map((place) => [place.netns.ino, place.link.name])]),
    [
      ['00:00:00:00:00:00', [['1', 'eth1']]],
      [undefined, []],
      ['02:00:00:00:00:22', [['2', 'net1']]],
    ],
  );
});

// sysfs and netlink may disagree while VFs come and go: nothing that one of them knows may be missing.
test('joinDevices() has every VF that anybody knows', () => {
  const pf = join(
    device({ numVfs: 2, vfs: device().vfs.slice(1, 2) }),
    survey(HOST, [[link(2, 'eth0'), PF, listOf(vf(3))]]),
  );
  assert.equal(
    pf.vfs.map(({ index, device, reported }) => [index, device?.address, reported?.index]),
    [
      [0, undefined, undefined],
      [1, VFS[1], undefined],
      [3, undefined, 3],
    ],
  );
});

// With an embedded switch the representor that comes first would be asked, and has no VFs.
test('joinDevices() takes the uplink among representors, also where it is in another namespace', () => {
  const port = (name: string, index: number): [NativeLink, string] => [link(index, name, { portName: name }), PF];
  const uplink: [NativeLink, string, NativeVfList] = [link(9, 'eth0', { portName: 'p0' }), PF, listOf(vf(0))];
  const pf = join(device(), survey(HOST, [port('pf0vf0', 2), port('c1pf0', 3)]), survey(POD, [uplink]));
  assert.equal([pf.name, pf.place?.netns.ino, pf.isSwitchdev, pf.list?.numVfs], ['eth0', '2', true, 1]);
});

// A name of its port alone (mlx5 in legacy mode) does not mean that VLANs are elsewhere.
test('joinDevices() takes a PF whose port has a name for one without a switch', () => {
  const pf = join(device(), survey(HOST, [[link(2, 'eth0', { portName: 'p0', switchId: 'ab' }), PF, listOf()]]));
  assert.is(pf.isSwitchdev, false);
});

// InfiniBand: a partition would be taken for the PF, or for a second place of a VF.
test('joinDevices() passes over InfiniBand’s partitions', () => {
  const pf = join(
    device(),
    survey(HOST, [
      [link(2, 'ib0.8001', { kind: 'ipoib', parentIndex: 5 }), PF],
      [link(5, 'ib0', { kind: 'ipoib' }), PF, listOf()],
      [link(6, 'ib1', { kind: 'ipoib' }), VFS[0]],
      [link(7, 'ib1.8001', { kind: 'ipoib', parentIndex: 6 }), VFS[0]],
    ]),
  );
  assert.is(pf.name, 'ib0');
  assert.equal(
    pf.vfs[0]?.places.map((place) => place.link.name),
    ['ib1'],
  );
});

// mlx4: one device with two ports, and two interfaces to every VF.
test('joinDevices() takes the first port of a device with two, and both places of its VFs', () => {
  const pf = join(
    device(),
    survey(HOST, [
      [link(5, 'ens1d1'), PF, listOf(vf(0), vf(1))],
      [link(4, 'ens1'), PF, listOf(vf(0))],
      [link(6, 'eth6'), VFS[0]],
    ]),
    survey(POD, [[link(6, 'net1'), VFS[0]]]),
  );
  assert.equal([pf.name, pf.list?.numVfs], ['ens1', 1]);
  assert.equal(
    pf.vfs[0]?.places.map((place) => place.link.name),
    ['eth6', 'net1'],
  );
});

// Before Linux 5.14 a VF in a pod would be in no namespace at all.
test('joinDevices() finds a link whose device the kernel does not tell by its permanent MAC', () => {
  const mac = '02:00:00:00:00:10';
  const shared = '02:00:00:00:00:20';
  const pf = join(
    device(),
    survey(HOST, [[link(2, 'eth0'), PF, listOf(vf(0, mac), vf(1, shared), vf(2, shared))]]),
    survey(POD, [
      [link(3, 'net1', { permanentMac: mac })],
      [link(4, 'net2', { permanentMac: shared })], // of which of the two?
      [link(5, 'vlan1', { permanentMac: mac, kind: 'vlan' })],
    ]),
  );
  assert.equal(
    pf.vfs.map(({ places }) => places.map((place) => place.link.name)),
    [['net1'], [], []],
  );
});

test.run();
