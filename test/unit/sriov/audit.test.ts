// What `multus sriov verify` says of a node, check by check: a verdict that is wrong sends an operator to the wrong place,
// one that is missing leaves a pod in somebody else's network.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { audit, withProblems } from '../../../src/sriov/audit.ts';
import type { AuditReport, Selection } from '../../../src/sriov/audit-report.ts';
import type { Check, PfState, VfClaim, VfState } from '../../../src/sriov/model.ts';
import { checksOf, exitCodeOf, isRemarkable } from '../../../src/sriov/verdict.ts';
import {
  fakeClaim,
  fakeFiles,
  fakeInventory,
  fakeLink,
  fakePf,
  HOST,
  idleVf,
  OTHER_POD,
  POD,
  podVf,
  vfAddress,
  vfMac,
} from '../../fakes/fake-inventory.ts';

const NODE: Selection = { kind: 'node' };

function reportOf(vfs: VfState[], claims: VfClaim[] = [], pf: Partial<PfState> = {}): AuditReport {
  return audit(fakeInventory([fakePf(vfs, pf)]), claims, NODE);
}

/** "fail vlan" of everything that is not as it should be. */
function remarks(report: AuditReport): string[] {
  return checksOf(report)
    .filter(isRemarkable)
    .map(({ status, id }) => `${status} ${id}`);
}

function find(report: AuditReport, id: string): Check {
  const found = checksOf(report).find((check) => check.id === id && isRemarkable(check));
  if (found === undefined) throw new Error(`no remark ${id} among ${remarks(report).join(', ')}`);
  return found;
}

test('a node where all is right passes: idle VFs, and one in a pod by all who know of it', () => {
  const claims = [...fakeFiles(1, { settings: { vlan: 210 } }), fakeClaim(1, { settings: { vlan: 210 } })];
  const report = reportOf([idleVf(0), podVf(1, { vlan: 210, mac: vfMac(1) })], claims);
  assert.equal(remarks(report), []);
  assert.is(exitCodeOf(report), 0);
});

// The five ways in which sriov-cni leaves VFs behind.
test('leak 1: a VLAN that a failed ADD left on an idle VF is found, with the command that takes it off', () => {
  const report = reportOf([idleVf(0), idleVf(1, { vlan: 211 })]);
  assert.equal(remarks(report), ['warn leftover']);
  const { message, expected, actual, fix } = find(report, 'leftover');
  assert.match(message, 'has vlan 211 from before; a container that asks for no VLAN would be in this one');
  assert.equal([expected, actual], ['vlan 0', 'vlan 211']);
  assert.is(fix?.command, 'ip link set eth1 vf 1 vlan 0');
  assert.is(fix?.action?.kind, 'set-vf');
  assert.is(exitCodeOf(report), 0);
  assert.is(exitCodeOf(report, { strict: true }), 1);
});

test('leak 2: a pod that asked for no VLAN and is in one is warned of', () => {
  const report = reportOf([podVf(0, { vlan: 211 })], [...fakeFiles(0), fakeClaim(0)]);
  assert.equal(remarks(report), ['warn inherited-vlan']);
  const { message, fix, source } = find(report, 'inherited-vlan');
  assert.match(message, 'has VLAN 211 from before');
  assert.is(source, 'journal /var/lib/cni/multus/c1');
  assert.equal(fix, { command: 'ip link set eth1 vf 0 vlan 0', action: undefined });
});

test('leak 3: the file that a DEL without a namespace leaves is found, while the VF is in the pod and when it is back', () => {
  const [file] = fakeFiles(0) as [VfClaim];
  const inside = reportOf([podVf(0, { vlan: 212 })], [file]);
  assert.equal(remarks(inside), ['fail pci-file']);
  assert.match(find(inside, 'pci-file').message, 'no DEL will take it back');
  assert.is(
    find(inside, 'pci-file').fix?.command,
    'nsenter --net=/run/netns/cni-a ip link set net1 netns 1 name eth1v0',
  );
  const back = reportOf([idleVf(0, { vlan: 212 })], [file]);
  assert.equal(remarks(back), ['warn leftover', 'fail pci-file']);
  assert.match(find(back, 'pci-file').message, 'sriov-cni refuses to give it out');
  assert.is(find(back, 'pci-file').fix?.command, `rm /var/lib/cni/sriov/pci/${vfAddress(0)}`);
});

