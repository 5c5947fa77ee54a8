// timeout: 240s
/**
 * VFs of a simulated PF on a real kernel. A user loses: a VLAN that is on another VF than multus says, or a card with
 * many VFs on which it sees none.
 */
import { execFileSync } from 'node:child_process';
import { closeSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type NativeVf, type NativeVfChange, native } from '../../../src/node/native.ts';
import { failureOf, ScratchNetns } from '../../native/scratch-netns.ts';
import { Netdevsim } from '../lab/netdevsim.ts';

const VLAN_8021AD = 0x88a8;

/** As the kernel makes a VF. */
const UNTOUCHED: Omit<NativeVf, 'index'> = {
  mac: '00:00:00:00:00:00',
  vlan: 0,
  qos: 0,
  vlanProtocol: 0x8100,
  minTxRate: 0,
  maxTxRate: 0,
  spoofCheck: false,
  trust: false,
  rssQuery: false,
  linkState: 0,
  nodeGuid: null,
  portGuid: null,
};

interface Pf {
  device: Netdevsim;
  index: number;
  mac: string;
  socket: number;
  set(vf: number, change: NativeVfChange): Promise<void>;
}

/** A test with a PF of its own in the guest's first namespace. */
function pfTest(name: string, numVfs: number, body: (pf: Pf) => Promise<void>): void {
  test(name, async () => {
    const device = new Netdevsim(numVfs);
    const socket = native().openSocket(-1);
    try {
      const { index, mac } = await native().getLink(socket, device.link);
      const set = (vf: number, change: NativeVfChange) => native().setVf(socket, index, vf, change);
      await body({ device, index, mac, socket, set });
    } finally {
      closeSync(socket);
      device.remove();
    }
  });
}

/** Give every VF a VLAN of its own, so that none can be taken for another; a MAC to the last one. */
async function markAll(pf: Pf, count: number): Promise<NativeVf[]> {
  const wanted = Array.from({ length: count }, (_, index) => ({
    ...UNTOUCHED,
    index,
    vlan: 1 + index,
    qos: index % 8,
  }));
  await Promise.all(wanted.map(({ index, vlan, qos }) => pf.set(index, { vlan, qos })));
  const last = wanted[count - 1] as NativeVf;
  last.mac = '02:00:00:00:00:99';
  await pf.set(last.index, { mac: last.mac });
  return wanted;
}

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' });

/** What iproute2 says of a VF, in our words. */
// biome-ignore lint/suspicious/noExplicitAny: iproute2's JSON has no types.
function readIp(vf: any): NativeVf {
  const [vlan = {}] = vf.vlan_list;
  const states: Record<string, number> = { auto: 0, enable: 1, disable: 2 };
  return {
    ...UNTOUCHED,
    index: vf.vf,
    mac: vf.address,
    vlan: vlan.vlan ?? 0,
    qos: vlan.qos ?? 0,
    vlanProtocol: vlan.protocol?.toLowerCase() === '802.1ad' ? VLAN_8021AD : 0x8100,
    minTxRate: vf.rate?.min_tx ?? 0,
    maxTxRate: vf.rate?.max_tx ?? 0,
    spoofCheck: vf.spoofchk,
    trust: vf.trust,
    rssQuery: vf.query_rss_en,
    linkState: states[vf.link_state] ?? -1,
  };
}

const askIp = (pf: Pf): NativeVf[] =>
  JSON.parse(ip('-j', '-d', 'link', 'show', 'dev', pf.device.link))[0].vfinfo_list.map(readIp);

pfTest('setVf() makes each setting of one VF and no other, and ip sees them the same', 4, async (pf) => {
  const steps: [number, NativeVfChange, Partial<NativeVf>][] = [
    [0, { vlan: 210, qos: 2 }, { vlan: 210, qos: 2 }],
    [1, { vlan: 300, qos: 3, protocol: VLAN_8021AD }, { vlan: 300, qos: 3, vlanProtocol: VLAN_8021AD }],
    [1, { mac: '02:00:00:00:00:1F' }, { mac: '02:00:00:00:00:1f' }],
    [2, { minTxRate: 100, maxTxRate: 500 }, { minTxRate: 100, maxTxRate: 500 }],
    [2, { spoofCheck: true }, { spoofCheck: true }],
    [3, { trust: true }, { trust: true }],
    [3, { linkState: 1 }, { linkState: 1 }],
    [3, { linkState: 2 }, { linkState: 2 }],
    // Stored as it is. Of a mlx4 it means "untagged", which is for whoever knows the driver to say.
    [3, { vlan: 4095 }, { vlan: 4095 }],
    // And back.
    [0, { vlan: 0 }, { vlan: 0, qos: 0 }],
    [1, { vlan: 301, qos: 0 }, { vlan: 301, qos: 0, vlanProtocol: 0x8100 }],
    [1, { mac: '00:00:00:00:00:00' }, { mac: '00:00:00:00:00:00' }],
    [2, { minTxRate: 0, maxTxRate: 0 }, { minTxRate: 0, maxTxRate: 0 }],
    [2, { spoofCheck: false }, { spoofCheck: false }],
    [3, { trust: false }, { trust: false }],
    [3, { linkState: 0 }, { linkState: 0 }],
  ];
  const wanted = [0, 1, 2, 3].map((index) => ({ ...UNTOUCHED, index }));
  for (const [vf, change, effect] of steps) {
    await pf.set(vf, change);
    Object.assign(wanted[vf] as NativeVf, effect);
    const list = await native().getVfs(pf.socket, pf.index);
    assert.equal(list, { numVfs: 4, queryable: true, truncated: false, vfs: wanted }, JSON.stringify(change));
    assert.equal(askIp(pf), wanted, JSON.stringify(change));
  }
});

