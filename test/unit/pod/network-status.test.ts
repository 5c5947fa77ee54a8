import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CniInterface, emptyResult } from '../../../src/cni/result.ts';
import { type AttachedNetwork, formatNetworkStatus, type PodNetwork } from '../../../src/pod/network-status.ts';

const NOTHING: PodNetwork = { links: [], defaultRoutes: [] };
const SANDBOX = '/run/netns/x';

function attached(more: Partial<AttachedNetwork> = {}): AttachedNetwork {
  return {
    network: 'default/lan',
    ifName: 'net1',
    isDefault: false,
    result: emptyResult('1.1.0'),
    deviceInfo: undefined,
    ...more,
  };
}

const link = (name: string, n: number, mtu = 1500) => ({ name, mac: `02:00:00:00:00:0${n}`, mtu });

/** The default network as ptp reports it, and its link. */
const NODE = attached({
  network: 'node',
  ifName: 'eth0',
  isDefault: true,
  result: {
    ...emptyResult('1.0.0'),
    interfaces: [{ name: 'veth1' }, { name: 'eth0', sandbox: SANDBOX }],
    ips: [{ address: '10.0.0.5/24', interface: 1, gateway: '10.0.0.1' }],
  },
});
const ETH0 = link('eth0', 1);

// biome-ignore lint/suspicious/noExplicitAny: entries of any form
const entries = (attachments: AttachedNetwork[], pod: Partial<PodNetwork> = {}): any[] =>
  JSON.parse(formatNetworkStatus(attachments, { ...NOTHING, ...pod }));

// Consumers that cut the text, and operators that compare it with Multus's, would find it different.
test('the text is that of Multus: order of the keys, indentation, separators, what is left out', () => {
  const lan = attached({
    result: {
      ...emptyResult('1.1.0'),
      interfaces: [{ name: 'net1', sandbox: SANDBOX }],
      ips: [{ address: '10.1.0.5/24' }, { address: 'FD00:0::5/64' }],
      dns: { options: ['ndots:1'], search: ['a.b', 'b'], domain: 'a.b', nameservers: ['10.1.0.2'], other: 1 },
    },
    deviceInfo: { type: 'pci', version: '1.1.0', pci: { 'pci-address': '0000:01:00.1' } },
  });
  const pod = {
    links: [ETH0, link('net1', 2, 9000)],
    defaultRoutes: [
      { ifName: 'net1', gateway: '10.1.0.1' },
      { ifName: 'net1', gateway: 'fd00::1' },
    ],
  };
  assert.is(
    formatNetworkStatus([NODE, lan], pod),
    `[{
    "name": "node",
    "interface": "eth0",
    "ips": [
        "10.0.0.5"
    ],
    "mac": "02:00:00:00:00:01",
    "mtu": 1500,
    "default": true,
    "dns": {}
},{
    "name": "default/lan",
    "interface": "net1",
    "ips": [
        "10.1.0.5",
        "fd00::5"
    ],
    "mac": "02:00:00:00:00:02",
    "mtu": 9000,
    "dns": {
        "nameservers": [
            "10.1.0.2"
        ],
        "domain": "a.b",
        "search": [
            "a.b",
            "b"
        ],
        "options": [
            "ndots:1"
        ]
    },
    "device-info": {
        "type": "pci",
        "version": "1.1.0",
        "pci": {
            "pci-address": "0000:01:00.1"
        }
    },
    "gateway": [
        "10.1.0.1",
        "fd00::1"
    ]
}]`,
  );
});

test("characters are escaped as Go's encoder does", () => {
  const dns = { domain: '<a>&\u2028\u2029"\\\n' };
  const text = formatNetworkStatus([attached({ result: { ...emptyResult('1.0.0'), dns } })], NOTHING);
  assert.ok(text.includes(String.raw`"domain": "\u003ca\u003e\u0026\u2028\u2029\"\\\n"`), text);
});

// Multus's weak point 10: nothing tells that the pod has the network.
test('an attachment without an interface has an entry', () => {
  assert.is(formatNetworkStatus([attached()], NOTHING), '[{\n    "name": "default/lan",\n    "dns": {}\n}]');
});

// The same, for plugins of CNI 0.2.0 and those that report addresses only.
test('a result with addresses only is told with the interface that the pod has', () => {
  const result = { ...emptyResult('0.2.0'), ips: [{ address: '10.1.0.5/24' }] };
  assert.equal(entries([attached({ result })], { links: [link('net1', 2)] }), [
    { name: 'default/lan', interface: 'net1', ips: ['10.1.0.5'], mac: '02:00:00:00:00:02', mtu: 1500, dns: {} },
  ]);
  const hostOnly = { ...result, interfaces: [{ name: 'cali1' }], ips: [{ address: '10.1.0.5/24', interface: 0 }] };
  assert.equal(entries([attached({ result: hostOnly })]), [{ name: 'default/lan', ips: ['10.1.0.5'], dns: {} }]);
});

const TWO = {
  ...emptyResult('1.0.0'),
  interfaces: [
    { name: 'br0' },
    { name: 'side0', sandbox: SANDBOX, mac: '02:00:00:00:00:aa' },
    { name: 'net1', sandbox: SANDBOX, mac: '02:00:00:00:00:bb', mtu: 9000 },
  ],
};

