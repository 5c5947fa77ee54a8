import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { NativeVf } from '../../../src/node/native.ts';
import type { VfSettings } from '../../../src/pod/vf-settings.ts';
import { compareVf, type VfContext } from '../../../src/sriov/compare-vf.ts';
import { fakeVf, SILENT_VF } from '../../fakes/fake-vf.ts';

const IGB: VfContext = { pfDriver: 'igb', isSwitchdev: false };

/** Setting and status of each check. */
function verdicts(expected: VfSettings, vf: Partial<NativeVf>, context: Partial<VfContext> = {}): string[] {
  const checks = compareVf(expected, fakeVf(vf), { ...IGB, ...context });
  return checks.map(({ setting, status }) => `${setting} ${status}`);
}

/** The only check's message. */
function message(expected: VfSettings, vf: Partial<NativeVf>, context: Partial<VfContext> = {}): string {
  const [check, ...others] = compareVf(expected, fakeVf(vf), { ...IGB, ...context });
  assert.equal(others, []);
  return check?.message ?? '';
}

const ALL: VfSettings = {
  vlan: 210,
  qos: 2,
  protocol: '802.1q',
  mac: '02:00:00:00:00:10',
  spoofCheck: true,
  trust: true,
  linkState: 'auto',
  minTxRate: 0,
  maxTxRate: 100,
};
const AS_ASKED: Partial<NativeVf> = { vlan: 210, qos: 2, mac: '02:00:00:00:00:10', trust: true, maxTxRate: 100 };

test('a VF as asked for passes, setting by setting', () => {
  assert.equal(
    verdicts(ALL, AS_ASKED),
    Object.keys(ALL).map((setting) => `${setting} pass`),
  );
});

test('each setting that differs is found, with what was asked and what is there', () => {
  const other = fakeVf({
    vlan: 211,
    qos: 0,
    vlanProtocol: 0x88a8,
    mac: '02:00:00:00:00:11',
    spoofCheck: false,
    linkState: 2,
    minTxRate: 5,
    maxTxRate: 0,
  });
  const found = compareVf(ALL, other, IGB).map(({ status, message: text }) => `${status}: ${text}`);
  assert.equal(found, [
    'fail: must have VLAN 210, it has 211',
    'fail: must have QoS 2, it has 0',
    'fail: must have VLAN protocol 802.1q, it has 802.1ad',
    'fail: must have MAC 02:00:00:00:00:10, it has 02:00:00:00:00:11',
    'fail: must have spoof check on, it has off',
    'fail: must have trust on, it has off',
    'fail: must have link state auto, it has disable',
    'fail: must have minimum rate none, it has 5 Mbit/s',
    'fail: must have maximum rate 100 Mbit/s, it has none',
  ]);
});

// vishvananda/netlink takes "not reported" for on, and sriov-cni "restores" it: a wrong verdict on security settings.
test('what the driver does not report has no verdict', () => {
  assert.equal(
    verdicts(ALL, SILENT_VF),
    Object.keys(ALL).map((setting) => `${setting} unknown`),
  );
  assert.equal(verdicts({}, SILENT_VF), ['inheritedVlan unknown']);
});

test('a VLAN that nobody asked for is found: the pod is in the network of the one before', () => {
  assert.equal(verdicts({}, { vlan: 211 }), ['inheritedVlan warn']);
  assert.equal(verdicts({}, { vlan: 0 }), ['inheritedVlan pass']);
  assert.is(
    message({}, { vlan: 211 }),
    'has VLAN 211 from before: nobody asked for one, and the pod is in it; "vlan": 0 asks for none',
  );
});

test('a VLAN where none was asked for is a failure, not an inheritance', () => {
  assert.equal(verdicts({ vlan: 0, qos: 0, protocol: '802.1q' }, { vlan: 211, qos: 3 }), ['vlan fail']);
});

