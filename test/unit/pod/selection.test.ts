import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseSelections } from '../../../src/pod/parse-selections.ts';
import { type NetworkSelection, NO_REQUESTS } from '../../../src/pod/selection.ts';
import { valueText } from '../cni/json-text.ts';
import { onlyCniErrors, refusal } from '../cni/refusal.ts';

const ORIGIN = 'annotation k8s.v1.cni.cncf.io/networks of pod prod/web';
const parse = (text: string | undefined): NetworkSelection[] =>
  parseSelections(text, { origin: ORIGIN, namespace: 'prod' });
const entry = (members: string): NetworkSelection | undefined => parse(`[{"name":"a",${members}}]`)[0];

/** The reason of a refusal, after the part that names pod and annotation. */
function reason(text: string): string {
  const { code, message } = refusal(() => parse(text));
  assert.is(code, 7, message);
  assert.ok(message.startsWith(`Cannot use ${ORIGIN}: `), message);
  return message.slice(`Cannot use ${ORIGIN}: `.length);
}

test('refuses a short item that can be read in two ways, instead of attaching some other network', () => {
  const cases: [string, string][] = [
    ['a@x@y', 'item 1 ("a@x@y") has more than one "@"; write [namespace/]name[@interface]'],
    ['a,x/y/z', 'item 2 ("x/y/z") has more than one "/"; write [namespace/]name[@interface]'],
    ['a,,b', 'item 2 ("") names no network; remove the empty item'],
    ['a,', 'item 2 ("") names no network; remove the empty item'],
    ['prod/', 'item 1 ("prod/") names no network; remove the empty item'],
    ['@net1', 'item 1 ("@net1") names no network; remove the empty item'],
    [
      'Prod/a',
      'namespace of item 1 ("Prod/a") must be a DNS-1123 name (lower-case letters, digits, "-", "."), got "Prod"',
    ],
    ['/a', 'item 1 ("/a") has no namespace before "/"; write [namespace/]name[@interface]'],
    ['a b', 'name of item 1 ("a b") must be a DNS-1123 name (lower-case letters, digits, "-", "."), got "a b"'],
    ['../a', 'namespace of item 1 ("../a") must be a DNS-1123 name (lower-case letters, digits, "-", "."), got ".."'],
  ];
  for (const [text, expected] of cases) assert.is(reason(text), expected);
});

test('refuses an interface name that the kernel would refuse after the first delegates have run', () => {
  for (const name of ['sixteen-bytes-xx', '..', 'a:b', 'lo', 'a b', 'eth%d']) {
    const short = refusal(() => parse(`b,a@${name}`));
    assert.is(short.code, 7, name);
    assert.match(short.message, `Cannot use interface of item 2 ("a@${name}") of ${ORIGIN} "${name}": `);
    const json = refusal(() => entry(`"interface":"${name}"`));
    assert.is(json.code, 7, name);
    assert.match(json.message, `Cannot use field "interface" of entry 1 of ${ORIGIN} "${name}": `);
  }
  const old = refusal(() => entry('"interfaceRequest":"a/b"'));
  assert.match(old.message, `Cannot use field "interfaceRequest" of entry 1 of ${ORIGIN} "a/b": `);
});

test('names entry, field and value of a wrong JSON entry', () => {
  const cases: [string, string][] = [
    ['[null]', 'entry 1 must be an object with a "name", got null'],
    ['[{"name":"a"},"b"]', 'entry 2 must be an object with a "name", got "b"'],
    ['[[]]', 'entry 1 must be an object with a "name", got an array'],
    ['[{}]', 'field "name" of entry 1 must be the name of a network, it is missing'],
    ['[{"name":5}]', 'field "name" of entry 1 must be a string, got 5'],
    [
      '[{"name":"A"}]',
      'field "name" of entry 1 must be a DNS-1123 name (lower-case letters, digits, "-", "."), got "A"',
    ],
    ['[{"name":"a","namespace":{}}]', 'field "namespace" of entry 1 must be a string, got {}'],
    [
      '[{"name":"a","namespace":"n/x"}]',
      'field "namespace" of entry 1 must be a DNS-1123 name (lower-case letters, digits, "-", "."), got "n/x"',
    ],
    ['[{"name":"a","interface":7}]', 'field "interface" of entry 1 must be a string, got 7'],
    ['[{"name":"a","ips":"10.0.0.1"}]', 'field "ips" of entry 1 must be a list of strings, got "10.0.0.1"'],
    ['[{"name":"a","ips":[4]}]', 'field "ips" of entry 1 must be a list of strings, got [4]'],
    ['[{"name":"a","ips":[]}]', 'field "ips" of entry 1 must have at least one address; remove the empty list'],
    ['[{"name":"a","cni-args":[]}]', 'field "cni-args" of entry 1 must be an object, got an array'],
    [
      '[{"name":"a","default-route":"10.0.0.1"}]',
      'field "default-route" of entry 1 must be a list of strings, got "10.0.0.1"',
    ],
    ['{"name":"a"}', 'the JSON form must be a list of objects, got an object'],
    ['"a"', 'the JSON form must be a list of objects, got "a"'],
  ];
  for (const [text, expected] of cases) assert.is(reason(text), expected);
});

