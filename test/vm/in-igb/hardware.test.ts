// timeout: 300s
/**
 * A card with SR-IOV on a real kernel: PCI devices, drivers, namespaces. A user loses: a VF that multus takes for
 * another one, or says to be in a VLAN in which it is not, or does not find again after its pod.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type NativeVf, type NativeVfChange, native } from '../../../src/node/native.ts';
import { takeInventory } from '../../../src/sriov/inventory.ts';
import { until } from '../../lab/process.ts';
import { failureOf, ScratchNetns } from '../../native/scratch-netns.ts';
import { Igb, linkOf, pciFile, readPci } from '../lab/igb.ts';

/** Linux 6.2 and later rename a link that is up. */
const CAN_RENAME_UP = !release().startsWith('6.1.');

interface Card {
  pf: Igb;
  /** Of the PF's link. */
  index: number;
  /** In the guest's first namespace. */
  socket: number;
  vfs(): Promise<NativeVf[]>;
  set(vf: number, change: NativeVfChange): Promise<void>;
}

/** A test with new VFs; the PF is down unless the test says otherwise. */
function cardTest(name: string, numVfs: number, body: (card: Card) => Promise<void>): void {
  test(name, async () => {
    const pf = new Igb(numVfs);
    const socket = native().openSocket(-1);
    try {
      const { index } = await native().getLink(socket, pf.link);
      await body({
        pf,
        index,
        socket,
        vfs: async () => (await native().getVfs(socket, index)).vfs,
        set: (vf, change) => native().setVf(socket, index, vf, change),
      });
    } finally {
      closeSync(socket);
      await pf.reset();
    }
  });
}

/** The same with a namespace and its file. Links in it come back to the guest's first one when it ends. */
async function withNetns(body: (netns: ScratchNetns, fd: number) => Promise<void>): Promise<void> {
  const netns = new ScratchNetns();
  const { fd } = native().openNetns(netns.path);
  try {
    await body(netns, fd);
  } finally {
    closeSync(fd);
    netns.remove();
  }
}

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' });

/** What iproute2 says of the same VFs, in our words. */
function askIp(pf: Igb): Partial<NativeVf>[] {
  const [link] = JSON.parse(ip('-d', '-j', 'link', 'show', 'dev', pf.link));
  // biome-ignore lint/suspicious/noExplicitAny: iproute2's JSON has no types.
  return link.vfinfo_list.map((one: any) => ({
    index: one.vf,
    mac: one.address,
    vlan: one.vlan_list[0]?.vlan ?? 0,
    qos: one.vlan_list[0]?.qos ?? 0,
    minTxRate: one.rate.min_tx,
    maxTxRate: one.rate.max_tx,
    spoofCheck: one.spoofchk,
    trust: one.trust,
    linkState: ['auto', 'enable', 'disable'].indexOf(one.link_state),
  }));
}

/** The attributes that iproute2 shows. */
const shown = (vfs: NativeVf[]) =>
  vfs.map(({ vlanProtocol: _, rssQuery: __, nodeGuid: ___, portGuid: ____, ...rest }) => rest);

cardTest('a VF is the one that PCI Express counts to, in sysfs as in netlink', 4, async ({ pf, socket, vfs }) => {
  assert.is(readPci(pf.address, 'sriov_totalvfs'), '7');
  const [offset, stride] = ['sriov_offset', 'sriov_stride'].map((name) => Number(readPci(pf.address, name)));
  const links = await native().listLinks(socket);
  for (const index of [0, 1, 2, 3]) {
    // bus 1, device and function 0, plus offset and strides: 0000:01:10.0, .2, .4, .6
    const routingId = 0x100 + (offset ?? 0) + index * (stride ?? 0);
    const [bus, device] = [routingId >> 8, (routingId >> 3) & 31].map((one) => one.toString(16).padStart(2, '0'));
    assert.is(pf.vf(index), `0000:${bus}:${device}.${routingId & 7}`);
    const link = links.find(({ parentDevice }) => parentDevice === pf.vf(index));
    assert.is(link?.name, linkOf(pf.vf(index)));
    assert.is(link?.parentBus, 'pci');
    assert.is(link?.kind, '');
  }
  assert.is(links.find(({ name }) => name === pf.link)?.parentDevice, pf.address);
  assert.equal(
    (await vfs()).map(({ index }) => index),
    [0, 1, 2, 3],
  );
});

cardTest('a card takes another number of VFs when it has none, and no more than it can', 2, async ({ pf, vfs }) => {
  assert.throws(() => pf.setNumVfs(3), /EBUSY/);
  assert.is((await vfs()).length, 2);
  pf.setNumVfs(0);
  assert.throws(() => pf.setNumVfs(8), /ERANGE/);
  assert.equal(await vfs(), []);
  pf.setNumVfs(7);
  assert.is((await vfs()).length, 7);
});

