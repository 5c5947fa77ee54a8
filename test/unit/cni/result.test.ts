import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CniResult, convertResult, emptyResult, parseResult } from '../../../src/cni/result.ts';
import { SUPPORTED_VERSIONS } from '../../../src/cni/versions.ts';
import { valueText } from './json-text.ts';
import { onlyCniErrors, refusal } from './refusal.ts';

const WHAT = 'result of plugin bridge';
const parse = (text: string, expected?: string) => parseResult(text, WHAT, expected);
const reason = (members: string, version = '1.0.0') =>
  refusal(() => parse(`{"cniVersion":"${version}",${members}}`)).message.replace(`Cannot use ${WHAT}: `, '');

/** Everything that 1.1.0 can say. */
const FULL: CniResult = {
  cniVersion: '1.1.0',
  interfaces: [
    { name: 'cni0', mac: '00:11:22:33:44:55', mtu: 1500 },
    {
      name: 'eth0',
      mac: '99:88:77:66:55:44',
      mtu: 1400,
      sandbox: '/run/netns/a',
      socketPath: '/s',
      pciID: '0000:00:01.0',
    },
  ],
  ips: [
    { address: '10.1.0.5/16', gateway: '10.1.0.1', interface: 1 },
    { address: '10.2.0.5/16' },
    { address: 'fd00::5/64', gateway: 'fd00::1', interface: 1 },
  ],
  routes: [
    { dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1400, advmss: 1360, priority: 10, table: 0, scope: 0 },
    { dst: '::/0' },
  ],
  dns: { nameservers: ['10.1.0.1'], domain: 'local', search: ['a', 'b'], options: ['ndots:5'] },
  vendor: { x: [1] },
};

test('parseResult() refuses with code 6 when the text is no JSON object', () => {
  assert.is(refusal(() => parse('')).message, `Cannot parse ${WHAT}: the text is empty at line 1 column 1`);
  assert.match(refusal(() => parse('null')).message, /must be a JSON object, got null/);
});

test('parseResult() refuses with code 6 and names key and value when one cannot be used', () => {
  const cidr = 'an IP address with prefix length ("10.1.0.5/16")';
  const cases: [string, string][] = [
    ['"interfaces":{}', 'key "interfaces" must be an array, got an object'],
    ['"interfaces":[null]', 'key "interfaces[0]" must be an object, got null'],
    ['"interfaces":[{}]', 'key "interfaces[0].name" must be a string that is not empty, got nothing'],
    ['"interfaces":[{"name":"a","mac":5}]', 'key "interfaces[0].mac" must be a string, got 5'],
    ['"interfaces":[{"name":"a","mtu":"1500"}]', 'key "interfaces[0].mtu" must be an integer, got "1500"'],
    ['"ips":[{"address":"10.0.0.1/8"},{}]', `key "ips[1].address" must be ${cidr}, got nothing`],
    ['"ips":[{"address":"10.0.0.1"}]', `key "ips[0].address" must be ${cidr}, got "10.0.0.1"`],
    ['"ips":[{"address":"::/0","gateway":"x"}]', 'key "ips[0].gateway" must be an IP address, got "x"'],
    ['"ips":[{"address":"::/0","gateway":"::/0"}]', 'key "ips[0].gateway" must be an IP address, got "::/0"'],
    ['"ips":[{"address":"::/0","interface":1.5}]', 'key "ips[0].interface" must be an integer, got 1.5'],
    ['"routes":[{"dst":"default"}]', `key "routes[0].dst" must be ${cidr}, got "default"`],
    ['"routes":[{"dst":"::/0","gw":5}]', 'key "routes[0].gw" must be a string, got 5'],
    ['"dns":[]', 'key "dns" must be an object, got an array'],
    ['"dns":{"search":["a",5]}', 'key "dns.search[1]" must be a string, got 5'],
  ];
  for (const [members, expected] of cases) assert.is(reason(members), expected);
  assert.is(reason('"ip4":{"ip":"10.0.0.300/8"}', '0.2.0'), `key "ip4.ip" must be ${cidr}, got "10.0.0.300/8"`);
  assert.is(reason('"ip4":{"ip":"fd00::1/64"}', '0.2.0'), 'key "ip4.ip" must be an IPv4 address, got "fd00::1/64"');
  assert.is(
    reason('"ip6":{"ip":"::/0","routes":[{"dst":"x"}]}', '0.1.0'),
    `key "ip6.routes[0].dst" must be ${cidr}, got "x"`,
  );
  assert.is(refusal(() => parse('{"cniVersion":5}')).code, 6);
});

test('parseResult() and convertResult() refuse with code 1 when the version is not supported', () => {
  assert.is(refusal(() => parse('{"cniVersion":"2.0.0"}')).code, 1);
  assert.is(refusal(() => parse('{}', '2.0.0')).code, 1);
  assert.is(refusal(() => convertResult(FULL, '2.0.0')).code, 1);
});