pfTest('setVf() hands on what the kernel refuses, naming PF, VF and setting', 4, async (pf) => {
  const refusals: [number, NativeVfChange, string, string][] = [
    [4, { vlan: 1 }, 'EINVAL', 'VF 4, VLAN'],
    [4, { minTxRate: 0, maxTxRate: 5 }, 'EINVAL', 'VF 4, rate'],
    [0, { mac: '02:00:00:00:00' }, 'EINVAL', 'not a MAC address'],
  ];
  for (const [vf, change, code, detail] of refusals) {
    const error = await failureOf(() => pf.set(vf, change));
    assert.is(error.code, code, error.message);
    assert.match(error.detail ?? '', detail);
  }
  assert.is((await failureOf(() => pf.set(4, { trust: true }))).ifname, pf.device.link);
  const { index } = await native().getLink(pf.socket, 'lo');
  const notAPf = await failureOf(() => native().setVf(pf.socket, index, 0, { vlan: 1 }));
  assert.is(notAPf.code, 'EOPNOTSUPP');
  assert.is(notAPf.ifname, 'lo');
  const gone = await failureOf(() => native().setVf(pf.socket, 4711, 0, { vlan: 1 }));
  assert.is(gone.code, 'ENODEV');
  assert.equal((await native().getVfs(pf.socket, pf.index)).vfs, askIp(pf));
});

// ip and others send all settings in one request; a pod that failed to start for one leaves the rest to the next pod.
pfTest('getVfs() sees the VLAN that a refused request left behind', 4, async (pf) => {
  const guid = '00:11:22:33:44:55:66:77'; // Of InfiniBand only.
  const all = ['vlan', '211', 'trust', 'on', 'node_guid', guid];
  assert.throws(() => ip('link', 'set', pf.device.link, 'vf', '0', ...all), /not supported/);
  const [vf] = (await native().getVfs(pf.socket, pf.index)).vfs;
  assert.equal(vf, { ...UNTOUCHED, index: 0, vlan: 211, trust: true });
});

pfTest('getVfs() of a PF whose VFs were taken away is an empty list that was asked for', 4, async (pf) => {
  // A card is to be emptied before it gets another number.
  assert.throws(() => pf.device.setNumVfs(2), /EBUSY/);
  assert.is((await native().getVfs(pf.socket, pf.index)).vfs.length, 4);
  pf.device.setNumVfs(0);
  const none = { numVfs: 0, queryable: true, truncated: false, vfs: [] };
  assert.equal(await native().getVfs(pf.socket, pf.index), none);
});

// From 222 VFs on the list's length wraps at 16 bits when statistics are asked for, from 335 on without: iproute2 shows
// no or few VFs then. 221 and 334 are the last that fit.
for (const count of [128, 221, 222, 334, 335, 512, 1024]) {
  pfTest(`getVfs() has every VF of ${count} under its own number`, count, async (pf) => {
    const wanted = await markAll(pf, count);
    const list = await native().getVfs(pf.socket, pf.index);
    assert.is(list.numVfs, count);
    assert.ok(list.queryable);
    assert.not(list.truncated);
    assert.equal(list.vfs, wanted);
    if (count <= 221) assert.equal(askIp(pf), wanted);
    // What the kernel wrote behind the wrapped length did not overwrite the PF's own.
    assert.is((await native().getLink(pf.socket, pf.index)).mac, pf.mac);
    assert.is((await native().getLink(pf.socket, pf.device.link)).parentDevice, pf.device.name);
  });
}

pfTest('a PF in a namespace is asked by its number, and from a socket there', 1024, async (pf) => {
  const wanted = await markAll(pf, 1024);
  const netns = new ScratchNetns();
  const { fd } = native().openNetns(netns.path);
  const home = native().openNetns('/proc/self/ns/net');
  try {
    await native().moveLink(pf.socket, pf.index, fd, 'pf-of-pod');
    assert.is((await failureOf(() => native().getVfs(pf.socket, pf.index))).code, 'ENODEV');
    const nsid = await native().netnsId(pf.socket, fd);
    const link = (await native().listLinks(pf.socket, nsid)).find((one) => one.name === 'pf-of-pod');
    assert.is(link?.parentDevice, pf.device.name);
    const index = link?.index ?? 0;
    assert.equal((await native().getVfs(pf.socket, index, nsid)).vfs, wanted);
    assert.equal((await native().getVfs(netns.socket, index)).vfs, wanted);
    // It is set from there only: here, the request would have to name a link of ours.
    await native().setVf(netns.socket, index, 7, { vlan: 99 });
    assert.is((await native().getVfs(pf.socket, index, nsid)).vfs[7]?.vlan, 99);
    await native().moveLink(netns.socket, index, home.fd, pf.device.link);
    const back = await native().getLink(pf.socket, pf.device.link);
    assert.is((await native().getVfs(pf.socket, back.index)).vfs[7]?.vlan, 99);
  } finally {
    closeSync(home.fd);
    closeSync(fd);
    netns.remove();
  }
});

pfTest('a PF has its device, bus, port and switch as ip has them', 0, async (pf) => {
  const link = await native().getLink(pf.socket, pf.index);
  const [seen] = JSON.parse(ip('-j', '-d', 'link', 'show', 'dev', pf.device.link));
  assert.is(link.parentDevice, pf.device.name);
  assert.is(link.parentDevice, seen.parentdev);
  assert.is(link.parentBus, seen.parentbus);
  assert.is(link.portName, seen.phys_port_name);
  // iproute2 has room for 31 of at most 32 bytes.
  assert.ok(seen.phys_switch_id.length >= 62);
  assert.ok(link.switchId.startsWith(seen.phys_switch_id));
});

test.run();