test('leak 4: a VF that came back by itself under a wrong name is found, and the file of its namespace', () => {
  const [file] = fakeFiles(0, { netns: undefined }) as [VfClaim];
  for (const name of ['dev6', 'net1']) {
    const report = reportOf([podVf(0, {}, { netns: HOST, name })], [file]);
    assert.equal(remarks(report), ['warn host-name', 'warn pci-file'], name);
    assert.is(find(report, 'host-name').fix?.command, `ip link set ${name} name eth1v0`);
    assert.match(find(report, 'pci-file').message, 'which is gone; the next ADD writes the file anew');
    assert.is(find(report, 'pci-file').fix?.action?.kind, 'remove-file');
  }
});

test('leak 4: the file of a namespace by process ID keeps the VF from all pods once another program has that', () => {
  const [file] = fakeFiles(0, { netns: undefined, netnsPath: '/proc/4711/ns/net' }) as [VfClaim];
  const { message } = find(reportOf([idleVf(0)], [file]), 'pci-file');
  assert.match(message, 'unless the process ID is another program’s by now');
});

test('leak 5: a VF renamed inside its pod is found by the journal, and by the file that is left', () => {
  const vf = podVf(0, {}, { name: 'data0' });
  const running = reportOf([vf], [...fakeFiles(0), fakeClaim(0)]);
  assert.equal(remarks(running), ['fail netdev']);
  const { message, fix } = find(running, 'netdev');
  assert.is(message, 'must be net1 in /run/netns/cni-a, it is there as data0');
  assert.is(fix?.command, 'nsenter --net=/run/netns/cni-a ip link set data0 name net1');
  const [file] = fakeFiles(0) as [VfClaim];
  assert.equal(remarks(reportOf([vf], [file])), ['fail pci-file']);
  const ended = reportOf([vf], [{ ...file, isEnded: true }]);
  assert.equal(remarks(ended), ['fail netdev', 'fail pci-file']);
  assert.is(find(ended, 'netdev').fix?.action?.kind, 'move-to-host');
});

test('vf-exists: an index beyond the count, a missing device, a wrong way back, a wrong address fail', () => {
  const beyond = reportOf([idleVf(0), idleVf(1)], [], { numVfs: 1 });
  assert.match(find(beyond, 'vf-exists').message, 'is VF 1, but the PF has 1 VFs');
  const device = { index: 1, address: vfAddress(1), driver: 'igbvf', physfn: '0000:01:00.0' };
  const missing = reportOf([idleVf(0), idleVf(1, {}, { device: undefined, places: [] })]);
  assert.match(find(missing, 'vf-exists').message, '0000:01:00.0 has no "virtfn1"');
  const stray = reportOf([idleVf(1, {}, { device: { ...device, physfn: '' } }), idleVf(0)]);
  assert.match(find(stray, 'vf-exists').message, 'must lead back to its PF 0000:01:00.0 ("physfn"), it leads to ""');
  const moved = reportOf([idleVf(0), idleVf(1, {}, { device: { ...device, address: '0000:01:10.4' } })]);
  assert.match(find(moved, 'vf-exists').message, 'must be at 0000:01:10.2 by the offset and stride of its PF');
});

test('vf-exists: an address on the next bus is where offset and stride put it', () => {
  const device = { index: 64, address: '0000:02:00.0', driver: 'igbvf', physfn: '0000:01:00.0' };
  const { items } = reportOf([idleVf(64, {}, { device })], [], { numVfs: 65 });
  assert.is(items[0]?.checks[0]?.status, 'pass');
});

test('driver: a VF of a pod needs one, an idle VF does not', () => {
  const device = { index: 0, address: vfAddress(0), driver: '', physfn: '0000:01:00.0' };
  assert.equal(remarks(reportOf([idleVf(0, {}, { device, places: [] })])), []);
  const report = reportOf([idleVf(0, {}, { device, places: [] })], fakeFiles(0));
  assert.equal(remarks(report), ['fail driver']);
  assert.match(find(report, 'driver').fix?.command ?? '', 'drivers_probe');
});

