import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { NativeVf } from '../../../src/node/native.ts';
import { vfChanges } from '../../../src/sriov/vf-changes.ts';

const NOW: NativeVf = {
  ...{ index: 3, mac: '02:00:00:00:00:10', vlan: 211, qos: 2, vlanProtocol: 0x88a8, minTxRate: 10, maxTxRate: 100 },
  ...{ spoofCheck: true, trust: false, rssQuery: null, linkState: 0, nodeGuid: null, portGuid: null },
};

// Clearing a VLAN would set a priority, or an upper limit vanish with the lower one.
test('vfChanges() keeps what is set by the same request and was not given', () => {
  assert.equal(vfChanges({ vlan: 0 }, NOW), [{ vlan: 0, qos: 2, protocol: 0x88a8 }]);
  assert.equal(vfChanges({ qos: 0 }, NOW), [{ vlan: 211, qos: 0, protocol: 0x88a8 }]);
  assert.equal(vfChanges({ minTxRate: 0 }, NOW), [{ minTxRate: 0, maxTxRate: 100 }]);
  const silent = { ...NOW, vlan: null, qos: null, vlanProtocol: null, minTxRate: null, maxTxRate: null };
  assert.equal(vfChanges({ qos: 1, maxTxRate: 5 }, silent), [
    { vlan: 0, qos: 1, protocol: 0x8100 },
    { minTxRate: 0, maxTxRate: 5 },
  ]);
});

test('vfChanges() makes a request of each setting, in the order of sriov-cni', () => {
  assert.equal(vfChanges({}, NOW), []);
  const rest = { mac: '00:00:00:00:00:00', spoofCheck: false, trust: false, linkState: 'disable' } as const;
  assert.equal(vfChanges({ ...rest, vlan: 0, qos: 0, protocol: '802.1q', minTxRate: 0, maxTxRate: 0 }, NOW), [
    { vlan: 0, qos: 0, protocol: 0x8100 },
    { mac: '00:00:00:00:00:00' },
    { minTxRate: 0, maxTxRate: 0 },
    { spoofCheck: false },
    { trust: false },
    { linkState: 2 },
  ]);
});

test.run();