test('convertResult() refuses with code 6 when an address of the result is none', () => {
  assert.is(refusal(() => convertResult({ ...FULL, ips: [{ address: 'x' }] }, '0.4.0')).code, 6);
});

test('parseResult() reads everything that 1.1.0 can say', () => {
  assert.equal(parse(JSON.stringify(FULL)), FULL);
});

test('parseResult() takes the expected version when the text has none, 0.1.0 without', () => {
  const text = '{"ips":[{"address":"10.0.0.1/8"}],"ip4":{"ip":"10.0.0.2/8"}}';
  const addresses = (result: CniResult) => result.ips.map(({ address }) => address);
  assert.equal([parse(text, '1.0.0').cniVersion, addresses(parse(text, '1.0.0'))], ['1.0.0', ['10.0.0.1/8']]);
  assert.equal([parse(text).cniVersion, addresses(parse(text))], ['0.1.0', ['10.0.0.1/8', '10.0.0.2/8']]);
  assert.is(parse('{"cniVersion":""}', '0.4.0').cniVersion, '0.4.0');
});

test('parseResult() reads ip4 and ip6 of 0.2.0 as ips and routes', () => {
  const text = `{"cniVersion":"0.2.0",
    "ip6":{"ip":"fd00::5/64","routes":[{"dst":"::/0","gw":"fd00::1"}]},
    "ip4":{"ip":"10.1.0.5/16","gateway":"10.1.0.1","routes":[{"dst":"0.0.0.0/0"}],"interface":"x","vendor":1},
    "dns":{}}`;
  assert.equal(parse(text), {
    cniVersion: '0.2.0',
    interfaces: [],
    ips: [{ address: '10.1.0.5/16', gateway: '10.1.0.1', vendor: 1 }, { address: 'fd00::5/64' }],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0', gw: 'fd00::1' }],
    dns: {},
  });
});

test('parseResult() reads null, empty strings and zero sizes as absent, keys in any case', () => {
  const text = `{"CNIVersion":"0.4.0","Interfaces":[{"Name":"a","mac":"","sandbox":null,"mtu":0}],
    "ips":[{"version":"4","address":"10.0.0.1/8","gateway":"","interface":0}],"routes":null,"dns":null}`;
  assert.equal(parse(text), {
    cniVersion: '0.4.0',
    interfaces: [{ name: 'a' }],
    ips: [{ address: '10.0.0.1/8', interface: 0 }],
    routes: [],
    dns: {},
  });
});

test('parseResult() keeps unknown keys in every object', () => {
  const text = '{"cniVersion":"1.0.0","__proto__":1,"interfaces":[{"name":"a","metadata":{"k":"v"}}],"dns":{"x":1}}';
  const result = parse(text);
  assert.equal([result.interfaces[0], result.dns], [{ name: 'a', metadata: { k: 'v' } }, { x: 1 }]);
  assert.match(convertResult(result, '1.0.0'), '"__proto__":1');
});

test('convertResult() leaves out what 1.0.0 cannot say', () => {
  assert.equal(JSON.parse(convertResult(FULL, '1.0.0')), {
    cniVersion: '1.0.0',
    interfaces: [
      { name: 'cni0', mac: '00:11:22:33:44:55' },
      { name: 'eth0', mac: '99:88:77:66:55:44', sandbox: '/run/netns/a' },
    ],
    ips: FULL.ips,
    routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }, { dst: '::/0' }],
    dns: FULL.dns,
    vendor: { x: [1] },
  });
});

test('convertResult() says the family of each address in 0.3.0 to 0.4.0', () => {
  for (const version of ['0.3.0', '0.3.1', '0.4.0']) {
    const converted = JSON.parse(convertResult(FULL, version));
    assert.is(converted.cniVersion, version);
    assert.equal(converted.ips[0], { version: '4', address: '10.1.0.5/16', gateway: '10.1.0.1', interface: 1 });
    assert.equal(
      converted.ips.map((ip: { version: string }) => ip.version),
      ['4', '4', '6'],
    );
  }
});

test('convertResult() keeps the first address of each family and its routes below 0.3.0', () => {
  assert.equal(JSON.parse(convertResult(FULL, '0.2.0')), {
    cniVersion: '0.2.0',
    ip4: { ip: '10.1.0.5/16', gateway: '10.1.0.1', routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }] },
    ip6: { ip: 'fd00::5/64', gateway: 'fd00::1', routes: [{ dst: '::/0' }] },
    dns: FULL.dns,
    vendor: { x: [1] },
  });
  const only6 = { ...FULL, ips: FULL.ips.slice(2), ip4: 'stray' };
  assert.equal(JSON.parse(convertResult(only6, '0.1.0')).ip4, undefined);
});

test('convertResult() writes no empty lists and no empty dns', () => {
  for (const version of SUPPORTED_VERSIONS) {
    assert.is(convertResult(emptyResult('1.1.0'), version), `{"cniVersion":"${version}"}`);
  }
});