test('netdev: nothing is looked for where a user-space driver has the VF, or the bus has no devices of VFs', () => {
  const device = { index: 0, address: vfAddress(0), driver: 'vfio-pci', physfn: '0000:01:00.0' };
  for (const driver of ['vfio-pci', 'mlx5_vfio_pci', 'igb_uio']) {
    const vf = idleVf(0, {}, { device: { ...device, driver }, places: [] });
    assert.equal(remarks(reportOf([vf], fakeFiles(0))), [], driver);
  }
  const simulated = idleVf(0, {}, { device: undefined, places: [] });
  const pf = {
    name: 'eth1',
    device: { ...device, totalVfs: undefined, numVfs: 1, offset: undefined, stride: undefined, vfs: [] },
  };
  assert.equal(remarks(reportOf([simulated], [], pf)), []);
});

test('netdev: a VF that no namespace has fails for a pod, and is unknown where not all could be looked into', () => {
  const gone = idleVf(0, {}, { places: [] });
  assert.equal(remarks(reportOf([gone])), ['warn netdev']);
  assert.equal(remarks(reportOf([gone], fakeFiles(0))), ['fail netdev']);
  const problems = ['Cannot look at /proc/9/ns/net: permission denied'];
  const report = audit(fakeInventory([fakePf([gone])], { problems }), fakeFiles(0), NODE);
  assert.equal(remarks(report), ['unknown netdev', 'unknown namespaces']);
  assert.is(exitCodeOf(report), 3);
});

test('netdev: a VF in the wrong pod, or on the host while a pod is to have it, fails', () => {
  const claims = [...fakeFiles(0), fakeClaim(0)];
  const elsewhere = reportOf([podVf(0, {}, { netns: OTHER_POD })], claims);
  assert.equal(remarks(elsewhere), ['fail netdev', 'fail pci-file']);
  assert.is(find(elsewhere, 'netdev').message, 'must be net1 in /run/netns/cni-a, it is net1 in /run/netns/cni-b');
  assert.match(find(reportOf([idleVf(0)], claims), 'netdev').message, "it is eth1v0 in the host's namespace");
});

test('netdev: a VF in a namespace of which nobody wrote anything down is warned of', () => {
  const report = reportOf([podVf(0)]);
  assert.equal(remarks(report), ['warn netdev']);
  assert.is(find(report, 'netdev').fix?.action, undefined);
});

test('netdev: VFs are at home where their PF was moved with them', () => {
  const place = { netns: POD, link: fakeLink('eth1', { index: 3 }) };
  assert.equal(remarks(reportOf([podVf(0, {}, { name: 'eth1v0' })], [], { place })), []);
});

test('carrier: a pod whose interface is down or without carrier is warned of, with the PF when that is the reason', () => {
  const claims = [...fakeFiles(0), fakeClaim(0)];
  const down = reportOf([podVf(0, {}, { up: false, flags: 0 })], claims);
  assert.match(find(down, 'carrier').message, 'net1 in /run/netns/cni-a is down');
  const place = { netns: HOST, link: fakeLink('eth1', { up: false, flags: 0 }) };
  const cut = reportOf([podVf(0, {}, { flags: 1 })], claims, { place });
  assert.match(find(cut, 'carrier').message, 'is up, without carrier; its PF eth1 is down');
});

test('host-name: a name that somebody else has taken on the host is told before the VF comes back', () => {
  const inventory = fakeInventory([fakePf([podVf(0)])]);
  inventory.namespaces[0]?.links.push(fakeLink('other', { index: 40, altNames: ['eth1v0'] }));
  const report = audit(inventory, [...fakeFiles(0), fakeClaim(0)], NODE);
  assert.match(find(report, 'host-name').message, 'was eth1v0 on the host, where other is now called so');
});

