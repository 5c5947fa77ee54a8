import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DelegateLink } from '../../../src/attach/journal-record.ts';
import { type SettledLink, settleLink } from '../../../src/attach/settle-link.ts';
import { type CniResult, emptyResult } from '../../../src/cni/result.ts';
import type { NativeSnapshot } from '../../../src/node/native.ts';
import type { VerifyModes } from '../../../src/pod/multus-config.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { FakeNetns, fakeAddress, fakeLink } from '../../fakes/fake-netns.ts';
import { FakeVfs, fakeDevice, fakeVf, VF_ADDRESS } from '../../fakes/fake-vf.ts';
import { laterRefusal } from '../cni/refusal.ts';
import { anAttachment } from './records.ts';

const ENFORCE: VerifyModes = {
  link: 'enforce',
  name: 'enforce',
  mac: 'enforce',
  mtu: 'enforce',
  addresses: 'enforce',
  routes: 'enforce',
  vlan: 'enforce',
  inheritedVlan: 'enforce',
  vf: 'enforce',
};

const LO = fakeLink(1, 'lo', { kind: '', mac: '00:00:00:00:00:00' });
const ETH0 = fakeLink(2, 'eth0');

/** A pod with loopback and its default interface, and what else is in it after the delegate ran. */
function podWith(...links: NativeSnapshot['links']): FakeNetns {
  return new FakeNetns({ links: structuredClone([LO, ETH0, ...links]) });
}

const claim = (name: string, more: Partial<CniResult> = {}): CniResult => ({
  ...emptyResult('1.0.0'),
  interfaces: [{ name: 'veth9' }, { name, sandbox: '/run/netns/x' }],
  ...more,
});

const BEFORE = new Set([LO.index, ETH0.index]);

async function settle(
  netns: FakeNetns,
  result: CniResult,
  modes: Partial<VerifyModes> = {},
): Promise<Omit<SettledLink, 'links'> & { link: DelegateLink | undefined }> {
  let link: DelegateLink | undefined;
  const { links: _, ...settled } = await settleLink(netns.asNetns, anAttachment(), result, {
    before: BEFORE,
    modes: { ...ENFORCE, ...modes },
    log: new FakeLog(),
    onLink: (found) => {
      link = found;
    },
  });
  return { ...settled, link };
}

test('an interface that is not in the pod fails the ADD: the pod would start without its network', async () => {
  assert.equal(await laterRefusal(() => settle(podWith(), claim('net1'))), {
    code: 102,
    message:
      'Network "prod/data" (plugin macvlan) is not as its plugin reports: interface "net1" must be in the pod, ' +
      'it is not; no new link is in the pod',
    details:
      'look at the plugin and its configuration; to accept it set "verify": {"link": "warn"} in the multus configuration',
  });
});

test('says which links came instead', async () => {
  const pod = podWith(fakeLink(7, 'macv0'), fakeLink(8, 'macv1'));
  const { message } = await laterRefusal(() => settle(pod, claim('data')));
  assert.match(
    message,
    'interface "net1" (reported as "data") must be in the pod, it is not; new links in the pod are: macv0, macv1',
  );
  assert.equal(pod.changes, [], 'a link that nobody reported is not touched');
});

test('never renames an interface that was there before: the default network would be gone', async () => {
  const pod = podWith();
  const { code, message } = await laterRefusal(() => settle(pod, claim('eth0')));
  assert.is(code, 102);
  assert.match(message, 'interface "net1" (reported as "eth0", which was there before) must be in the pod, it is not');
  assert.equal(pod.changes, []);
});

test('a result without interfaces but with addresses still claims one', async () => {
  const result = { ...emptyResult('0.2.0'), ips: [{ address: '10.0.0.5/24' }] };
  assert.is((await laterRefusal(() => settle(podWith(), result))).code, 102);
});

test('a name that cannot be given fails the ADD and says why', async () => {
  const pod = podWith(fakeLink(7, 'macv0'));
  pod.failure = new Error('RTM_SETLINK: EEXIST');
  const { code, message, details } = await laterRefusal(() => settle(pod, claim('macv0')));
  assert.is(code, 102);
  assert.match(message, 'interface "macv0" must be named "net1" and cannot be renamed: RTM_SETLINK: EEXIST');
  assert.match(
    details,
    'see why the name is taken with "ip link" in the pod; to accept it set "verify": {"name": "warn"}',
  );
});

test('a fact that differs fails the ADD where it is enforced, naming fact, expected and found value', async () => {
  const pod = podWith(fakeLink(7, 'net1', { mac: '02:00:00:00:00:aa' }));
  const interfaces = [{ name: 'net1', sandbox: '/x', mac: '02:00:00:00:00:01' }];
  assert.equal(await laterRefusal(() => settle(pod, claim('net1', { interfaces }))), {
    code: 102,
    message:
      'Network "prod/data" (plugin macvlan) is not as its plugin reports: interface "net1" must have MAC ' +
      '02:00:00:00:00:01 as reported, it has 02:00:00:00:00:aa',
    details:
      'look at the plugin, or at what changed the link after it; to accept it set "verify": {"mac": "warn"} in the ' +
      'multus configuration',
  });
});

