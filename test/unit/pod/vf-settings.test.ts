import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RawObject } from '../../../src/cni/raw-json.ts';
import { readVfSettings } from '../../../src/pod/vf-settings.ts';

const conf = (text: string): RawObject => RawObject.parse(text, 'test');

test('every key of sriov-cni is read: what is not read is never missed on the VF', () => {
  const config = {
    type: 'sriov',
    deviceID: '0000:01:10.0',
    vlan: 210,
    vlanQoS: 2,
    vlanProto: '802.1AD',
    mac: 'CA-FE-C0-FF-EE-00',
    spoofchk: 'on',
    trust: 'off',
    link_state: 'enable',
    min_tx_rate: 0,
    max_tx_rate: 100,
  };
  assert.equal(readVfSettings(config), {
    vlan: 210,
    qos: 2,
    protocol: '802.1ad',
    mac: 'ca:fe:c0:ff:ee:00',
    spoofCheck: true,
    trust: false,
    linkState: 'enable',
    minTxRate: 0,
    maxTxRate: 100,
  });
});

// A silent configuration that reads as "VLAN 0" hides that the pod is in the VLAN of the one before.
test('a VLAN of 0 is asked for, one that is absent or null is not', () => {
  assert.equal(readVfSettings(conf('{"vlan":0}')), { vlan: 0, qos: 0, protocol: '802.1q' });
  assert.equal(readVfSettings(conf('{}')), {});
  assert.equal(readVfSettings(conf('{"vlan":null,"vlanQoS":3,"vlanProto":"802.1ad"}')), {});
});

// The kernel takes the three in one request: the QoS of the pod before would be found wrong by nobody.
test('who asks for a VLAN alone gets QoS 0 and 802.1Q with it', () => {
  assert.equal(readVfSettings(conf('{"vlan":210}')), { vlan: 210, qos: 0, protocol: '802.1q' });
});

test('keys are matched as Go matches them, the last one counts: the plugin does it so', () => {
  assert.is(readVfSettings(conf('{"vlan":1,"VLAN":2}')).vlan, 2);
  assert.is(readVfSettings(conf('{"Link_State":"disable"}')).linkState, 'disable');
});

test("of the MAC addresses the pod's own counts before that of the network", () => {
  const inConfig = '"mac":"02:00:00:00:00:01"';
  const inRuntime = '"runtimeConfig":{"MAC":"02:00:00:00:00:03"}';
  const args = 'IgnoreUnknown=1;MAC=02:00:00:00:00:02';
  assert.is(readVfSettings(conf(`{${inConfig}}`)).mac, '02:00:00:00:00:01');
  assert.is(readVfSettings(conf(`{${inConfig}}`), args).mac, '02:00:00:00:00:02');
  assert.is(readVfSettings(conf(`{${inConfig},${inRuntime}}`), args).mac, '02:00:00:00:00:03');
  assert.is(readVfSettings(conf(`{${inConfig},"runtimeConfig":{"mac":""}}`)).mac, '02:00:00:00:00:01');
});

// sriov-cni turns everything but "on" into off: "On" in a configuration is a VF without spoof check.
test('spoof check and trust are on only where the word is "on"', () => {
  assert.equal(readVfSettings({ spoofchk: 'On', trust: 'yes' }), { spoofCheck: false, trust: false });
  assert.equal(readVfSettings({ spoofchk: '', trust: null }), {});
});

test("TencentSA's generation has the VLAN in CNI_ARGS, others do not read it there", () => {
  assert.is(readVfSettings({ master: 'eth1' }, 'VF=1;VLAN=100').vlan, 100);
  assert.is(readVfSettings({ master: 'eth1', vlan: 5 }, 'VLAN=100').vlan, 5);
  assert.is(readVfSettings({ deviceID: '0000:01:10.0' }, 'VLAN=100').vlan, undefined);
});

test("the configuration of TKE's own example asks for a VLAN and nothing else", () => {
  const config = { name: 'sriov-vlanid-l2enable-conf', type: 'sriov', if0: 'enp2s0', l2enable: true, vlan: 210 };
  assert.equal(readVfSettings(config), { vlan: 210, qos: 0, protocol: '802.1q' });
});

// It runs in ADD, after the plugin accepted its configuration, and over files that anybody may have written.
test('nothing makes it throw: what cannot be read asks for nothing', () => {
  const keys = [
    'vlan',
    'vlanQoS',
    'vlanProto',
    'mac',
    'spoofchk',
    'trust',
    'link_state',
    'min_tx_rate',
    'runtimeConfig',
  ];
  const config = fc.dictionary(fc.constantFrom(...keys), fc.jsonValue());
  fc.assert(
    fc.property(fc.oneof(config, fc.jsonValue()), fc.string(), (value, args) => {
      const { vlan, minTxRate, mac } = readVfSettings(value, args);
      assert.ok(vlan === undefined || (Number.isSafeInteger(vlan) && vlan >= 0));
      assert.ok(minTxRate === undefined || minTxRate >= 0);
      assert.ok(mac === undefined || /^[0-9a-f]{2}(:[0-9a-f]{2})*$/.test(mac));
    }),
  );
  assert.equal(readVfSettings({ vlan: '210', min_tx_rate: -1, max_tx_rate: 1.5, link_state: 'up', mac: 'x' }), {});
});

test.run();
