import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Findings } from '../../../../src/attach/findings.ts';
import type { JournalAttachment } from '../../../../src/attach/journal-record.ts';
import { verifyVf } from '../../../../src/attach/sriov/verify-vf.ts';
import { RawObject } from '../../../../src/cni/raw-json.ts';
import { type CniResult, emptyResult } from '../../../../src/cni/result.ts';
import type { NativeLink } from '../../../../src/node/native.ts';
import { parseMultusConfig, type VerifyModes } from '../../../../src/pod/multus-config.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { fakeLink } from '../../../fakes/fake-netns.ts';
import { FakeVfs, fakeVf, SILENT_VF, VF_ADDRESS } from '../../../fakes/fake-vf.ts';
import { laterRefusal } from '../../cni/refusal.ts';
import { anAttachment } from '../records.ts';

const DEFAULTS = parseMultusConfig(
  RawObject.parse(
    '{"cniVersion":"1.0.0","name":"n","type":"multus","delegates":[{"name":"d","type":"bridge"}]}',
    'test',
  ),
).verify;

/** An attachment whose plugin gets these keys. */
function attachmentOf(config: object, type = 'sriov', more: Partial<JournalAttachment> = {}): JournalAttachment {
  const stdin = JSON.stringify({ cniVersion: '1.0.0', name: 'data', type, ...config });
  return anAttachment({ source: stdin, steps: [{ type, stdin }], ...more });
}

const NET1 = fakeLink(7, 'net1', { kind: '', parentDevice: VF_ADDRESS, mac: '02:00:00:00:00:77' });
const NO_LINK = undefined;

interface Case {
  link?: NativeLink | undefined;
  result?: CniResult;
  modes?: Partial<VerifyModes>;
}

/** Warnings of an attachment on a node with this VF; @throws as ADD */
async function verify(attachment: JournalAttachment, vfs: FakeVfs, more: Case = {}): Promise<string[]> {
  const { link = NET1, result = emptyResult('1.0.0'), modes = {} } = more;
  const findings = new Findings({ ...DEFAULTS, ...modes }, attachment);
  const used = 'link' in more ? more.link : link;
  await verifyVf(attachment, result, used, findings, { log: new FakeLog(), questions: vfs });
  return findings.warnings;
}

const SRIOV = { deviceID: VF_ADDRESS };

test('a VLAN that is not the one asked for fails the ADD: the pod would be in the wrong network', async () => {
  const attachment = attachmentOf({ ...SRIOV, vlan: 210 });
  assert.equal(await laterRefusal(() => verify(attachment, new FakeVfs(fakeVf({ vlan: 211 })))), {
    code: 102,
    message:
      'Network "prod/data" (plugin sriov) is not as its configuration asks: VF 3 of enp1s0 (0000:01:10.6) must have ' +
      'VLAN 210, it has 211',
    details:
      'see "ip link show enp1s0", and who else sets its VFs; to accept it set "verify": {"vlan": "warn"} in the ' +
      'multus configuration',
  });
});

test('QoS and protocol are of the VLAN, and what else is asked for is told', async () => {
  const tagged = new FakeVfs(fakeVf({ vlan: 210 }));
  const qos = attachmentOf({ ...SRIOV, vlan: 210, vlanQoS: 3 });
  assert.match((await laterRefusal(() => verify(qos, tagged))).message, 'must have QoS 3, it has 0');
  const ad = attachmentOf({ ...SRIOV, vlan: 210, vlanProto: '802.1ad' });
  assert.match((await laterRefusal(() => verify(ad, tagged))).message, 'must have VLAN protocol 802.1ad');
  const others = attachmentOf({ ...SRIOV, vlan: 210, spoofchk: 'off', trust: 'on', max_tx_rate: 100 });
  assert.equal(await verify(others, tagged), [
    'VF 3 of enp1s0 (0000:01:10.6) must have spoof check off, it has on',
    'VF 3 of enp1s0 (0000:01:10.6) must have trust on, it has off',
    'VF 3 of enp1s0 (0000:01:10.6) must have maximum rate 100 Mbit/s, it has none',
  ]);
});

test('a VLAN that the one before has left is told, or fails the ADD where that is wanted', async () => {
  const left = new FakeVfs(fakeVf({ vlan: 211 }));
  const silent = attachmentOf(SRIOV);
  const [warning, ...others] = await verify(silent, left);
  assert.match(warning ?? '', 'VF 3 of enp1s0 (0000:01:10.6) has VLAN 211 from before');
  assert.equal(others, []);
  assert.is((await laterRefusal(() => verify(silent, left, { modes: { inheritedVlan: 'enforce' } }))).code, 102);
  assert.equal(await verify(silent, left, { modes: { inheritedVlan: 'off' } }), []);
});

test('a VF as asked for has no warning', async () => {
  const vf = fakeVf({ vlan: 210, qos: 2, mac: '02:00:00:00:00:10', trust: true });
  const config = { ...SRIOV, vlan: 210, vlanQoS: 2, spoofchk: 'on', trust: 'on', mac: '02:00:00:00:00:10' };
  assert.equal(await verify(attachmentOf(config), new FakeVfs(vf)), []);
  assert.equal(await verify(attachmentOf(SRIOV), new FakeVfs()), []);
});