// ConnectX-3 shows 4095 on every idle VF: each of them would be told as a leak. igb can really have VLAN 4095.
test('4095 means "no VLAN" with mlx4 and is a VLAN with all others', () => {
  for (const pfDriver of ['mlx4_core', 'mlx4_en']) {
    assert.equal(verdicts({}, { vlan: 4095 }, { pfDriver }), ['inheritedVlan pass']);
    assert.equal(verdicts({ vlan: 0, qos: 0 }, { vlan: 4095 }, { pfDriver }), ['vlan pass']);
    assert.equal(verdicts({ vlan: 210, qos: 0 }, { vlan: 4095 }, { pfDriver }), ['vlan fail']);
  }
  assert.equal(verdicts({}, { vlan: 4095 }, { pfDriver: 'mlx5_core' }), ['inheritedVlan warn']);
  assert.equal(verdicts({ vlan: 0 }, { vlan: 4095 }, { pfDriver: 'igb' }), ['vlan fail']);
});

test('protocol 0 (mlx5) and one that an old kernel does not tell are 802.1Q', () => {
  for (const vlanProtocol of [0, null, 0x8100]) {
    assert.equal(verdicts({ vlan: 1, protocol: '802.1q' }, { vlan: 1, vlanProtocol }), ['vlan pass', 'protocol pass']);
    assert.equal(verdicts({ vlan: 1, protocol: '802.1ad' }, { vlan: 1, vlanProtocol }), ['vlan pass', 'protocol fail']);
  }
  assert.is(
    compareVf({ vlan: 1, protocol: '802.1q' }, fakeVf({ vlan: 1, vlanProtocol: 0x9100 }), IGB)[1]?.actual,
    '0x9100',
  );
});

test('QoS and protocol of a VF without a VLAN mean nothing', () => {
  assert.equal(verdicts({ vlan: 210, qos: 2, protocol: '802.1ad' }, { vlan: 0, vlanProtocol: 0 }), ['vlan fail']);
});

// In switchdev mode drivers report VLAN 0 whatever the switch does: a failure there would stop every pod.
test('in switchdev mode the VLAN is told to be on the representor, the rest is compared', () => {
  assert.equal(verdicts(ALL, AS_ASKED, { isSwitchdev: true }).slice(0, 2), ['vlan unknown', 'mac pass']);
  assert.match(message({ vlan: 210 }, {}, { isSwitchdev: true }), 'representor');
  assert.equal(verdicts({}, { vlan: 5 }, { isSwitchdev: true }), []);
});

// Most drivers show zeros until somebody sets a MAC on the PF: no pod without one would ever pass.
test('an admin MAC of zeros is unset, not another one: the network device has the address', () => {
  const mac = '02:00:00:00:00:10';
  assert.equal(verdicts({ vlan: 0, mac }, {}), ['vlan pass', 'mac unknown']);
  assert.equal(verdicts({ vlan: 0, mac }, {}, { effectiveMac: mac }), ['vlan pass', 'mac pass']);
  assert.equal(verdicts({ vlan: 0, mac }, {}, { effectiveMac: '02:00:00:00:00:11' }), ['vlan pass', 'mac fail']);
  assert.equal(
    verdicts({ vlan: 0, mac }, { mac: '02:00:00:00:00:11' }, { effectiveMac: mac }),
    ['vlan pass', 'mac fail'],
    'an address that the PF has counts',
  );
});

test("the MAC addresses of InfiniBand's VFs are the PF's own: there is no verdict", () => {
  const mac = '02:00:00:00:00:10';
  const guid = { nodeGuid: '02:00:00:00:00:00:00:01' };
  assert.equal(verdicts({ vlan: 0, mac }, { mac: '02:00:00:00:00:99', ...guid }), ['vlan pass', 'mac unknown']);
  const long = Array.from({ length: 20 }, () => '01').join(':');
  assert.equal(verdicts({ vlan: 0, mac }, { mac: long }), ['vlan pass', 'mac unknown']);
});

test.run();
