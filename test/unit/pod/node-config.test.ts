import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseNetworkConfig } from '../../../src/cni/config.ts';
import { RawObject } from '../../../src/cni/raw-json.ts';
import { parseMultusConfig } from '../../../src/pod/multus-config.ts';
import { formatNodeConfig } from '../../../src/pod/node-config.ts';
import { space } from '../cni/json-text.ts';
import { refusal } from '../cni/refusal.ts';

const PATH = '/etc/cni/net.d/10-node.conflist';
const ANNOTATIONS = 'io.kubernetes.cri.pod-annotations';

function generate(primary: object, daemon: object | string = {}): string {
  const daemonText = typeof daemon === 'string' ? daemon : JSON.stringify(daemon);
  const config = parseNetworkConfig(JSON.stringify(primary), `CNI configuration file ${PATH}`);
  return formatNodeConfig(config, PATH, RawObject.parse(daemonText, "the daemon's configuration"));
}

const PTP = { cniVersion: '1.0.0', name: 'node', type: 'ptp' };
const list = (...plugins: object[]): object => ({ cniVersion: '1.0.0', name: 'node', plugins });

// A node that attaches every network twice: "net1 already exists", after every second reboot (field notes J2).
test('refuses to wrap a configuration that is one of us, under whatever name we are installed', () => {
  for (const [type, daemon] of [
    ['multus', {}],
    ['multus-shim', {}],
    ['mine', { type: 'mine' }],
  ] as const) {
    const { code, message } = refusal(() => generate(list({ type: 'ptp' }, { type }), daemon));
    assert.is(code, 7);
    assert.match(message, `Cannot use ${PATH} as the default network: its plugin "${type}" would wrap itself`);
  }
});

// The runtime would send CHECK, and the primary's plugins fail it: every pod of the node is restarted.
test('refuses a primary from before CHECK when the daemon speaks a version with it', () => {
  const { code, message } = refusal(() => generate({ ...PTP, cniVersion: '0.3.1' }, { cniVersion: '1.0.0' }));
  assert.is(code, 7);
  assert.match(message, 'its "cniVersion" is "0.3.1", but the daemon\'s is "1.0.0"; raise the first to 0.4.0 or above');
  assert.match(refusal(() => generate({ name: 'n', type: 'ptp' }, { cniVersion: '0.4.0' })).message, 'is "0.1.0"');
  for (const [own, daemon] of [
    ['0.3.1', '0.3.1'],
    ['0.4.0', '1.1.0'],
    ['1.0.0', '0.2.0'],
  ]) {
    assert.is(JSON.parse(generate({ ...PTP, cniVersion: own }, { cniVersion: daemon })).cniVersion, daemon);
  }
});

test('refuses what our own ADD would refuse, naming the key: a file that only looks right fails every pod', () => {
  const cases: [object, number, string][] = [
    [{ cniVersion: '7.0.0' }, 1, '"7.0.0" is not supported'],
    [{ cniVersion: 5 }, 7, 'key "cniVersion" must be a string, got 5'],
    [{ type: '../x' }, 7, 'key "type" is "../x"'],
    [{ overrideNetworkName: 'yes' }, 7, 'key "overrideNetworkName" must be true or false, got "yes"'],
    [{ capabilities: { bandwidth: 'yes' } }, 7, 'key "capabilities["bandwidth"]" must be true or false, got "yes"'],
    [{ binDir: 'bin' }, 7, 'key "binDir" must be an absolute path, got "bin"'],
    [{ defaultDelegates: 'a' }, 7, 'both "defaultDelegates" ("a") and "clusterNetwork" name the default network'],
  ];
  for (const [daemon, code, message] of cases) {
    const error = refusal(() => generate(PTP, daemon));
    assert.is(error.code, code, message);
    assert.match(error.message, message);
  }
});

test('writes the shortest configuration that wraps the primary when nothing is said', () => {
  assert.is(
    generate(PTP),
    `{
  "capabilities": {"${ANNOTATIONS}":true},
  "cniVersion": "1.0.0",
  "name": "multus-cni-network",
  "clusterNetwork": "${PATH}",
  "type": "multus"
}
`,
  );
});

test("has Multus's keys in Multus's order, and leaves out what says nothing or is for the daemon only", () => {
  const daemon = {
    daemonSocketDir: '/run/m',
    auxiliaryCNIChainName: 'aux',
    cniDir: '/state',
    type: 'multus-shim',
    globalNamespaces: 'a,b',
    namespaceIsolation: true,
    logOptions: { maxAge: 1 },
    logToStderr: false,
    logLevel: 'debug',
    logFile: '',
    name: 'ignored',
    clusterNetwork: 'ignored',
    cniVersion: '0.4.0',
    binDir: '/bin',
    capabilities: null,
    overrideNetworkName: true,
    readinessindicatorfile: '/ready',
    cniConfigDir: '/c',
    multusConfigFile: 'auto',
    multusMasterCNI: 'x',
    multusAutoconfigDir: '/a',
    forceCNIVersion: true,
    socketDir: '/s',
    chrootDir: '/h',
    confDir: '/conf',
    unknown: 1,
  };
  const made = JSON.parse(generate(PTP, daemon));
  assert.equal(Object.keys(made), [
    ...['binDir', 'capabilities', 'cniVersion', 'logLevel', 'logToStderr', 'logOptions', 'name', 'clusterNetwork'],
    ...['namespaceIsolation', 'globalNamespaces', 'type', 'cniDir', 'auxiliaryCNIChainName', 'daemonSocketDir'],
    ...['overrideNetworkName', 'confDir'],
  ]);
  assert.equal([made.name, made.type, made.cniVersion, made.clusterNetwork], ['node', 'multus-shim', '0.4.0', PATH]);
});