test("a pod's own MAC and addresses are compared as well as the reported ones", async () => {
  const pod = podWith(fakeLink(7, 'net1'));
  const wanted = anAttachment({ requestedMac: '02:00:00:00:00:01', requestedIps: ['10.0.0.9'] });
  const modes: VerifyModes = { ...ENFORCE, mac: 'warn', addresses: 'warn' };
  const { warnings } = await settleLink(pod.asNetns, wanted, claim('net1'), {
    before: BEFORE,
    modes,
    log: new FakeLog(),
  });
  assert.equal(warnings, [
    'interface "net1" must have the requested MAC 02:00:00:00:00:01, it has 02:00:00:00:00:07',
    'interface "net1" must have the requested address 10.0.0.9, it has no address',
  ]);
});

test('warns where told to warn, forgets where told to forget, and lets the pod start', async () => {
  const result = claim('net1', { ips: [{ address: '10.0.0.5/24', interface: 1 }], routes: [{ dst: '0.0.0.0/0' }] });
  const modes = { addresses: 'warn', routes: 'off' } as const;
  const { warnings, link } = await settle(podWith(fakeLink(7, 'net1')), result, modes);
  assert.equal(warnings, ['interface "net1" must have address 10.0.0.5/24 as reported, it has no address']);
  assert.equal(link, { index: 7, mac: '02:00:00:00:00:07', delegateName: 'net1' });

  const missing = await settle(podWith(), claim('net1'), { link: 'warn' });
  assert.is(missing.link, undefined);
  assert.match(missing.warnings[0] ?? '', 'interface "net1" must be in the pod, it is not');
  assert.equal((await settle(podWith(), claim('net1'), { link: 'off' })).warnings, []);
});

test('renames the link that the plugin made under another name, and corrects the result', async () => {
  const pod = podWith(fakeLink(7, 'macv0'));
  pod.snapshotValue.addresses.push(fakeAddress(7, '10.0.0.5', 24));
  const claimed = claim('macv0', { ips: [{ address: '10.0.0.5/24', interface: 1 }] });
  const { result, link, warnings } = await settle(pod, claimed);
  assert.equal(pod.changes, ['rename 7 net1']);
  assert.equal(result, { ...claimed, interfaces: [{ name: 'veth9' }, { name: 'net1', sandbox: '/run/netns/x' }] });
  assert.equal(link, { index: 7, mac: '02:00:00:00:00:07', delegateName: 'macv0' });
  assert.equal(warnings, ['the plugin named the interface "macv0" instead of "net1"; it was renamed']);
  assert.is(claimed.interfaces[1]?.name, 'macv0', "the plugin's own result stays as it was");
});

test('compares what is there after the rename: a kernel that took the link down dropped its addresses', async () => {
  const pod = podWith(fakeLink(7, 'macv0'));
  pod.snapshotValue.addresses.push(fakeAddress(7, 'fd00::5', 64));
  const rename = pod.rename.bind(pod);
  pod.rename = async (index, name) => {
    pod.snapshotValue.addresses.length = 0;
    return rename(index, name);
  };
  const claimed = claim('macv0', { ips: [{ address: 'fd00::5/64' }] });
  assert.match((await laterRefusal(() => settle(pod, claimed))).message, 'must have address fd00::5/64 as reported');
});

// Its DEL would look for the name that it knows, and the renamed link would stay.
test('tells of the renamed link also when what it claims of it is wrong', async () => {
  const links: DelegateLink[] = [];
  const claimed = claim('macv0', { interfaces: [{ name: 'macv0', sandbox: '/x', mac: '02:00:00:00:00:01' }] });
  const settling = settleLink(podWith(fakeLink(7, 'macv0')).asNetns, anAttachment(), claimed, {
    before: BEFORE,
    modes: ENFORCE,
    log: new FakeLog(),
    onLink: (found) => links.push(found),
  });
  assert.is((await laterRefusal(() => settling)).code, 102);
  assert.equal(links, [{ index: 7, mac: '02:00:00:00:00:07', delegateName: 'macv0' }]);
});

test('leaves another name alone where names are not verified, and keeps it in the result', async () => {
  const pod = podWith(fakeLink(7, 'macv0'));
  const { result, link, warnings } = await settle(pod, claim('macv0'), { name: 'off' });
  assert.equal(pod.changes, []);
  assert.is(result.interfaces[1]?.name, 'macv0');
  assert.is(link?.index, 7);
  assert.equal(warnings, []);
});