// What a VF has is compared with what it was to have; a setting read wrong would be a pod refused, or one in a foreign VLAN.
cardTest('setVf() sets one thing of one VF, and getVfs() reads it back', 3, async (card) => {
  await card.pf.up();
  const wanted = await card.vfs();
  assert.equal(shown(wanted), askIp(card.pf));
  const steps: [number, NativeVfChange, Partial<NativeVf>][] = [
    [1, { vlan: 210, qos: 2 }, { vlan: 210, qos: 2 }],
    [1, { mac: '02:00:00:00:00:01' }, { mac: '02:00:00:00:00:01' }],
    [1, { minTxRate: 0, maxTxRate: 100 }, { maxTxRate: 100 }],
    [1, { spoofCheck: false }, { spoofCheck: false }],
    [2, { trust: true }, { trust: true }],
    // Of this card it is a VLAN like any other.
    [2, { vlan: 4095 }, { vlan: 4095 }],
    [1, { vlan: 0 }, { vlan: 0, qos: 0 }],
    [1, { minTxRate: 0, maxTxRate: 0 }, { maxTxRate: 0 }],
    [1, { spoofCheck: true }, { spoofCheck: true }],
    [2, { trust: false }, { trust: false }],
  ];
  for (const [vf, change, effect] of steps) {
    await card.set(vf, change);
    Object.assign(wanted[vf] as NativeVf, effect);
    assert.equal(await card.vfs(), wanted, JSON.stringify(change));
    assert.equal(shown(wanted), askIp(card.pf), JSON.stringify(change));
  }
});

// A plugin's error names what the driver cannot: the operator looks there instead of at the VLAN.
cardTest('setVf() hands on what the driver refuses, and changes nothing', 2, async (card) => {
  const before = await card.vfs();
  const refusals: [number, NativeVfChange, string][] = [
    [0, { vlan: 100, protocol: 0x88a8 }, 'EPROTONOSUPPORT'],
    [0, { linkState: 1 }, 'EOPNOTSUPP'],
    [0, { minTxRate: 10, maxTxRate: 100 }, 'EINVAL'],
    // The PF is down: it does not know how fast it is.
    [0, { minTxRate: 0, maxTxRate: 100 }, 'EINVAL'],
    [2, { vlan: 100 }, 'EINVAL'],
    [7, { trust: true }, 'EINVAL'],
  ];
  for (const [vf, change, code] of refusals) {
    const error = await failureOf(() => card.set(vf, change));
    assert.is(error.code, code, `${JSON.stringify(change)}: ${error.message}`);
    assert.is(error.ifname, card.pf.link);
  }
  assert.equal(await card.vfs(), before);
});

// A plugin that sends all in one request leaves the VLAN of a failed pod to the next one; getVfs() has to see it.
cardTest('the kernel keeps what it did of a refused request', 2, async (card) => {
  const all = ['mac', '02:00:00:00:00:02', 'vlan', '211', 'state', 'enable', 'trust', 'on'];
  assert.throws(() => ip('link', 'set', card.pf.link, 'vf', '0', ...all), /not supported/);
  const [vf, other] = await card.vfs();
  assert.is(vf?.vlan, 211);
  assert.is(vf?.mac, '02:00:00:00:00:02');
  assert.is(vf?.trust, false);
  assert.is(other?.vlan, 0);
});

// A pod's interface that has no address after it was renamed is a pod without its network.
cardTest('renameLink() of a VF that is up tells when the kernel wanted it down', 1, async ({ pf, socket }) => {
  await pf.up();
  const name = linkOf(pf.vf(0));
  const { index } = await native().getLink(socket, name);
  await native().setLinkUp(socket, index, true);
  assert.equal(await native().renameLink(socket, index, 'net1'), { wentDown: !CAN_RENAME_UP });
  const link = await native().getLink(socket, 'net1');
  assert.is(link.index, index);
  assert.ok(link.up);
});

cardTest('a VF in a pod is found by its PCI address, and from the host only there', 2, async ({ pf, socket }) => {
  await withNetns(async (netns, fd) => {
    const address = pf.vf(1);
    const { index } = await native().getLink(socket, linkOf(address));
    await native().moveLink(socket, index, fd, 'net1');
    assert.is(linkOf(address), '');
    assert.is((await native().getLink(netns.socket, 'net1')).parentDevice, address);
    const nsid = await native().netnsId(socket, fd);
    const seen = (await native().listLinks(socket, nsid)).find(({ parentDevice }) => parentDevice === address);
    assert.is(seen?.name, 'net1');
    assert.is(seen?.parentBus, 'pci');
    const here = await native().listLinks(socket);
    assert.not(here.some(({ parentDevice }) => parentDevice === address));
  });
});

cardTest('moveLink() moves nothing to where the name is taken', 2, async ({ pf, socket }) => {
  await withNetns(async (netns, fd) => {
    netns.ip('link add net1 type dummy');
    const name = linkOf(pf.vf(0));
    const { index } = await native().getLink(socket, name);
    assert.is((await failureOf(() => native().moveLink(socket, index, fd, 'net1'))).code, 'EEXIST');
    assert.is(linkOf(pf.vf(0)), name);
    await native().moveLink(socket, index, fd, 'net2');
    assert.is((await native().getLink(netns.socket, 'net2')).parentDevice, pf.vf(0));
  });
});