test('settings: each that differs fails with whose word it is, and the command that mends it', () => {
  const settings = { vlan: 210, qos: 2, protocol: '802.1ad', spoofCheck: true, maxTxRate: 100, trust: true } as const;
  const reported = { vlan: 211, qos: 0, spoofCheck: false, maxTxRate: 0, minTxRate: 5 };
  const report = reportOf([podVf(0, reported)], [...fakeFiles(0), fakeClaim(0, { settings })]);
  const fails = checksOf(report).filter(({ status }) => status === 'fail');
  assert.equal(
    fails.map(({ id, fix }) => [id, fix?.command.replace('ip link set eth1 vf 0 ', '')]),
    [
      ['vlan', 'vlan 210 qos 2 proto 802.1ad'],
      ['qos', 'vlan 210 qos 2 proto 802.1ad'],
      ['protocol', 'vlan 210 qos 2 proto 802.1ad'],
      ['spoof-check', 'spoofchk on'],
      ['trust', 'trust on'],
      ['max-tx-rate', 'max_tx_rate 100 min_tx_rate 5'],
    ],
  );
  assert.ok(fails.every(({ source, fix }) => source.startsWith('journal') && fix?.action === undefined));
});

test('settings: the last word counts, a whole configuration silences those before it, --expect changes single settings', () => {
  const cached = fakeFiles(0, { settings: { vlan: 210, trust: true } });
  const now = fakeClaim(0, { source: 'definition', origin: 'network "default/north"', settings: { vlan: 220 } });
  const flags = fakeClaim(0, {
    source: 'expect',
    origin: '--expect',
    address: '',
    containerId: '',
    settings: { qos: 3 },
  });
  const report = reportOf([podVf(0, { vlan: 210, trust: true })], [...cached, now, flags]);
  assert.equal(remarks(report), ['fail vlan', 'fail qos', 'warn cached-settings']);
  assert.match(
    find(report, 'vlan').message,
    'that is what sriov-cni set, and network "default/north" says otherwise now',
  );
  const { expectation } = report.items[0] ?? {};
  assert.equal(expectation?.settings, { vlan: 220, qos: 3 });
  assert.equal(expectation?.sources, { vlan: 'network "default/north"', qos: '--expect' });
  assert.equal(expectation?.cached, { vlan: 210, trust: true });
});

test('settings: --expect is asked of idle VFs, too, and what is asked for is no leftover', () => {
  const flags = fakeClaim(0, {
    source: 'expect',
    origin: '--expect',
    address: '',
    containerId: '',
    settings: { vlan: 5 },
  });
  assert.equal(remarks(reportOf([idleVf(0, { vlan: 5 }), idleVf(1)], [flags])), ['fail vlan']);
});

test('settings: nothing is said of them while nobody asks for any', () => {
  const [file] = fakeFiles(0) as [VfClaim];
  const cache = { ...file, source: 'sriov-cache' as const };
  const ids = reportOf([podVf(0, { vlan: 5 })], [file, cache]).items[0]?.checks.map(({ id }) => id);
  assert.not.ok(ids?.includes('inherited-vlan'));
});

test('settings: a PF in switchdev mode leaves the VLAN unknown, and the representor is named', () => {
  const inventory = fakeInventory([fakePf([podVf(0)], { isSwitchdev: true })]);
  inventory.namespaces[0]?.links.push(
    fakeLink('eth2_0', { portName: 'pf1vf0', parentDevice: '0000:01:00.1' }), // of the other port, in one bond
    fakeLink('host_0', { portName: 'c1pf0vf0' }),
    fakeLink('eth1_0', { portName: 'pf0vf0' }),
    fakeLink('eth1_1', { portName: 'pf0vf10' }),
  );
  const report = audit(inventory, [...fakeFiles(0), fakeClaim(0, { settings: { vlan: 5 } })], NODE);
  assert.equal(remarks(report), ['unknown vlan', 'warn cached-settings']);
  assert.match(find(report, 'vlan').message, '(it is eth1_0)');
});

test('effective-mac: a pod that sends with another MAC fails, and is only warned of without spoof check', () => {
  const claims = [...fakeFiles(0), fakeClaim(0)];
  const wrong = reportOf([podVf(0, { mac: '02:00:00:00:00:99' })], claims);
  assert.equal(remarks(wrong), ['fail effective-mac']);
  const open = reportOf([podVf(0, { mac: '02:00:00:00:00:99', spoofCheck: false })], claims);
  assert.equal(remarks(open), ['warn effective-mac']);
});