test('emptyResult() is what an empty text of that version says', () => {
  assert.equal(parse('{"cniVersion":"0.4.0"}'), emptyResult('0.4.0'));
});

const text = fc.string({ minLength: 1, maxLength: 5 });
const ip4 = fc.constantFrom('10.0.0.1', '192.168.255.254', '0.0.0.0');
const ip6 = fc.constantFrom('fd00::1', '::', '2001:db8::a:b');
const cidr = fc.oneof(
  ip4.map((ip) => `${ip}/24`),
  ip6.map((ip) => `${ip}/64`),
);
const ip = fc.oneof(ip4, ip6);
const number = fc.integer({ min: 1, max: 4e9 });
const options = { requiredKeys: ['name'] as ['name'] };
const interfaces = fc.array(
  fc.record(
    { name: text, mac: text, mtu: number, sandbox: text, socketPath: text, pciID: text, vendor: fc.jsonValue() },
    options,
  ),
);
const ips = fc.array(fc.record({ address: cidr, gateway: ip, interface: fc.nat(5) }, { requiredKeys: ['address'] }));
const routes = fc.array(
  fc.record(
    { dst: cidr, gw: ip, mtu: number, advmss: number, priority: number, table: fc.nat(), scope: fc.nat(255) },
    { requiredKeys: ['dst'] },
  ),
);
const texts = fc.array(text, { minLength: 1, maxLength: 2 });
const dns = fc.record({ nameservers: texts, domain: text, search: texts, options: texts }, { requiredKeys: [] });
// fast-check makes records without a prototype; a plain copy compares with what JSON.parse makes.
const results = fc
  .record({ interfaces, ips, routes, dns })
  .map((result): CniResult => JSON.parse(JSON.stringify({ cniVersion: '1.1.0', ...result })));

const asJson = (value: unknown) => JSON.parse(JSON.stringify(value));

test('parseResult() reads what convertResult() wrote when the version is 1.1.0', () => {
  fc.assert(
    fc.property(results, (result) => {
      assert.equal(asJson(parse(convertResult(result, '1.1.0'))), result);
    }),
  );
});

test('conversion there and back keeps what both versions can say', () => {
  fc.assert(
    fc.property(results, fc.constantFrom('0.3.0', '0.3.1', '0.4.0', '1.0.0'), (result, version) => {
      const back = asJson(parse(convertResult(result, version)));
      const expected = {
        cniVersion: version,
        interfaces: result.interfaces.map(({ mtu: _a, socketPath: _b, pciID: _c, ...rest }) => rest),
        ips: result.ips,
        routes: result.routes.map(({ dst, gw }) => (gw === undefined ? { dst } : { dst, gw })),
        dns: result.dns,
      };
      assert.equal(back, expected);
      assert.is(convertResult(back, version), convertResult(result, version));
    }),
  );
});

test('conversion to 0.2.0 and back keeps one address of each family and its routes', () => {
  fc.assert(
    fc.property(results, (result) => {
      const back = parse(convertResult(result, '0.2.0'));
      const isV6 = (one: { address?: string; dst?: string }) => (one.address ?? one.dst ?? '').includes(':');
      const firsts = [result.ips.find((one) => !isV6(one)), result.ips.find(isV6)].filter((one) => one !== undefined);
      assert.equal(
        back.ips,
        firsts.map(({ address, gateway }) => (gateway === undefined ? { address } : { address, gateway })),
      );
      const carried = result.routes.filter((route) => firsts.some((one) => isV6(one) === isV6(route)));
      const inOrder = [...carried.filter((route) => !isV6(route)), ...carried.filter(isV6)];
      assert.equal(
        back.routes.map(({ dst }) => dst),
        inOrder.map(({ dst }) => dst),
      );
      assert.equal([back.interfaces, asJson(back.dns)], [[], result.dns]);
    }),
  );
});

test('parseResult() throws only CniError when known keys have arbitrary values', () => {
  const key = fc.constantFrom('cniVersion', 'interfaces', 'ips', 'routes', 'dns', 'ip4', 'ip6', 'x', '__proto__');
  const likely = fc.constantFrom(
    '"0.2.0"',
    '"1.0.0"',
    '[{"name":"a"}]',
    '[{"address":"10.0.0.1/8"}]',
    '{"ip":"10.0.0.1/8"}',
  );
  const nearly = fc
    .array(fc.tuple(key, fc.oneof(valueText, likely)), { maxLength: 5 })
    .map((members) => `{${members.map(([name, value]) => `"${name}":${value}`).join()}}`);
  fc.assert(
    fc.property(nearly, fc.string({ unit: 'binary' }), fc.constantFrom(...SUPPORTED_VERSIONS), (some, any, version) => {
      onlyCniErrors(() => parse(any));
      onlyCniErrors(() => convertResult(parse(some), version));
    }),
    { numRuns: 500 },
  );
});

test.run();