// Multus only lays these over requests in its daemon: without the daemon a pod would silently get other networks.
test('has the keys that decide about networks, so that both doors attach the same', () => {
  const daemon = {
    defaultNetworks: ['a'],
    systemNamespaces: [],
    multusNamespace: 'nets',
    confDir: '/f',
    manifestsDir: '/m',
  };
  const config = parseMultusConfig(RawObject.parse(generate(PTP, daemon), 'file'));
  assert.equal([config.defaultNetworks, config.systemNamespaces, config.multusNamespace], [['a'], [], 'nets']);
  assert.equal([config.confDir, config.manifestsDir], ['/f', '/m']);
});

// Without the primary's, port mappings stop working; with one that no plugin has, the runtime sends it for nothing.
test('capabilities are the true ones of all plugins and of the daemon, and the annotations', () => {
  const capabilities = { portMappings: true, bandwidth: false, ips: true };
  const plugins = [{ type: 'a', capabilities }, { type: 'b' }, { type: 'c', capabilities: { mac: true } }];
  const made = JSON.parse(generate(list(...plugins), { capabilities: { dns: true, ips: false } }));
  assert.equal(Object.keys(made.capabilities), ['dns', ANNOTATIONS, 'ips', 'mac', 'portMappings']);
});

// A node that declares a newer version is asked for STATUS and GC, which an older plugin may fail: it goes NotReady.
test("takes the primary's own version, the highest that it offers, when the daemon names none", () => {
  const version = (primary: object): string => JSON.parse(generate(primary)).cniVersion;
  assert.is(version({ ...PTP, cniVersion: '0.3.1' }), '0.3.1');
  assert.is(version({ name: 'node', cniVersions: ['0.4.0', '1.0.0'], plugins: [{ type: 'a' }] }), '1.0.0');
});

const name = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_.-]{0,10}$/);
const capabilities = fc.dictionary(fc.string({ maxLength: 8 }), fc.boolean(), { maxKeys: 3 });
const plugin = fc.record({ type: name.map((type) => `p-${type}`), capabilities }, { requiredKeys: ['type'] });
const primaries = fc.oneof(
  fc.record({
    cniVersion: fc.constantFrom('0.4.0', '1.0.0', '1.1.0'),
    name,
    plugins: fc.array(plugin, { minLength: 1, maxLength: 3 }),
  }),
  fc.tuple(name, plugin).map(([one, rest]) => ({ cniVersion: '1.0.0', name: one, ...rest })),
);
/** Values that decoding and encoding again would change. */
const daemonMembers = fc.subarray([
  ['logOptions', '{ "maxAge":5.0, "maxSize" : 1e2,"x":9007199254740993 }'],
  ['binDir', '"\\u002fopt/bin"'],
  ['defaultNetworks', '[ "a" ,\t"b"]'],
  ['verify', '{"mac" : "off"}'],
  ['delegateTimeout', '3.50e1'],
] as const);

test("keeps the daemon's bytes, and is always a configuration that our ADD takes", () => {
  fc.assert(
    fc.property(primaries, daemonMembers, space, (primary, members, blank) => {
      const text = generate(primary, `{${members.map(([key, raw]) => `"${key}":${blank}${raw}`).join()}}`);
      const made = RawObject.parse(text, 'file');
      for (const [key, raw] of members) assert.is(made.raw(key), raw);
      assert.is(parseMultusConfig(made).clusterNetwork, PATH);
      const plugins = 'plugins' in primary ? primary.plugins : [primary];
      const declared = plugins.flatMap((one) => Object.entries(one.capabilities ?? {}).filter(([, value]) => value));
      const expected = new Set([ANNOTATIONS, ...declared.map(([key]) => key)]);
      assert.equal(new Set(Object.keys(made.value('capabilities') as object)), expected);
    }),
    { numRuns: 300 },
  );
});

// Without the key, a pod whose annotations nobody can tell would start with the default network only.
test('says that the node belongs to a cluster when the daemon has an API server', () => {
  const primary = parseNetworkConfig(JSON.stringify(PTP), 'primary');
  const source = RawObject.parse('{}', 'file');
  assert.is(JSON.parse(formatNodeConfig(primary, PATH, source, { kubernetes: true })).kubernetes, true);
  assert.not.ok('kubernetes' in JSON.parse(formatNodeConfig(primary, PATH, source)));
  assert.is(JSON.parse(generate(PTP, { kubernetes: true })).kubernetes, true, 'thin: nobody else can say it');
});

test.run();