test('effective-mac, duplicate-mac: InfiniBand, whose VFs all show the MAC of the PF, is left alone', () => {
  const guid = { mac: '02:00:00:00:00:99', nodeGuid: '00:01', portGuid: '00:02' };
  assert.equal(remarks(reportOf([podVf(0, guid), idleVf(1, guid)], [...fakeFiles(0), fakeClaim(0)])), []);
});

test('duplicate-mac: two VFs of a PF with one MAC fail in one VLAN, not in two', () => {
  const leaked = { mac: vfMac(0) };
  const claims = [...fakeFiles(0), fakeClaim(0)];
  const report = reportOf([podVf(0), idleVf(1, leaked)], claims);
  assert.equal(remarks(report), ['fail duplicate-mac', 'warn duplicate-mac', 'warn leftover']);
  assert.match(find(report, 'duplicate-mac').message, 'has the same MAC and VLAN as VF 1 of its PF');
  const apart = reportOf([podVf(0), idleVf(1, { ...leaked, vlan: 5 })], claims);
  assert.equal(remarks(apart), ['warn leftover']);
});

test('mtu: frames that the PF would drop fail', () => {
  const report = reportOf([podVf(0, {}, { mtu: 9000 })], [...fakeFiles(0), fakeClaim(0)]);
  assert.equal(remarks(report), ['fail mtu']);
  assert.match(find(report, 'mtu').message, 'which has 1500, it has 9000');
});

test('leftover: trust, rates and link state of a former pod are found together', () => {
  const report = reportOf([idleVf(0, { trust: true, maxTxRate: 100, linkState: 1 })]);
  const { fix } = find(report, 'leftover');
  assert.is(fix?.command, 'ip link set eth1 vf 0 max_tx_rate 0 min_tx_rate 0 trust off state auto');
});

test('leftover: what is found on one VF does not change what the next is compared with', () => {
  const strange = { mac: '02:00:00:00:00:99' };
  const report = reportOf([idleVf(0, strange), idleVf(1), idleVf(2, { vlan: 5, qos: 3, vlanProtocol: 0x88a8 })]);
  assert.equal(remarks(report), ['warn leftover', 'warn leftover']);
  const [, , last] = report.items;
  const actual = last?.checks.find(({ id }) => id === 'leftover')?.actual;
  assert.is(actual, 'vlan 5, qos 3, protocol 802.1ad');
});

// A virtual machine's VF has no interface anywhere: its VLAN would be taken from it while it runs.
test('leftover: a VF whose interface was found nowhere is left to the operator', () => {
  const { fix, message } = find(reportOf([idleVf(0, { vlan: 210 }, { places: [] })]), 'leftover');
  assert.match(message, 'has vlan 210: left over, unless a virtual machine or a program has it (its driver is igbvf)');
  assert.equal([fix?.command.endsWith(' vf 0 vlan 0'), fix?.action], [true, undefined]);
  assert.is(find(reportOf([idleVf(0, { vlan: 210 })]), 'leftover').fix?.action?.kind, 'set-vf');
});

// The host's own uplink would be told to leave its VLAN.
test('leftover: a VF that is in a bond, or has interfaces on it, is the host’s', () => {
  const vlans = [idleVf(0, { vlan: 5 }), idleVf(1, { vlan: 5 }), idleVf(2, { vlan: 5 })];
  const inventory = fakeInventory([fakePf(vlans)]);
  const [first, second, third] = vlans.flatMap(({ places }) => places.map(({ link }) => link));
  if (first) first.masterIndex = 40;
  if (third) third.masterIndex = 41; // of no link that is here
  inventory.namespaces[0]?.links.push(
    fakeLink('bond0', { index: 40 }),
    fakeLink('eth1v1.7', { index: 42, parentIndex: second?.index ?? 0 }),
    fakeLink('other', { index: 43, parentIndex: third?.index ?? 0, parentNsid: 3 }),
  );
  const report = audit(inventory, [], NODE);
  const found = report.items.map(({ checks }) => checks.find(({ id }) => id === 'leftover'));
  assert.equal(
    found.map((one) => one?.status),
    ['skipped', 'skipped', 'warn'],
  );
  assert.is(found[0]?.message, 'is used by the host itself: bond0');
});

