import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { vfPluginOf } from '../../../../src/sriov/claims/vf-plugin.ts';

const step = (config: { type: string; [key: string]: unknown }) => ({
  type: config.type,
  stdin: JSON.stringify(config),
});
const DEVICE = { deviceID: '0000:01:10.0' };

// A bridge's VLAN would be expected of a VF.
test('vfPluginOf() finds no VF where none is', () => {
  assert.is(vfPluginOf([step({ type: 'bridge', vlan: 7 })]), undefined);
  assert.is(vfPluginOf([step({ type: 'macvlan', master: 'eth0' })]), undefined);
  assert.is(vfPluginOf([step({ type: 'vdpa', deviceID: 'vdpa3' })]), undefined);
});

// Multus and we hand the device to every plugin of a list: a chained one would be asked for the settings.
test('vfPluginOf() takes the SR-IOV plugin of a list, whatever else has the device', () => {
  const list = [
    step({ type: 'rdma', ...DEVICE }),
    step({ type: 'sriov', ...DEVICE, vlan: 210 }),
    step({ type: 'tuning' }),
  ];
  const settings = { vlan: 210, qos: 0, protocol: '802.1q' } as const;
  assert.equal(vfPluginOf(list), { address: '0000:01:10.0', pf: '', vf: undefined, settings });
});

// ovs-cni's "vlan" is a tag of the bridge; the VF behind it has none.
test('vfPluginOf() knows a VF whose plugin sets it up in a way of its own, and nothing of the settings', () => {
  assert.equal(vfPluginOf([step({ type: 'ovs', ...DEVICE, vlan: 7 })]), {
    ...{ address: '0000:01:10.0', pf: '', vf: undefined, settings: undefined },
  });
});

// A VLAN that somebody left on the VF would be none of anybody's business.
test('vfPluginOf() knows that host-device asks for nothing', () => {
  assert.equal(vfPluginOf([step({ type: 'host-device', pciBusID: '0000:01:10.2' })])?.settings, {});
  const byRuntime = step({ type: 'host-device', runtimeConfig: { deviceID: '0000:01:10.4' } });
  assert.is(vfPluginOf([byRuntime])?.address, '0000:01:10.4');
});

// The case of the TKE fork's readme: no address anywhere, the PF by name.
test('vfPluginOf() reads plugins of 2016-18', () => {
  const intel = vfPluginOf([step({ type: 'sriov', if0: 'enp2s0', l2enable: true, vlan: 210 })]);
  assert.equal([intel?.address, intel?.pf, intel?.vf, intel?.settings?.vlan], ['', 'enp2s0', undefined, 210]);
  const tencent = vfPluginOf(
    [step({ type: 'sriov', master: 'eth1' })],
    'IgnoreUnknown=1;VF=3;VLAN=7;MAC=02:00:00:00:00:01',
  );
  assert.equal([tencent?.pf, tencent?.vf, tencent?.settings?.vlan], ['eth1', 3, 7]);
  assert.is(vfPluginOf([step({ type: 'sriov', master: 'eth1' })], 'VF=0')?.vf, undefined);
});

test.run();
