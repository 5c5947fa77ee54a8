import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { NativeVf } from '../../../src/node/native.ts';
import type { VfSettings } from '../../../src/pod/vf-settings.ts';
import type { VfReport } from '../../../src/sriov/ask-vf.ts';
import { notReset, settingsToRestore, unseenVf, vfBefore } from '../../../src/sriov/vf-before.ts';
import { fakeDevice, fakePf, fakeVf, SILENT_VF } from '../../fakes/fake-vf.ts';

const reportOf = (vf: Partial<NativeVf>, driver = 'igb'): VfReport => {
  const reported = fakeVf(vf);
  return { device: fakeDevice(), pf: fakePf([reported], { driver }), reported, problem: '' };
};

/** Settings that are told after a VF that was like `before` is like `after`. */
function told(before: Partial<NativeVf>, after: Partial<NativeVf>, asked: VfSettings = {}, driver = 'igb'): string[] {
  const found = notReset(vfBefore(reportOf(before, driver), ['v3']), asked, reportOf(after, driver));
  return found.map(({ message }) => message);
}

test('a VF that came back as it was is not told of', () => {
  const dirty = { vlan: 5, qos: 1, vlanProtocol: 0x88a8, spoofCheck: false, trust: true, linkState: 2, maxTxRate: 9 };
  assert.equal(told({}, {}), []);
  assert.equal(told(dirty, dirty), [], 'it was so already');
});

test('every setting that the container leaves on it is told: the next one gets the VF with it', () => {
  const left = { vlan: 210, spoofCheck: false, trust: true, linkState: 1, minTxRate: 1, maxTxRate: 100 };
  assert.equal(told({}, left), [
    'must have VLAN none, it has 210',
    'must have spoof check on, it has off',
    'must have trust off, it has on',
    'must have link state auto, it has enable',
    'must have minimum rate none, it has 1 Mbit/s',
    'must have maximum rate none, it has 100 Mbit/s',
  ]);
  assert.equal(told({ vlan: 5 }, { vlan: 5, qos: 3 }), ['must have QoS 0, it has 3']);
});

// After each orderly DEL by sriov-cni the PF shows the VF's own address: every pod would be told to leak.
test("the PF's address for the VF is told only when it is the pod's", () => {
  const own = { mac: '02:00:00:00:00:77' };
  const pods = { mac: '02:00:00:00:00:10' };
  assert.equal(told({}, own, pods), []);
  assert.equal(told({}, pods), [], 'nobody asked for it');
  assert.equal(told({}, pods, pods), ['must have MAC 00:00:00:00:00:00, it has 02:00:00:00:00:10']);
  assert.equal(told(pods, pods, pods), [], 'it had it before');
});

test('what the driver did not report, or does not now, is not judged', () => {
  assert.equal(told(SILENT_VF, { vlan: 210, trust: true }), []);
  assert.equal(told({ trust: true }, SILENT_VF), []);
  const lost = { ...reportOf({}), reported: undefined };
  assert.equal(notReset(vfBefore(reportOf({}), []), {}, lost), []);
});

test("mlx4's 4095 and no VLAN are the same", () => {
  assert.equal(told({ vlan: 4095 }, { vlan: 0 }, {}, 'mlx4_core'), []);
  assert.equal(told({ vlan: 0 }, { vlan: 4095 }, {}, 'mlx4_core'), []);
});

test('of a VF that the plugin chose only the VLAN that was asked for is certain to be wrong afterwards', () => {
  const before = unseenVf(fakeDevice(), { vlan: 210, trust: true });
  assert.equal(
    notReset(before, {}, reportOf({ vlan: 210, trust: true })).map(({ setting }) => setting),
    ['vlan'],
  );
  assert.equal(unseenVf(fakeDevice(), {}).settings, {});
  assert.is(before.hostName, undefined);
});

// `ip link set ... vf 3 vlan 5` alone would clear the QoS.
test('what is mended together is restored together, and nothing else', () => {
  const before = { vlan: 5, qos: 2, protocol: '802.1ad', trust: false, spoofCheck: true } as const;
  const checks = notReset(vfBefore(reportOf({ vlan: 5, qos: 2, vlanProtocol: 0x88a8 }), []), {}, reportOf({ vlan: 5 }));
  assert.equal(settingsToRestore(before, checks), { vlan: 5, qos: 2, protocol: '802.1ad' });
});

test.run();