test('refuses what is no address before a plugin assigns something else', () => {
  for (const ip of [
    '10.0.0',
    '10.0.0.1/33',
    '10.0.0.1/',
    '10.0.0.1/-1',
    '10.0.0.1/8/8',
    '::1/129',
    'fe80::1%eth0',
    '',
  ]) {
    assert.is(
      reason(`[{"name":"a","ips":["10.9.9.9",${JSON.stringify(ip)}]}]`),
      `field "ips" of entry 1 must be IP addresses or CIDRs, got ${JSON.stringify(ip)}`,
    );
  }
  for (const gateway of ['10.0.0.1/24', 'gw', 'fe80::1%eth0', '0.0.0.0', '::', '0::0', '']) {
    assert.is(
      reason(`[{"name":"a","default-route":["${gateway}"]}]`),
      `field "default-route" of entry 1 must be a list of gateway addresses, got "${gateway}"`,
    );
  }
  assert.is(
    reason('[{"name":"a","default-route":["fd00::1","10.0.0.1","fd00:0::0001"]}]'),
    'field "default-route" of entry 1 has gateway "fd00:0::0001" twice',
  );
  for (const mac of ['02:00:00:00:00', '02:00:00:00:00:0g', '0200.0000.0001', '02:00:00:00:00:01:02:03']) {
    assert.is(
      reason(`[{"name":"a","mac":"${mac}"}]`),
      `field "mac" of entry 1 must be six octets such as "02:00:00:00:00:01", got "${mac}"`,
    );
  }
});

test('says where an annotation stops being JSON', () => {
  assert.equal(
    refusal(() => parse('[{"name":"a"},\n {"name":"b",}]')),
    {
      code: 6,
      message: `Cannot parse ${ORIGIN}: unexpected character "}" where a key must begin at line 2 column 14`,
      details: '',
    },
  );
  assert.match(refusal(() => parse('[{"name":"a"}')).message, 'at line 1 column 14');
});

test('refuses an annotation that is nested to exhaust the stack, whatever is in it', () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  for (const text of [deep, `[${deep}]`, `[{"name":"a","cni-args":{"x":${deep}}}]`, `[{"name":${deep}}]`]) {
    assert.match(refusal(() => parse(text)).message, `Cannot parse ${ORIGIN}: nesting is deeper than 1000`);
  }
});

test('refuses more networks than a node can bear for one pod', () => {
  const list = (count: number): string => Array.from({ length: count }, (_, i) => `n${i}`).join();
  assert.is(reason(list(65)), 'it asks for 65 networks, at most 64 are allowed');
  assert.is(parse(list(64)).length, 64);
});

test('cuts a long value in a message', () => {
  assert.ok(reason(`[{"name":"${'a'.repeat(100_000)}"}]`).length < 300);
  assert.ok(reason(`${'a/'.repeat(100_000)}`).length < 300);
});

test('reads an annotation that is absent or blank as no further network', () => {
  for (const text of [undefined, '', ' \n', '[]', ' [ ] ']) assert.equal(parse(text), []);
});

test('reads the short form with space around everything', () => {
  assert.equal(parse(' a , kube-system / b.c @ data,d@'), [
    { ...NO_REQUESTS, namespace: 'prod', name: 'a' },
    { ...NO_REQUESTS, namespace: 'kube-system', name: 'b.c', ifName: 'data' },
    { ...NO_REQUESTS, namespace: 'prod', name: 'd' },
  ]);
});