// The leak that `sriov verify` is for: the pod is gone, its VLAN is not, and nobody sees it.
cardTest('a VF comes back from an ended namespace under its pod name, in its VLAN', 2, async (card) => {
  const { pf, socket } = card;
  const [name, other] = [linkOf(pf.vf(0)), linkOf(pf.vf(1))];
  await card.set(0, { vlan: 212 });
  await withNetns(async (netns, fd) => {
    await native().moveLink(socket, (await native().getLink(socket, name)).index, fd, 'net1');
    // Of its name on the host another link may have been made.
    await native().moveLink(socket, (await native().getLink(socket, other)).index, fd, 'lab-taken');
    ip('link', 'add', 'lab-taken', 'type', 'dummy');
    assert.is((await native().listLinks(netns.socket)).length, 3);
  });
  try {
    await until('the VFs are back', () => linkOf(pf.vf(0)) !== '' && linkOf(pf.vf(1)) !== '', 30_000);
    assert.is(linkOf(pf.vf(0)), 'net1');
    assert.match(linkOf(pf.vf(1)), /^dev\d+$/);
    assert.is((await card.vfs())[0]?.vlan, 212);
    // And it can be sent home under its own name.
    await native().renameLink(socket, (await native().getLink(socket, 'net1')).index, name);
    assert.is(linkOf(pf.vf(0)), name);
  } finally {
    ip('link', 'delete', 'lab-taken');
  }
});

// A node whose PF was given to a pod looks like one without SR-IOV.
cardTest('a PF in another namespace is asked there, and set there', 2, async (card) => {
  const { pf, socket, index } = card;
  const name = pf.link;
  await card.set(1, { vlan: 300, qos: 3 });
  const wanted = await card.vfs();
  const home = native().openNetns('/proc/self/ns/net');
  try {
    await withNetns(async (netns, fd) => {
      await native().moveLink(socket, index, fd, 'uplink');
      try {
        assert.is(pf.link, '');
        assert.not.ok(existsSync(pciFile(pf.vf(1), `physfn/net/${name}`)));
        const nsid = await native().netnsId(socket, fd);
        const there = (await native().listLinks(socket, nsid)).find(({ parentDevice }) => parentDevice === pf.address);
        assert.is(there?.name, 'uplink');
        assert.equal((await native().getVfs(socket, there?.index ?? 0, nsid)).vfs, wanted);
        await native().setVf(netns.socket, there?.index ?? 0, 0, { vlan: 301 });
        assert.is((await native().getVfs(socket, there?.index ?? 0, nsid)).vfs[0]?.vlan, 301);
      } finally {
        const { index: now } = await native().getLink(netns.socket, 'uplink');
        await native().moveLink(netns.socket, now, home.fd, name);
      }
    });
  } finally {
    closeSync(home.fd);
  }
});

// The whole picture, as `multus sriov list` shows it.
cardTest('takeInventory() has each VF where it is, with its driver', 4, async (card) => {
  const { pf, socket } = card;
  await card.set(1, { vlan: 210, qos: 2 });
  for (const vf of [2, 3]) writeFileSync(pciFile(pf.vf(vf), 'driver/unbind'), pf.vf(vf));
  writeFileSync(pciFile(pf.vf(2), 'driver_override'), 'vfio-pci');
  writeFileSync('/sys/bus/pci/drivers_probe', pf.vf(2));
  await withNetns(async (netns, fd) => {
    await native().moveLink(socket, (await native().getLink(socket, linkOf(pf.vf(1)))).index, fd, 'net1');
    const { pfs, problems } = await takeInventory();
    assert.equal(problems, []);
    assert.is(pfs.length, 1);
    const [found] = pfs;
    assert.is(found?.name, pf.link);
    assert.is(found?.device?.address, pf.address);
    assert.is(found?.device?.driver, 'igb');
    assert.is(found?.device?.totalVfs, 7);
    assert.is(found?.numVfs, 4);
    assert.is(found?.isSwitchdev, false);
    const seen = found?.vfs.map(({ device, places, reported }) => ({
      address: device?.address,
      driver: device?.driver,
      places: places.map(({ netns: { path, isHost }, link }) => [isHost ? 'host' : path, link.name]),
      vlan: reported?.vlan,
    }));
    const untouched = { driver: 'igbvf', vlan: 0 };
    assert.equal(seen, [
      { ...untouched, address: pf.vf(0), places: [['host', linkOf(pf.vf(0))]] },
      { ...untouched, address: pf.vf(1), places: [[netns.path, 'net1']], vlan: 210 },
      { ...untouched, address: pf.vf(2), driver: 'vfio-pci', places: [] },
      { ...untouched, address: pf.vf(3), driver: '', places: [] },
    ]);
  });
});

test.run();