test('goes on with the wrong name where a failed rename is only warned of', async () => {
  const pod = podWith(fakeLink(7, 'macv0'));
  pod.failure = new Error('EBUSY');
  const { result, link, warnings } = await settle(pod, claim('macv0'), { name: 'warn' });
  assert.is(result.interfaces[1]?.name, 'macv0');
  assert.equal(link, { index: 7, mac: '02:00:00:00:00:07', delegateName: 'macv0' });
  assert.equal(warnings, ['interface "macv0" must be named "net1" and cannot be renamed: EBUSY']);
});

test("the result has the kernel's name, MAC and MTU where the plugin is only warned of: who reads it gets the truth", async () => {
  const pod = podWith(fakeLink(7, 'net1', { mtu: 1400 }));
  const own = { name: 'wrong0', sandbox: '/x', mac: '02:00:00:00:00:AA', mtu: 9000, pciID: '0000:01:00.0' };
  const further = { name: 'net1x', sandbox: '/x', mac: '02:00:00:00:00:BB' };
  const claimed = claim('', { interfaces: [{ name: 'veth9', mac: '02:00:00:00:00:CC' }, own, further] });
  const { result, warnings } = await settle(pod, claimed, { mac: 'warn', mtu: 'warn' });
  assert.equal(result.interfaces, [
    { name: 'veth9', mac: '02:00:00:00:00:CC' },
    { name: 'net1', sandbox: '/x', mac: '02:00:00:00:00:07', mtu: 1400, pciID: '0000:01:00.0' },
    further,
  ]);
  assert.equal(warnings, [
    'interface "net1" must have MAC 02:00:00:00:00:aa as reported, it has 02:00:00:00:00:07',
    'interface "net1" must have MTU 9000 as reported, it has 1400',
    'interface "net1x", which the plugin reports as well, is not in the pod',
  ]);
});

// A second interface in the result must not be compared with the link of the first.
test('compares the renamed interface, not another one of the result', async () => {
  const pod = podWith(fakeLink(7, 'macv0'), fakeLink(8, 'side0'));
  const interfaces = [
    { name: 'macv0', sandbox: '/x', mac: '02:00:00:00:00:07' },
    { name: 'side0', sandbox: '/x', mac: '02:00:00:00:00:08' },
  ];
  const { result, warnings } = await settle(pod, claim('', { interfaces }));
  assert.equal(
    result.interfaces.map(({ name }) => name),
    ['net1', 'side0'],
  );
  assert.equal(warnings, ['the plugin named the interface "macv0" instead of "net1"; it was renamed']);
});

// The next network's name must be free among them: it would take over an interface that is there.
test('hands on the links that the pod has now, under their names of now', async () => {
  const pod = podWith(fakeLink(7, 'macv0'));
  const options = { before: BEFORE, modes: ENFORCE, log: new FakeLog() };
  const { links } = await settleLink(pod.asNetns, anAttachment(), claim('macv0'), options);
  assert.equal(
    links?.map(({ name }) => name),
    ['lo', 'eth0', 'net1'],
  );
  const without = await settleLink(pod.asNetns, anAttachment(), { ...claim('net1'), interfaces: [] }, options);
  assert.is(without.links, undefined);
});

test('asks nothing of the pod when the result claims no interface', async () => {
  const pod = podWith();
  pod.snapshot = () => assert.unreachable('the pod must not be asked') as never;
  const result = emptyResult('1.0.0');
  assert.equal(await settle(pod, result), { result, link: undefined, warnings: [] });
});

test('finds the link where all is as claimed, and has nothing to say', async () => {
  const result = claim('net1');
  assert.equal(await settle(podWith(fakeLink(7, 'net1')), result), {
    result,
    link: { index: 7, mac: '02:00:00:00:00:07', delegateName: 'net1' },
    warnings: [],
  });
});

// sriov-cni reports an interface for VFs of DPDK programs as well: no such pod would ever start.
test('a VF that a program drives has no interface in the pod', async () => {
  const stdin = JSON.stringify({ name: 'data', type: 'sriov', deviceID: VF_ADDRESS, vlan: 210 });
  const attachment = anAttachment({ steps: [{ type: 'sriov', stdin }] });
  const settleWith = (driver: string) => {
    const questions = new FakeVfs(fakeVf({ vlan: 210 }));
    questions.device = fakeDevice({ driver });
    const options = { before: BEFORE, modes: ENFORCE, log: new FakeLog(), questions };
    return settleLink(podWith().asNetns, attachment, claim('net1'), options);
  };
  for (const driver of ['vfio-pci', 'mlx5_vfio_pci', 'uio_pci_generic']) {
    assert.equal((await settleWith(driver)).warnings, [], driver);
  }
  assert.match((await laterRefusal(() => settleWith('igbvf'))).message, 'interface "net1" must be in the pod');
});

test.run();
