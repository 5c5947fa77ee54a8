import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Claim, compareClaim } from '../../../src/attach/verify.ts';
import { type CniResult, emptyResult } from '../../../src/cni/result.ts';
import type { NativeLink, NativeSnapshot } from '../../../src/node/native.ts';
import { fakeAddress, fakeLink, fakeRoute } from '../../fakes/fake-netns.ts';

const LINK = fakeLink(3, 'net1', { mac: '02:00:00:00:00:aa', mtu: 1400 });
const POD = { name: 'net1', sandbox: '/run/netns/x' };

interface Question {
  result?: Partial<CniResult>;
  requestedMac?: string;
  requestedIps?: string[];
  link?: NativeLink;
  snapshot?: Partial<NativeSnapshot>;
}

/** The differences as "fact: message". */
function compare({ result, requestedMac = '', requestedIps = [], link = LINK, snapshot }: Question): string[] {
  const claim: Claim = {
    ifName: 'net1',
    result: { ...emptyResult('1.0.0'), interfaces: [POD], ...result },
    requestedMac,
    requestedIps,
  };
  const found = { links: [link], addresses: [], routes: [], ...snapshot };
  return compareClaim(claim, link, found).map(({ fact, message }) => `${fact}: ${message}`);
}

const withMac = (mac: string) => ({ interfaces: [{ ...POD, mac }] });
const withMtu = (mtu: number) => ({ interfaces: [{ ...POD, mtu }] });
const withIps = (...addresses: string[]) => ({ ips: addresses.map((address) => ({ address, interface: 0 })) });

test('tells a MAC that is not as reported, or not as the pod requested it', () => {
  assert.equal(compare({ result: withMac('02:00:00:00:00:01') }), [
    'mac: interface "net1" must have MAC 02:00:00:00:00:01 as reported, it has 02:00:00:00:00:aa',
  ]);
  assert.equal(compare({ requestedMac: '02:00:00:00:00:01' }), [
    'mac: interface "net1" must have the requested MAC 02:00:00:00:00:01, it has 02:00:00:00:00:aa',
  ]);
  assert.equal(compare({ result: withMac('02:00:00:00:00:01'), link: fakeLink(3, 'net1', { mac: '' }) }), [
    'mac: interface "net1" must have MAC 02:00:00:00:00:01 as reported, it has none',
  ]);
});

test('tells an MTU that is not as reported', () => {
  assert.equal(compare({ result: withMtu(9000) }), [
    'mtu: interface "net1" must have MTU 9000 as reported, it has 1400',
  ]);
});

test('tells an address that is missing, on another interface, or of another prefix length', () => {
  const message = (has: string) =>
    `addresses: interface "net1" must have address 10.0.0.5/24 as reported, it has ${has}`;
  const result = withIps('10.0.0.5/24');
  assert.equal(compare({ result }), [message('no address')]);
  assert.equal(compare({ result, snapshot: { addresses: [fakeAddress(4, '10.0.0.5', 24)] } }), [message('no address')]);
  const addresses = [fakeAddress(3, '10.0.0.5', 16), fakeAddress(3, 'fd00::1', 64)];
  assert.equal(compare({ result, snapshot: { addresses } }), [message('10.0.0.5/16, fd00::1/64')]);
});

test('tells a requested address that the plugin did not give', () => {
  const addresses = [fakeAddress(3, '10.0.0.50', 24)];
  assert.equal(compare({ requestedIps: ['10.0.0.5', '10.0.0.50/16', 'fd00::5'], snapshot: { addresses } }), [
    'addresses: interface "net1" must have the requested address 10.0.0.5, it has 10.0.0.50/24',
    'addresses: interface "net1" must have the requested address 10.0.0.50/16, it has 10.0.0.50/24',
    'addresses: interface "net1" must have the requested address fd00::5, it has 10.0.0.50/24',
  ]);
});

test('tells a route that is missing or goes through another gateway', () => {
  const result = { routes: [{ dst: '10.1.0.0/16', gw: '10.0.0.1' }] };
  const message = (found: string) =>
    `routes: route 10.1.0.0/16 via 10.0.0.1 must be there as reported, found: ${found}`;
  assert.equal(compare({ result }), [message('none')]);
  assert.equal(compare({ result, snapshot: { routes: [fakeRoute('10.1.0.0/16', '10.0.0.2')] } }), [
    message('via 10.0.0.2'),
  ]);
  assert.equal(compare({ result, snapshot: { routes: [fakeRoute('10.1.0.0/16')] } }), [message('via no gateway')]);
  assert.equal(compare({ result: { routes: [{ dst: 'fd00::/8' }] } }), [
    'routes: route fd00::/8 must be there as reported, found: none',
  ]);
});

test('tells every difference at once, not the first: a pod is mended in one go', () => {
  const result = { interfaces: [{ ...POD, mac: '02:00:00:00:00:01', mtu: 9000 }], ...withIps('10.0.0.5/24') };
  const facts = compare({ result: { ...result, routes: [{ dst: '0.0.0.0/0' }] } }).map((one) => one.split(':')[0]);
  assert.equal(facts, ['mac', 'mtu', 'addresses', 'routes']);
});