test('leftover: what the VF had before counts where somebody wrote it down', () => {
  const original = { hostName: 'eth1v0', settings: { vlan: 100, spoofCheck: false, trust: false } };
  const former = fakeClaim(0, { isEnded: true, netns: undefined, original });
  assert.equal(remarks(reportOf([idleVf(0, { vlan: 100, spoofCheck: false })], [former])), []);
  const report = reportOf([idleVf(0, { vlan: 0, spoofCheck: true })], [former]);
  assert.equal(remarks(report), ['fail leftover']);
  assert.equal(find(report, 'leftover').expected, 'vlan 100, spoof-check false');
  assert.is(find(report, 'leftover').message, 'is idle, but has vlan 0, spoof-check true from before');
});

test('leftover: a MAC that is the own one of the VF is none, as drivers report it after a normal DEL', () => {
  const original = { hostName: 'eth1v0', settings: { mac: '00:00:00:00:00:00' } };
  const former = fakeClaim(0, { isEnded: true, netns: undefined, original });
  assert.equal(remarks(reportOf([idleVf(0, { mac: vfMac(0) })], [former])), []);
  assert.equal(remarks(reportOf([idleVf(0, { mac: '02:00:00:00:00:99' })], [former])), ['fail leftover']);
});

test('leftover: 4095 of an mlx4 is no VLAN, of all others it is one', () => {
  const mlx4 = fakePf([]).device;
  assert.equal(remarks(reportOf([idleVf(0, { vlan: 4095 })])), ['warn leftover']);
  const vfs = [idleVf(0, { vlan: 4095 })];
  const device = mlx4 && { ...mlx4, driver: 'mlx4_core', numVfs: 1, vfs: vfs.flatMap((vf) => vf.device ?? []) };
  assert.equal(remarks(reportOf(vfs, [], { device })), []);
});

test('double-claim: two living containers with one VF fail, naming both', () => {
  const other = fakeClaim(0, { containerId: 'c2', pod: 'default/db', origin: '/var/lib/cni/multus/c2' });
  const report = reportOf([podVf(0)], [...fakeFiles(0), fakeClaim(0), other]);
  assert.equal(remarks(report), ['fail double-claim']);
  assert.match(find(report, 'double-claim').actual, 'default/web (/var/lib/cni/multus/c1) and default/db');
});

test('cache-file: the cache of a container that is gone is found, with the settings that it should have given back', () => {
  const [, cache] = fakeFiles(0, { netns: undefined, original: { hostName: 'eth1v0', settings: { vlan: 0 } } });
  const report = reportOf([idleVf(0, { vlan: 210 })], cache === undefined ? [] : [cache]);
  assert.equal(remarks(report), ['fail leftover', 'warn cache-file']);
  assert.is(find(report, 'cache-file').fix?.command, 'rm /var/lib/cni/sriov/c1-net1');
});

test('cache-file: the cache of a container whose namespace nobody knows counts by where the VF is', () => {
  const [, cache] = fakeFiles(0, { netns: undefined, netnsPath: '' });
  const claims = cache === undefined ? [] : [cache];
  assert.equal(remarks(reportOf([podVf(0)], claims)), []);
  assert.equal(remarks(reportOf([idleVf(0)], claims)), ['warn cache-file']);
});

// sriov-cni gives addresses back by its cache alone: the DEL that is still to come would leave them.
test('cache-file: what the journal still has is left to its DEL', () => {
  const [, cache] = fakeFiles(0, { netns: undefined });
  const former = fakeClaim(0, { isEnded: true, netns: undefined, containerId: cache?.containerId ?? '' });
  const claims = cache === undefined ? [] : [cache];
  assert.is(find(reportOf([idleVf(0)], claims), 'cache-file').fix?.action?.kind, 'remove-file');
  assert.is(find(reportOf([idleVf(0)], [...claims, former]), 'cache-file').fix?.action, undefined);
});