test('takes one host port for two addresses of the host', () => {
  const ports = '"hostPort":8,"containerPort":80';
  const mappings = `"portMappings":[{${ports},"hostIP":"10.0.0.1"},{${ports},"hostIP":"10.0.0.2"},{${ports}}]`;
  assert.is(entry(mappings)?.portMappings.length, 3);
});

test('reads every field of the JSON form', () => {
  const members =
    '"namespace":"n","interface":"data","ips":["10.0.0.5/24","fd00::5"],"mac":"02-AB-00-00-00-01",' +
    '"infiniband-guid":"C2:11:22:33:44:55:66:77","deviceID":"0000:03:02.0",' +
    '"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"TCP"},{"hostPort":53,"containerPort":5353,"protocol":"udp","hostIP":"10.1.1.1"}],' +
    '"bandwidth":{"ingressRate":1000,"ingressBurst":2000,"egressRate":3000},' +
    '"cni-args":{"a":[1], "A":0, "big":9007199254740993, "A":2},"default-route":["10.0.0.1","fd00::1"]';
  const { cniArgs, ...read } = entry(members) ?? {};
  assert.equal(read, {
    namespace: 'n',
    name: 'a',
    ifName: 'data',
    ips: ['10.0.0.5/24', 'fd00::5'],
    mac: '02:ab:00:00:00:01',
    infinibandGuid: 'c2:11:22:33:44:55:66:77',
    portMappings: [
      { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
      { hostPort: 53, containerPort: 5353, protocol: 'udp', hostIP: '10.1.1.1' },
    ],
    bandwidth: { ingressRate: 1000, ingressBurst: 2000, egressRate: 3000, egressBurst: 1_000_000 },
    deviceId: '0000:03:02.0',
    ipamClaim: '',
    defaultRoute: ['10.0.0.1', 'fd00::1'],
    unknownFields: [],
  });
  const texts = Object.entries(cniArgs ?? {}).map(([key, value]) => [key, value.text]);
  assert.equal(texts, [
    ['a', '[1]'],
    ['A', '2'],
    ['big', '9007199254740993'],
  ]);
});

test('reads a claim of addresses, which names them instead of "ips"', () => {
  assert.is(entry('"ipam-claim-reference":"vm-a.net"')?.ipamClaim, 'vm-a.net');
  assert.is(
    reason('[{"name":"a","ips":["10.0.0.1"],"ipam-claim-reference":"c"}]'),
    'field "ipam-claim-reference" of entry 1 cannot stand beside "ips": the claim has the addresses; remove one',
  );
});

test('refuses what the specification does not allow in a GUID, in ports and in rates, naming it', () => {
  const cases: [string, string][] = [
    ['"infiniband-guid":"02:00:00:00:00:01"', 'field "infiniband-guid" of entry 1 must be eight octets'],
    ['"portMappings":{}', 'field "portMappings" of entry 1 must be a list of objects, got {}'],
    ['"portMappings":[5]', 'field "portMappings[0]" of entry 1 must be an object, got 5'],
    ['"portMappings":[{"containerPort":80}]', 'field "hostPort" of "portMappings[0]" of entry 1 is missing'],
    ['"portMappings":[{"hostPort":0,"containerPort":80}]', 'must be a whole number from 1 to 65535, got 0'],
    ['"portMappings":[{"hostPort":65536,"containerPort":80}]', 'must be a whole number from 1 to 65535, got 65536'],
    ['"portMappings":[{"hostPort":"80","containerPort":80}]', 'must be a whole number from 1 to 65535, got "80"'],
    ['"portMappings":[{"hostPort":8,"containerPort":80,"protocol":"icmp"}]', 'must be TCP, UDP or SCTP, got "icmp"'],
    ['"portMappings":[{"hostPort":8,"containerPort":80,"hostIP":"x"}]', 'must be an IP address, got "x"'],
    [
      '"portMappings":[{"hostPort":8,"containerPort":80},{"hostPort":8,"containerPort":81}]',
      'field "portMappings" of entry 1 maps host port 8/tcp twice',
    ],
    [
      '"portMappings":[{"hostPort":8,"containerPort":80,"hostIP":"::1"},{"hostPort":8,"containerPort":81,"hostIP":"::1"}]',
      'field "portMappings" of entry 1 maps host port ::1 8/tcp twice',
    ],
    ['"bandwidth":[]', 'field "bandwidth" of entry 1 must be an object, got an array'],
    ['"bandwidth":{}', 'field "bandwidth" of entry 1 has no rate'],
    ['"bandwidth":{"ingressRate":0}', 'field "ingressRate" of "bandwidth" of entry 1 must be a whole number from 1'],
    ['"bandwidth":{"egressBurst":5}', 'field "egressBurst" of "bandwidth" of entry 1 needs "egressRate" beside it'],
    ['"deviceID":5', 'field "deviceID" of entry 1 must be a string, got 5'],
    ['"ipam-claim-reference":"A b"', 'field "ipam-claim-reference" of entry 1 must be the name of an IPAMClaim'],
  ];
  for (const [members, expected] of cases) {
    assert.ok(reason(`[{"name":"a",${members}}]`).includes(expected), reason(`[{"name":"a",${members}}]`));
  }
});

test("takes the TKE fork's and early Multus's names of fields, the newer ones winning", () => {
  assert.equal(entry('"ipRequest":"10.0.0.9"')?.ips, ['10.0.0.9']);
  assert.is(entry('"macRequest":"02:00:00:00:00:01"')?.mac, '02:00:00:00:00:01');
  assert.equal(entry('"gateway":["10.1.1.1"]')?.defaultRoute, ['10.1.1.1']);
  assert.equal(entry('"gateway":["10.1.1.1"],"default-route":["10.1.1.2"]')?.defaultRoute, ['10.1.1.2']);
  assert.is(reason('[{"name":"a","gateway":"x"}]'), 'field "gateway" of entry 1 must be a list of strings, got "x"');
});

test('keeps "no default route" apart from "nothing said about it"', () => {
  assert.equal(entry('"default-route":[]')?.defaultRoute, []);
  assert.is(entry('"default-route":null')?.defaultRoute, undefined);
});

test('takes the old name of the interface field, the new one winning', () => {
  assert.is(entry('"interfaceRequest":"old"')?.ifName, 'old');
  assert.is(entry('"interface":"new","interfaceRequest":"old"')?.ifName, 'new');
});

test('matches fields as Go does: without regard to case, the last one in the text counting', () => {
  assert.equal(entry('"IPs":["10.0.0.1"]')?.ips, ['10.0.0.1']);
  assert.is(entry('"mac":"02:00:00:00:00:01","MAC":"02:00:00:00:00:02"')?.mac, '02:00:00:00:00:02');
  const thrice = '"mac":"02:00:00:00:00:01","MAC":"02:00:00:00:00:02","mac":"02:00:00:00:00:03"';
  assert.is(entry(thrice)?.mac, '02:00:00:00:00:03');
});

test('ignores fields that nobody knows, and tells which: a typing error must be found', () => {
  assert.equal(entry('"ip":["10.0.0.5"],"MAC":"02:00:00:00:00:01"')?.unknownFields, ['ip']);
  assert.is(entry('"comment":"for the database"')?.name, 'a');
});

test('throws only CniError, for any text and for nearly valid JSON', () => {
  const field = fc.constantFrom(
    ...['name', 'namespace', 'interface', 'ips', 'mac', 'cni-args', 'default-route', 'bandwidth', '__proto__'],
    ...['infiniband-guid', 'portMappings', 'deviceID', 'ipam-claim-reference', 'gateway', 'ipRequest', 'macRequest'],
  );
  const likely = fc.constantFrom('"a"', '["10.0.0.1"]', '[]', '{"a":1}', '"02:00:00:00:00:01"', 'null');
  const item = fc
    .array(fc.tuple(field, fc.oneof(valueText, likely)), { maxLength: 5 })
    .map((members) => `{"name":"a"${members.map(([key, value]) => `,"${key}":${value}`).join('')}}`);
  const list = fc.array(item, { maxLength: 3 }).map((items) => `[${items.join()}]`);
  fc.assert(
    fc.property(list, fc.nat(), fc.string({ unit: 'binary' }), (text, at, any) => {
      onlyCniErrors(() => parse(text));
      onlyCniErrors(() => parse(text.slice(0, at % (text.length + 1)) + any + text.slice(at % (text.length + 1))));
      onlyCniErrors(() => parse(any));
    }),
    { numRuns: 500 },
  );
});

test.run();