test('finds nothing where all is as claimed', () => {
  const result = {
    interfaces: [{ name: 'veth1' }, { ...POD, mac: '02:00:00:00:00:AA', mtu: 1400 }],
    ips: [
      { address: '10.0.0.5/24', interface: 1 },
      { address: 'fd00::5/64', interface: 1 },
    ],
    routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }, { dst: '10.2.0.0/16' }],
  };
  const snapshot = {
    addresses: [fakeAddress(3, '10.0.0.5', 24), fakeAddress(3, 'fd00::5', 64), fakeAddress(3, 'fe80::1', 64)],
    routes: [fakeRoute('0.0.0.0/0', '10.0.0.1'), fakeRoute('10.2.0.0/16', '10.0.0.1')],
  };
  const requested = { requestedMac: '02:00:00:00:00:aa', requestedIps: ['10.0.0.5', 'fd00::5/64'] };
  assert.equal(compare({ result, snapshot, ...requested }), []);
});

test('compares IPv6 addresses and gateways by value: plugins write them in many ways', () => {
  const result = {
    ips: [{ address: 'FD00:0:0:0:0:0:0:5/064' }, { address: '::ffff:10.0.0.5/120' }, { address: '::1.2.3.4/128' }],
    routes: [
      { dst: 'FD01:0::/32', gw: 'fd00:0:0::0:1' },
      { dst: '0:0::0/0', gw: 'fe80:0::1' },
    ],
  };
  const snapshot = {
    addresses: [fakeAddress(3, 'fd00::5', 64), fakeAddress(3, '::ffff:a00:5', 120), fakeAddress(3, '::102:304', 128)],
    routes: [fakeRoute('fd01::/32', 'fd00::1'), fakeRoute('::/0', 'fe80::1')],
  };
  assert.equal(compare({ result, snapshot, requestedIps: ['FD00::0005', '0:0::ffff:10.0.0.5/120'] }), []);
});

test("takes the dotted form in which the kernel's text of an address may come", () => {
  const snapshot = {
    addresses: [fakeAddress(3, '::ffff:10.0.0.5', 120)],
    routes: [fakeRoute('::1.2.3.0/120', '::ffff:10.0.0.1')],
  };
  const result = { ...withIps('::ffff:a00:5/120'), routes: [{ dst: '::102:300/120', gw: '::ffff:a00:1' }] };
  assert.equal(compare({ result, snapshot }), []);
});

test('compares destinations with their host bits cleared, as the kernel keeps them', () => {
  const routes = [
    fakeRoute('10.1.2.0/23', '10.0.0.1'),
    fakeRoute('0.0.0.0/0', '10.0.0.1'),
    fakeRoute('10.9.9.9/32'),
    fakeRoute('fd00:1::/33'),
    fakeRoute('::/0'),
  ];
  const claimed = ['10.1.3.77/23', '10.0.0.0/0', '10.9.9.9/32', 'fd00:1:7fff::9/33', 'fd00::1/0'];
  assert.equal(compare({ result: { routes: claimed.map((dst) => ({ dst })) }, snapshot: { routes } }), []);
  assert.is(compare({ result: { routes: [{ dst: 'fd00:1:8000::/33' }] }, snapshot: { routes } }).length, 1);
});

test('finds every IPv6 address in whatever way it is written', () => {
  const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, fc.nat(128), (numbers, prefix) => {
      const long = numbers.map((one) => one.toString(16).padStart(4, '0').toUpperCase()).join(':');
      const short = new URL(`http://[${long}]`).hostname.slice(1, -1);
      const snapshot = { addresses: [fakeAddress(3, short, prefix)] };
      assert.equal(compare({ result: withIps(`${long}/${prefix}`), snapshot, requestedIps: [long] }), []);
    }),
  );
});

test('leaves routes of other tables to the plugin that made them', () => {
  assert.equal(compare({ result: { routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1', table: 100 }] } }), []);
  assert.is(compare({ result: { routes: [{ dst: '0.0.0.0/0', table: 254 }] } }).length, 1);
});

test("compares addresses of the pod's interface only: those of the host side are not in the pod", () => {
  const interfaces = [{ name: 'br0' }, POD];
  assert.equal(compare({ result: { interfaces, ips: [{ address: '10.0.0.1/24', interface: 0 }] } }), []);
  const withoutIndex = { interfaces, ips: [{ address: '10.0.0.1/24' }] };
  assert.is(compare({ result: withoutIndex }).length, 1, 'without an index it is ours');
});

test('compares a result without interfaces, as plugins before 0.3.0 give it', () => {
  const result = { interfaces: [], ips: [{ address: '10.0.0.5/24' }] };
  assert.equal(compare({ result, snapshot: { addresses: [fakeAddress(3, '10.0.0.5', 24)] } }), []);
  assert.is(compare({ result }).length, 1);
});

test('an MTU or MAC that is not reported is not compared', () => {
  assert.equal(compare({ result: withMtu(0) }), []);
  assert.equal(compare({ result: withMac('') }), []);
});

test.run();
