import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseSriovCache, splitCacheName } from '../../../../src/sriov/claims/sriov-cache.ts';
import { CACHE } from './sriov-cache.ts';

const LONG = '0'.repeat(64);

// The VF would be told of a container that does not exist, and its pod not be found.
const NAMES: [string, string[], string, string][] = [
  [`${LONG}-net1`, [], LONG, 'net1'],
  [`${LONG}-net-1`, [], LONG, 'net-1'],
  [`default-${LONG}-net-1`, [], `default-${LONG}`, 'net-1'], // nerdctl
  ['my-pod-net1', [], 'my-pod', 'net1'],
  ['my-pod-net-1', ['other', 'my-pod'], 'my-pod', 'net-1'],
];

for (const [name, known, containerId, ifName] of NAMES) {
  test(`splitCacheName() splits ${name}${known.length > 0 ? ' by what is known' : ''}`, () => {
    assert.equal(splitCacheName(name, known), { containerId, ifName });
  });
}

for (const name of ['', '-', 'c1', 'c1-', '-net1']) {
  test(`splitCacheName() refuses ${JSON.stringify(name)}`, () => assert.is(splitCacheName(name, []), undefined));
}

// A VLAN that nobody asked for would pass for what was asked.
test('parseSriovCache() takes "QoS 0, 802.1Q" beside no VLAN for no wish', () => {
  const { settings } = parseSriovCache(JSON.stringify({ ...CACHE, vlan: null, vlanQoS: 0 }), '/x/c1-net1');
  assert.equal(settings, { mac: '02:00:00:00:00:10', trust: true, maxTxRate: 100 });
});

// --fix would give the VF a wrong VLAN protocol back, or none of its old MAC address.
test('parseSriovCache() reads the VF as it was before', () => {
  const before = {
    AdminMAC: '02:00:00:00:00:AA',
    Vlan: 7,
    VlanQoS: 1,
    VlanProto: 0x88a8,
    LinkState: 2,
    SpoofChk: false,
  };
  const text = JSON.stringify({ ...CACHE, OrigVfState: { ...CACHE.OrigVfState, ...before } });
  const { original } = parseSriovCache(text, '/x/c1-net1');
  assert.equal(original?.settings, {
    vlan: 7,
    qos: 1,
    protocol: '802.1ad',
    mac: '02:00:00:00:00:aa',
    spoofCheck: false,
    trust: false,
    linkState: 'disable',
    minTxRate: 0,
    maxTxRate: 0,
  });
});

test('parseSriovCache() has no former state where the file has none', () => {
  const text = JSON.stringify({ ...CACHE, OrigVfState: undefined });
  assert.is(parseSriovCache(text, '/x/c1-net1').original, undefined);
});

test.run();