test('claim-without-vf: a VF that was removed under its pod fails, one of a pod that is gone is warned of', () => {
  const live = reportOf([idleVf(0)], [fakeClaim(5)]);
  assert.equal(remarks(live), ['fail claim-without-vf']);
  assert.match(
    find(live, 'claim-without-vf').message,
    `must have the VF ${vfAddress(5)}: default/web has it by journal`,
  );
  const [file] = fakeFiles(5, { netns: undefined }) as [VfClaim];
  const gone = reportOf([idleVf(0)], [file]);
  assert.equal(remarks(gone), ['warn claim-without-vf']);
  assert.is(find(gone, 'claim-without-vf').fix?.command, `rm ${file.origin}`);
});

test('claims by PF and index, and by what an old plugin made in the pod, find their VF', () => {
  const byIndex = fakeClaim(0, { address: '', pf: 'eth1', vf: 1, settings: { vlan: 7 } });
  assert.equal(remarks(reportOf([idleVf(0), podVf(1)], [byIndex])), ['fail vlan']);
  const byName = fakeClaim(0, { address: '', settings: { vlan: 7 } });
  assert.equal(remarks(reportOf([idleVf(0), podVf(1)], [byName])), ['fail vlan']);
});

test('reported: a VF that the driver left out is unknown, and hides nothing of its neighbours', () => {
  const report = reportOf([idleVf(0, {}, { reported: undefined }), idleVf(1, { vlan: 5 })]);
  assert.equal(remarks(report), ['unknown reported', 'warn leftover']);
  assert.is(exitCodeOf(report), 3);
});

test('vf-list: a PF that cannot be asked, has no query, or whose list was cut is unknown once, not once for each VF', () => {
  const silent = [0, 1].map((index) => idleVf(index, {}, { reported: undefined }));
  const asked = { numVfs: 2, queryable: true, truncated: false };
  const lists: [Partial<PfState>, RegExp][] = [
    [{ list: undefined, problem: 'permission denied' }, /could not be asked for its VFs: permission denied/],
    [{ list: { ...asked, queryable: false } }, /its driver igb does not report their settings/],
    [{ list: { ...asked, truncated: true } }, /that the kernel cut/],
  ];
  for (const [pf, text] of lists) {
    const report = reportOf(silent, [], pf);
    assert.equal(remarks(report), ['unknown vf-list']);
    assert.match(find(report, 'vf-list').message, text);
    assert.is(exitCodeOf(report), 3);
  }
});

test('vf-list: netlink and sysfs that speak of different numbers fail', () => {
  const report = reportOf([idleVf(0), idleVf(1)], [], { list: { numVfs: 4, queryable: true, truncated: false } });
  assert.match(find(report, 'vf-list').message, 'has 2 VFs by the bus, but reports 4');
});

test('vf-list: a PF without VFs is none of our business, asked or not', () => {
  assert.equal(remarks(reportOf([], [], { list: undefined, place: undefined })), []);
});

test('sources: a file that says who has a VF and cannot be read leaves the node unknown', () => {
  const report = withProblems(reportOf([idleVf(0)]), ['Cannot use /var/lib/cni/sriov/x']);
  assert.equal(remarks(report), ['unknown sources']);
  assert.is(exitCodeOf(report), 3);
});

test('exitCodeOf() answers 4 before 1 before 3, and with strict 1 for all that is not well', () => {
  const failing = reportOf(
    [podVf(0), idleVf(1, {}, { reported: undefined })],
    [fakeClaim(0, { settings: { vlan: 7 } })],
  );
  assert.equal(remarks(failing), ['fail vlan', 'unknown reported']);
  assert.is(exitCodeOf(failing), 1);
  assert.is(exitCodeOf({ ...failing, notFound: 'no such VF' }), 4);
  const unknown = reportOf([idleVf(0, {}, { reported: undefined })]);
  assert.equal([exitCodeOf(unknown), exitCodeOf(unknown, { strict: true })], [3, 1]);
});

test('commands can be pasted into a shell, whatever an interface is called', () => {
  const place = { netns: POD, link: fakeLink("a'; reboot", { index: 3 }) };
  const report = reportOf([idleVf(0, { vlan: 5 })], [], { place });
  assert.is(
    find(report, 'leftover').fix?.command,
    "nsenter --net=/run/netns/cni-a ip link set 'a'\\''; reboot' vf 0 vlan 0",
  );
});

test.run();