// A driver that tells nothing must not keep every pod of the node from starting.
test('what cannot be told is a warning, also where the fact is enforced', async () => {
  const modes = { vlan: 'enforce', inheritedVlan: 'enforce', vf: 'enforce' } as const;
  const asks = attachmentOf({ ...SRIOV, vlan: 210, trust: 'on' });
  const silent = await verify(asks, new FakeVfs(SILENT_VF), { modes });
  assert.is(silent.length, 4, 'VLAN, QoS, protocol and trust');

  const switchdev = new FakeVfs();
  switchdev.pf = { isSwitchdev: true, driver: 'mlx5_core' };
  const [told] = await verify(attachmentOf({ ...SRIOV, vlan: 210 }), switchdev, { modes });
  assert.match(told ?? '', 'representor');

  const none = new FakeVfs(undefined);
  none.pf = { list: { numVfs: 7, queryable: false, truncated: false, vfs: [] }, driver: 'virtio-pci' };
  assert.equal(await verify(asks, none, { modes }), [
    'VF 3 of enp1s0 (0000:01:10.6) cannot be compared with what is asked of it: driver virtio-pci of its PF reports ' +
      'nothing of VFs',
  ]);
});

// Every ADD of every pod would wait for a PF that has nothing to do with it.
test('an attachment without a VF asks nothing of sysfs or netlink', async () => {
  const vfs = new FakeVfs();
  assert.equal(await verify(attachmentOf({ vlan: 5 }, 'bridge'), vfs, { link: fakeLink(7, 'net1') }), []);
  assert.equal(await verify(attachmentOf({ deviceID: 'mlx5_core.sf.2' }, 'sriov'), vfs, { link: NO_LINK }), []);
  assert.equal(vfs.asked, []);
  assert.equal(
    await verify(attachmentOf({}, 'host-device'), vfs, { link: { ...NET1, parentDevice: '0000:02:00.0' } }),
    [],
  );
  assert.equal(vfs.asked, ['find 0000:02:00.0'], 'a whole card is no VF');
});

test('with all facts of VFs off nobody asks the PF', async () => {
  const vfs = new FakeVfs(fakeVf({ vlan: 211 }));
  const modes = { vlan: 'off', inheritedVlan: 'off', vf: 'off' } as const;
  assert.equal(await verify(attachmentOf({ ...SRIOV, vlan: 210 }), vfs, { modes }), []);
  assert.not.ok(vfs.asked.some((question) => question.startsWith('ask')));
});

test('the VF is found by whoever knows it: the kernel, the configuration, the result', async () => {
  const expected = (config: object, more: Case) =>
    laterRefusal(() => verify(attachmentOf({ vlan: 210, ...config }), new FakeVfs(), more));
  const byResult = { ...emptyResult('1.1.0'), interfaces: [{ name: 'net1', sandbox: '/x', pciID: VF_ADDRESS }] };
  const cases: [object, Case][] = [
    [{}, {}],
    [{ deviceID: VF_ADDRESS }, { link: NO_LINK }],
    [{ pciBusID: VF_ADDRESS.toUpperCase() }, { link: NO_LINK }],
    [{}, { link: NO_LINK, result: byResult }],
  ];
  for (const [config, more] of cases) assert.match((await expected(config, more)).message, 'must have VLAN 210');
});

test("TencentSA's generation names the VF by its PF and index", async () => {
  const attachment = attachmentOf({ master: 'enp1s0' }, 'sriov', { args: 'IgnoreUnknown=1;VF=3;VLAN=210' });
  assert.match((await laterRefusal(() => verify(attachment, new FakeVfs(), { link: NO_LINK }))).message, 'VLAN 210');
});

test('another VF than the plugin was given is told', async () => {
  const vfs = new FakeVfs();
  const attachment = attachmentOf({ deviceID: '0000:01:10.2' });
  assert.equal(await verify(attachment, vfs), [
    'interface "net1" must be VF 0000:01:10.2, which the plugin was given, it is VF 0000:01:10.6',
  ]);
});

// OVS, bridges and others have a key `vlan` of their own: it is not the VF's, and the pod would be refused.
test('the keys of other plugins ask nothing of the VF', async () => {
  const other = attachmentOf({ ...SRIOV, vlan: 210 }, 'ovs');
  assert.equal(await verify(other, new FakeVfs(fakeVf({ vlan: 7 }))), []);
  const [told] = await verify(attachmentOf({ pciBusID: VF_ADDRESS }, 'host-device'), new FakeVfs(fakeVf({ vlan: 7 })));
  assert.match(told ?? '', 'VLAN 7 from before');
});

test('a MAC that the PF leaves to the VF is compared with the interface in the pod', async () => {
  const attachment = attachmentOf({ ...SRIOV, mac: '02:00:00:00:00:10' });
  assert.equal(await verify(attachment, new FakeVfs(), { link: { ...NET1, mac: '02:00:00:00:00:10' } }), []);
  const [told] = await verify(attachment, new FakeVfs());
  assert.match(told ?? '', 'must have MAC 02:00:00:00:00:10, it has 02:00:00:00:00:77');
  const bridged = await verify(attachment, new FakeVfs(), { link: fakeLink(9, 'net1', { mac: '02:00:00:00:00:99' }) });
  assert.match(bridged[0] ?? '', 'leaves that to its network device', 'another link is not the VF');
});

test('a sysfs that may not be read is told and fails nothing', async () => {
  const vfs = new FakeVfs();
  vfs.find = () => {
    throw new Error('EACCES: permission denied');
  };
  assert.equal(await verify(attachmentOf({ ...SRIOV, vlan: 1 }), vfs), [
    'whether it uses a VF cannot be told: EACCES: permission denied',
  ]);
});

test.run();
