/** A node with one PF of an Intel 82576 (igb), as QEMU emulates it: VFs at 01:10.0, 01:10.2, 01:10.4... */
import type { NativeLink, NativeVf } from '../../src/node/native.ts';
import type { Inventory, LiveNetns, PfState, PlacedLink, VfClaim, VfState } from '../../src/sriov/model.ts';
import { fakeVf } from './fake-vf.ts';

export const HOST: LiveNetns = { dev: '4', ino: '1', path: '/proc/1/ns/net', isHost: true };
export const POD: LiveNetns = { dev: '4', ino: '77', path: '/run/netns/cni-a', isHost: false };
export const OTHER_POD: LiveNetns = { dev: '4', ino: '78', path: '/run/netns/cni-b', isHost: false };

const UP_WITH_CARRIER = 0x10001;

export function fakeLink(name: string, more: Partial<NativeLink> = {}): NativeLink {
  return {
    index: 5,
    name,
    kind: '',
    mac: '02:00:00:00:00:01',
    permanentMac: '',
    mtu: 1500,
    flags: UP_WITH_CARRIER,
    up: true,
    parentIndex: 0,
    parentNsid: -1,
    masterIndex: 0,
    altNames: [],
    parentDevice: '',
    parentBus: 'pci',
    portName: '',
    switchId: '',
    ...more,
  };
}

/** 0000:01:10.0, .2, .4, .6, 0000:01:11.0... */
export function vfAddress(index: number): string {
  const id = 128 + 2 * index;
  return `0000:01:${(id >> 3).toString(16).padStart(2, '0')}.${id & 7}`;
}

/** "02:00:00:00:01:02" of VF 2, which nobody has changed. */
export function vfMac(index: number): string {
  return `02:00:00:00:01:${index.toString(16).padStart(2, '0')}`;
}

/** Idle, on the host as "eth1v2", never touched. */
export function idleVf(index: number, reported: Partial<NativeVf> = {}, more: Partial<VfState> = {}): VfState {
  const address = vfAddress(index);
  return {
    index,
    device: { index, address, driver: 'igbvf', physfn: '0000:01:00.0' },
    reported: fakeVf({ index, ...reported }),
    places: [{ netns: HOST, link: fakeLink(`eth1v${index}`, { index: 10 + index, mac: vfMac(index), up: false }) }],
    ...more,
  };
}

/** In a pod, with what it reports. */
export function podVf(
  index: number,
  reported: Partial<NativeVf> = {},
  { netns = POD, name = 'net1', ...link }: Partial<NativeLink> & { netns?: LiveNetns } = {},
): VfState {
  const place: PlacedLink = { netns, link: fakeLink(name, { index: 10 + index, mac: vfMac(index), ...link }) };
  return idleVf(index, reported, { places: [place] });
}

export function fakePf(vfs: VfState[], more: Partial<PfState> = {}): PfState {
  const numVfs = vfs.length;
  return {
    name: 'eth1',
    device: {
      address: '0000:01:00.0',
      driver: 'igb',
      totalVfs: 7,
      numVfs,
      offset: 128,
      stride: 2,
      vfs: vfs.flatMap(({ device }) => (device === undefined ? [] : [device])),
    },
    place: { netns: HOST, link: fakeLink('eth1', { index: 3, mac: '02:00:00:00:00:03' }) },
    numVfs,
    list: { numVfs, queryable: true, truncated: false },
    problem: '',
    isSwitchdev: false,
    vfs,
    ...more,
  };
}

export function fakeInventory(pfs: PfState[], more: Partial<Inventory> = {}): Inventory {
  const places = pfs.flatMap((pf) => [...(pf.place ? [pf.place] : []), ...pf.vfs.flatMap((vf) => vf.places)]);
  const namespaces = [HOST, POD, OTHER_POD].map((netns) => ({
    netns,
    links: places.filter((place) => place.netns === netns).map(({ link }) => link),
  }));
  return { hostname: 'node1', kernel: '6.12.0', pfs, namespaces, problems: [], ...more };
}

/** Somebody's word on VF `index`, with nothing else in it. */
export function fakeClaim(index: number, more: Partial<VfClaim> = {}): VfClaim {
  return {
    source: 'journal',
    origin: '/var/lib/cni/multus/c1',
    address: vfAddress(index),
    pf: '',
    vf: undefined,
    containerId: 'c1',
    pod: 'default/web',
    network: 'default/north',
    ifName: 'net1',
    netnsPath: POD.path,
    netns: POD,
    settings: {},
    original: undefined,
    isEnded: false,
    ...more,
  };
}

/** sriov-cni's two files of a container that has VF `index`. */
export function fakeFiles(index: number, more: Partial<VfClaim> = {}): VfClaim[] {
  const folder = '/var/lib/cni/sriov';
  const nobody = { containerId: '', pod: '', network: '', ifName: '', settings: undefined };
  return [
    fakeClaim(index, { source: 'pci-file', origin: `${folder}/pci/${vfAddress(index)}`, ...nobody, ...more }),
    fakeClaim(index, {
      source: 'sriov-cache',
      origin: `${folder}/c1-net1`,
      pf: 'eth1',
      vf: index,
      original: { hostName: `eth1v${index}`, settings: {} },
      ...more,
    }),
  ];
}