// An address would be looked for on the wrong interface.
test('several interfaces have an entry each, with the addresses that the plugin gave them', () => {
  const ips = [
    { address: '10.1.0.1/24', interface: 0 }, // the bridge's, not the pod's
    { address: '10.1.0.5/24', interface: 2 },
    { address: '10.1.0.6/24', interface: 1 },
    { address: '10.1.0.7/24' },
    { address: '10.1.0.8/24', interface: 9 },
  ];
  const pod = { links: [link('side0', 1), link('net1', 2)], defaultRoutes: [{ ifName: 'side0', gateway: '10.1.0.1' }] };
  const told = entries([attached({ result: { ...TWO, ips } })], pod);
  assert.equal(
    told.map((one) => [one.interface, one.ips, one.mac, one.mtu, one.gateway]),
    [
      ['side0', ['10.1.0.6'], '02:00:00:00:00:01', 1500, ['10.1.0.1']],
      ['net1', ['10.1.0.5', '10.1.0.7', '10.1.0.8'], '02:00:00:00:00:02', 1500, undefined],
    ],
  );
});

// A pod would be told of a network that it does not have; one without a network device would not find its address.
test("of interfaces that the kernel does not have, only the attachment's own is told, as the plugin has it", () => {
  const ips = [{ address: '10.1.0.5/24', interface: 2 }];
  assert.equal(entries([attached({ result: { ...TWO, ips } })]), [
    { name: 'default/lan', interface: 'net1', ips: ['10.1.0.5'], mac: '02:00:00:00:00:bb', mtu: 9000, dns: {} },
  ]);
});

// Multus's weak point 10: consumers read "<nil>" as a gateway.
test('a default route without a gateway is no gateway', () => {
  const pod = { links: [ETH0], defaultRoutes: [{ ifName: 'eth0', gateway: '' }] };
  assert.is(entries([NODE], pod)[0].gateway, undefined);
});

// Who asks for the pod's main address would take that of another interface.
test('the default entry is the interface with the default route, of the network that answers, else its first', () => {
  const result = { ...TWO };
  const links = [link('side0', 1), link('net1', 2), ETH0];
  const defaults = (defaultRoutes: PodNetwork['defaultRoutes'], ...more: AttachedNetwork[]) =>
    entries([attached({ result, isDefault: true }), ...more], { links, defaultRoutes })
      .filter((one) => one.default === true)
      .map((one) => one.interface);
  assert.equal(defaults([]), ['side0']);
  assert.equal(defaults([{ ifName: 'net1', gateway: '10.1.0.1' }]), ['net1']);
  assert.equal(defaults([{ ifName: 'net1', gateway: '' }]), ['net1'], 'also when it needs no gateway');
  const other = { ...NODE, isDefault: false };
  assert.equal(defaults([{ ifName: 'eth0', gateway: '10.0.0.1' }], other), ['side0'], 'never one of another network');
});

const name = fc.constantFrom('eth0', 'net1', 'net2', 'a<b', '');
const anInterface: fc.Arbitrary<CniInterface> = fc
  .tuple(name, fc.constantFrom('', SANDBOX))
  .map(([one, sandbox]) => ({ name: one || 'x', sandbox }));
const anIp = fc
  .tuple(fc.constantFrom('10.0.0.5/24', 'fd00::5/64'), fc.option(fc.integer({ min: -1, max: 3 }), { nil: undefined }))
  .map(([address, index]) => ({ address, ...(index === undefined ? {} : { interface: index }) }));
const anAttached: fc.Arbitrary<AttachedNetwork> = fc
  .tuple(
    fc.array(anInterface, { maxLength: 3 }),
    fc.array(anIp, { maxLength: 4 }),
    fc.constantFrom('eth0', 'net1'),
    fc.option(fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<unknown>), { nil: undefined }),
    fc.array(fc.string(), { maxLength: 2 }),
  )
  .map(([interfaces, ips, ifName, deviceInfo, nameservers]) =>
    attached({ ifName, deviceInfo, result: { ...emptyResult('1.0.0'), interfaces, ips, dns: { nameservers } } }),
  );
const aPod: fc.Arbitrary<PodNetwork> = fc.record({
  links: fc.uniqueArray(
    fc.record({ name, mac: fc.constantFrom('', '02:00:00:00:00:01'), mtu: fc.constantFrom(0, 1500) }),
    { selector: (one) => one.name },
  ),
  defaultRoutes: fc.array(fc.record({ ifName: name, gateway: fc.constantFrom('', '10.0.0.1', 'fd00::1') })),
});

const KEYS = ['name', 'interface', 'ips', 'mac', 'mtu', 'default', 'dns', 'device-info', 'gateway'];

// One odd plugin would make the status of all its networks unreadable.
test('whatever plugins report: JSON, every network has an entry, in order, one is the default, no key is empty', () => {
  fc.assert(
    fc.property(fc.array(anAttached, { minLength: 1, maxLength: 4 }), fc.nat(), aPod, (list, at, pod) => {
      const networks = list.map((one, i) => ({ ...one, network: `n/${i}`, isDefault: i === at % list.length }));
      const told = entries(networks, pod);
      assert.equal(
        [...new Set(told.map((one) => one.name))],
        networks.map((one) => one.network),
      );
      assert.equal(
        told.filter((one) => one.default !== undefined).map((one) => [one.name, one.default]),
        [[`n/${at % list.length}`, true]],
      );
      for (const entry of told) {
        const keys = Object.keys(entry);
        assert.equal(
          keys,
          KEYS.filter((key) => keys.includes(key)),
        );
        assert.ok(keys.includes('dns'));
        for (const key of keys.filter((one) => one !== 'dns')) assert.is.not(entry[key], '', key);
        assert.not((entry.gateway ?? []).includes(''));
      }
    }),
  );
});

test.run();
