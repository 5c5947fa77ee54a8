import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RawObject } from '../../../src/cni/raw-json.ts';
import {
  DEFAULT_BIN_DIR,
  DEFAULT_CNI_DIR,
  DEFAULT_CONF_DIR,
  type MultusConfig,
  parseConfigForDel,
  parseMultusConfig,
  parseNodeKeys,
  TKE_CNI_DIR,
  VERIFY_FACTS,
} from '../../../src/pod/multus-config.ts';
import { valueText } from '../cni/json-text.ts';
import { onlyCniErrors, refusal } from '../cni/refusal.ts';

const DELEGATES = '"delegates":[{"name":"node","type":"bridge"}]';

/** A configuration that is complete but for the given members. */
function parse(members = ''): MultusConfig {
  const text = `{"name":"multus","type":"multus",${DELEGATES}${members === '' ? '' : `,${members}`}}`;
  return parseMultusConfig(RawObject.parse(text, 'CNI configuration on stdin'));
}
const bare = (text: string) => parseMultusConfig(RawObject.parse(text, 'CNI configuration on stdin'));
const reason = (members: string) =>
  refusal(() => parse(members)).message.replace('Cannot use CNI configuration: key ', '');

test('names key, value and what is wanted, so that a typing error is found without a debugger', () => {
  const cases: [string, string][] = [
    ['"clusterNetwork":5', '"clusterNetwork" must be a string, got 5'],
    ['"multusNamespace":[]', '"multusNamespace" must be a string, got []'],
    ['"binDir":"opt/cni/bin"', '"binDir" must be an absolute path, got "opt/cni/bin"'],
    ['"cniDir":"./state"', '"cniDir" must be an absolute path, got "./state"'],
    ['"confDir":true', '"confDir" must be a string, got true'],
    ['"manifestsDir":"manifests"', '"manifestsDir" must be an absolute path, got "manifests"'],
    ['"kubeconfig":{}', '"kubeconfig" must be a string, got an object'],
    ['"runtimeConfig":[1]', '"runtimeConfig" must be an object, got an array'],
    ['"runtimeConfig":"x"', '"runtimeConfig" must be an object, got a string'],
    ['"cniVersion":1', '"cniVersion" must be a string, got 1'],
    ['"capabilities":["portMappings"]', '"capabilities" must be an object, got an array'],
    ['"capabilities":{"portMappings":"yes"}', '"capabilities["portMappings"]" must be true or false, got "yes"'],
    ['"defaultNetworks":"a,b"', '"defaultNetworks" must be a list of strings, got "a,b"'],
    ['"defaultNetworks":[1]', '"defaultNetworks" must be a list of strings, got [1]'],
    ['"systemNamespaces":"kube-system"', '"systemNamespaces" must be a list of strings, got "kube-system"'],
    ['"namespaceIsolation":"true"', '"namespaceIsolation" must be true or false, got "true"'],
    ['"globalNamespaces":["default"]', '"globalNamespaces" must be a string, got ["default"]'],
    ['"allowedPlugins":["bridge"]', '"allowedPlugins" must be an object, got an array'],
    ['"allowedPlugins":{"prod":"bridge"}', '"allowedPlugins["prod"]" must be a list of plugin types, got "bridge"'],
    ['"readinessindicatorfile":"ready"', '"readinessindicatorfile" must be an absolute path, got "ready"'],
    ['"daemonSocketDir":5', '"daemonSocketDir" must be a string, got 5'],
    ['"daemonSocketDir":"run"', '"daemonSocketDir" must be an absolute path, got "run"'],
    ['"retryDeleteOnError":"true"', '"retryDeleteOnError" must be true or false, got "true"'],
    ['"logFile":"multus.log"', '"logFile" must be an absolute path, got "multus.log"'],
    ['"logLevel":"chatty"', '"logLevel" must be one of debug, verbose, info, error, panic, got "chatty"'],
    ['"logToStderr":"no"', '"logToStderr" must be true or false, got "no"'],
    ['"logOptions":5', '"logOptions" must be an object, got 5'],
    ['"logOptions":{"maxSize":"100"}', '"logOptions.maxSize" must be a whole number from 0, got "100"'],
    ['"logOptions":{"maxAge":-1}', '"logOptions.maxAge" must be a whole number from 0, got -1'],
    ['"logOptions":{"maxBackups":1.5}', '"logOptions.maxBackups" must be a whole number from 0, got 1.5'],
    ['"logOptions":{"compress":1}', '"logOptions.compress" must be true or false, got 1'],
    ['"annotationPolicy":"both"', '"annotationPolicy" must be one of reject, tke, npwg, merge, got "both"'],
    ['"kubeletDir":"kubelet"', '"kubeletDir" must be an absolute path, got "kubelet"'],
    ['"deviceInfoDir":7', '"deviceInfoDir" must be a string, got 7'],
    ['"kubeconfig":"kube/config"', '"kubeconfig" must be an absolute path, got "kube/config"'],
    ['"defaultDelegates":["a"]', '"defaultDelegates" must be a string, got ["a"]'],
    ['"verify":"yes"', '"verify" must be "off", "warn", "enforce" or an object of these, got "yes"'],
    ['"verify":["warn"]', '"verify" must be "off", "warn", "enforce" or an object of these, got ["warn"]'],
    ['"verify":{"mac":"no"}', '"verify.mac" must be "off", "warn" or "enforce", got "no"'],
    [
      '"verify":{"macs":"off"}',
      `"verify" must be an object with keys out of ${VERIFY_FACTS.join(', ')}, got {"macs":"off"}`,
    ],
  ];
  for (const [members, expected] of cases) {
    assert.is(reason(members), expected);
    assert.is(refusal(() => parse(members)).code, 7, members);
  }
});

test('refuses durations that would mean no limit, no time or something else than written', () => {
  for (const value of ['0', '-1', '0.0001', '3601', '"90"', '"1h"', '"30 s"', '"-5s"', '"61m"', '"0s"', '{}', 'true']) {
    for (const key of ['delegateTimeout', 'requestTimeout']) {
      const { code, message } = refusal(() => parse(`"${key}":${value}`));
      assert.is(code, 7);
      const start = `Cannot use CNI configuration: key "${key}" must be a duration of up to an hour such as "30s"`;
      assert.ok(message.startsWith(start) && message.endsWith(`got ${value}`), message);
    }
  }
});

test('refuses pod annotations that are not strings: taken for none, the pod would lose its networks', () => {
  const key = 'io.kubernetes.cri.pod-annotations';
  const shown = `runtimeConfig["${key}"]`;
  assert.is(reason(`"runtimeConfig":{"${key}":["a"]}`), `"${shown}" must be an object of strings, got an array`);
  assert.is(reason(`"runtimeConfig":{"${key}":{"a":1}}`), `"${shown}["a"]" must be a string, got 1`);
});

test('refuses a configuration without a default network and says how to give one', () => {
  for (const text of ['{}', '{"delegates":null}', '{"delegates":[]}', '{"clusterNetwork":""}']) {
    const { code, message } = refusal(() => bare(text));
    assert.is(code, 7, text);
    assert.match(message, 'it names no default network; set "clusterNetwork" or give "delegates" at least one');
  }
});

test('refuses delegates that are no configurations, naming the one', () => {
  assert.match(refusal(() => bare('{"delegates":{}}')).message, 'key "delegates" must be an array, got an object');
  const { message } = refusal(() => bare('{"delegates":[{"name":"a","type":"x"},{"name":"b"}]}'));
  assert.match(message, 'Cannot use CNI configuration, key "delegates[1]": it has neither "type" nor "plugins"');
});

test('refuses the name of an auxiliary chain that would lead out of its folder', () => {
  for (const name of ['../x', 'a/b', '.', 'a b']) {
    const start = '"auxiliaryCNIChainName" must be the name of a folder (';
    assert.ok(reason(`"auxiliaryCNIChainName":"${name}"`).startsWith(start), name);
  }
});

test("refuses two ways of naming the default network in one configuration, Multus's and the TKE fork's", () => {
  for (const [own, key] of [
    [DELEGATES, 'delegates'],
    ['"clusterNetwork":"flannel"', 'clusterNetwork'],
  ]) {
    const { code, message } = refusal(() => bare(`{${own},"defaultDelegates":"tke-bridge"}`));
    assert.is(code, 7);
    assert.match(message, `both "defaultDelegates" ("tke-bridge") and "${key}" name the default network; remove one`);
  }
});

test('takes a configuration of the TKE fork as it is, with its folder and where it kept its state', () => {
  const tke = bare('{"name":"n","type":"multus","kubeconfig":"/root/.kube/config","defaultDelegates":"tke-bridge"}');
  assert.equal(
    [tke.dialect, tke.defaultDelegates, tke.confDir, tke.cniDir, tke.legacyCniDir],
    ['tke', 'tke-bridge', '/etc/cni/net.d/multus', DEFAULT_CNI_DIR, '/var/lib/cni/networks/multus'],
  );
  const shortest = bare('{"name":"n","type":"multus","kubeconfig":"/root/.kube/config"}');
  assert.equal([shortest.dialect, shortest.defaultDelegates], ['tke', '']);
  const own = bare('{"defaultDelegates":"a","confDir":"/etc/cni/net.d","cniDir":"/state"}');
  assert.equal([own.confDir, own.cniDir, own.legacyCniDir], ['/etc/cni/net.d', '/state', '']);
  assert.equal([parse().dialect, parse().legacyCniDir], ['npwg', '']);
});

test('says that defaultNetworks has no effect without clusterNetwork, instead of leaving it out silently', () => {
  const { defaultNetworks, notes } = parse('"defaultNetworks":["a"]');
  assert.equal(defaultNetworks, []);
  assert.match(notes.join(), '"defaultNetworks" has no effect without "clusterNetwork"');
  const effective = parse('"clusterNetwork":"node","defaultNetworks":["a"]');
  assert.equal([effective.defaultNetworks, effective.notes], [['a'], []]);
});

// A typing error in a key would switch off what the key is for, isolation say, and nobody would know.
test('names the keys that nobody knows, and none that belongs to the runtime, the shim or Multus', () => {
  assert.equal(parse('"namespaceIsolaton":true,"manifestDir":"/m","BinDir":"/b"').unknownKeys, [
    'namespaceIsolaton',
    'manifestDir',
  ]);
  const others =
    '"cniVersion":"1.1.0","capabilities":{},"prevResult":{},"daemonSocketDir":"/run/m","cniConf":"/c","cni.dev/valid-attachments":[]';
  assert.equal(parse(`${others},"runtimeConfig":{},"verify":"off","LogFile":"/l","logOptions":{}`).unknownKeys, []);
  assert.equal(bare('{"name":"n","type":"multus","kubeconfig":"/k","defaultDelegates":"a"}').unknownKeys, []);
});

test('keeps numbers of the runtime that JavaScript cannot hold', () => {
  const { runtimeConfig } = parse('"runtimeConfig":{"bandwidth":{"ingressRate":9007199254740993},"x":1,"X":2}');
  assert.equal([runtimeConfig['x']?.text, runtimeConfig['X']?.text], ['1', '2'], 'capabilities are told apart by case');
  assert.is(runtimeConfig['bandwidth']?.text, '{"ingressRate":9007199254740993}');
});

test('cuts a long value in a message: a log line stays one', () => {
  assert.ok(reason(`"verify":"${'x'.repeat(5000)}"`).length < 300);
});

test('takes the directories that Multus uses when nothing is said, and empty texts for nothing said', () => {
  const said = parse();
  assert.equal([said.binDir, said.cniDir, said.confDir], [DEFAULT_BIN_DIR, DEFAULT_CNI_DIR, DEFAULT_CONF_DIR]);
  assert.equal([said.multusNamespace, said.manifestsDir, said.kubeconfig], ['kube-system', '', '']);
  assert.equal([said.delegateTimeoutMs, said.requestTimeoutMs], [60_000, 110_000]);
  assert.equal(said.podAnnotations, undefined);
  assert.equal(parse('"binDir":"","cniDir":null,"verify":null,"delegateTimeout":null'), said);
});

// A configuration that Multus wrote, or one of its documents has, would be refused, or mean something else.
// A node of a cluster that is taken for one without starts pods with nothing but their default network.
test('reads whether the node is one of a cluster, and whether ADD waits for the status', () => {
  const none = parse();
  assert.equal([none.kubernetes, none.statusUpdate], [false, 'async']);
  const said = parse('"kubernetes":true,"statusUpdate":"wait"');
  assert.equal([said.kubernetes, said.statusUpdate], [true, 'wait']);
  assert.throws(() => parse('"kubernetes":"yes"'), /"kubernetes" must be true or false/);
  assert.throws(() => parse('"statusUpdate":"later"'), /"statusUpdate" must be/);
});

test('what Multus parses and never uses changes nothing here either', () => {
  const members = ['"cniConf":"/host/etc/cni/multus/net.d"', '"prevResult":{"cniVersion":"9.9.9"}', '"unknown":[null]'];
  members.push('"allowTryDeleteOnErr":"yes"', '"defaultnetworkfile":5', '"defaultnetworkwaitseconds":{}');
  for (const member of members) assert.equal({ ...parse(member), unknownKeys: [] }, parse(), member);
});

test('matches keys without regard to case, as Multus does', () => {
  assert.is(parse('"BINDIR":"/a"').binDir, '/a');
  assert.is(parse('"binDir":"/a","BinDir":"/b"').binDir, '/b');
});

test('reads every key', () => {
  const config = parse(
    '"multusNamespace":"nets","binDir":"/b","cniDir":"/c","confDir":"/f","manifestsDir":"/m","kubeconfig":"/k",' +
      '"systemNamespaces":["infra"],"namespaceIsolation":true,"globalNamespaces":" a, b ,","readinessindicatorfile":"/r",' +
      '"auxiliaryCNIChainName":"vendor","annotationPolicy":"MERGE","kubeletDir":"/kl","deviceInfoDir":"/d",' +
      '"allowedPlugins":{"*":["bridge"],"infra":[]},"retryDeleteOnError":true,"cniVersion":"0.4.0"',
  );
  assert.equal(
    [config.multusNamespace, config.binDir, config.cniDir, config.confDir, config.manifestsDir, config.kubeconfig],
    ['nets', '/b', '/c', '/f', '/m', '/k'],
  );
  assert.equal([config.systemNamespaces, config.globalNamespaces], [['infra'], ['a', 'b']]);
  assert.equal([config.namespaceIsolation, config.readinessIndicatorFile], [true, '/r']);
  assert.equal([config.auxiliaryCNIChainName, config.annotationPolicy], ['vendor', 'merge']);
  assert.equal([config.kubeletDir, config.deviceInfoDir, config.cniVersion], ['/kl', '/d', '0.4.0']);
  assert.equal(
    [...(config.allowedPlugins ?? [])],
    [
      ['*', ['bridge']],
      ['infra', []],
    ],
  );
});

test("has Multus's defaults for every key that is not given", () => {
  const config = parse();
  assert.equal([config.systemNamespaces, config.globalNamespaces], [['kube-system'], ['default']]);
  assert.equal([config.namespaceIsolation, config.allowedPlugins], [false, undefined]);
  assert.equal([config.readinessIndicatorFile, config.auxiliaryCNIChainName], ['', '']);
  assert.equal([config.kubeletDir, config.deviceInfoDir], ['/var/lib/kubelet', '/var/run/k8s.cni.cncf.io/devinfo']);
  assert.is(config.annotationPolicy, 'reject');
});

test('lets clusterNetwork win over delegates: the node has one default network, not two', () => {
  const config = parse('"clusterNetwork":"flannel"');
  assert.equal([config.clusterNetwork, config.delegates], ['flannel', []]);
});

test('keeps the delegates in order, the first being the default network', () => {
  const { delegates } = bare('{"delegates":[{"name":"b","type":"x"},{"name":"a","plugins":[{"type":"y"}]}]}');
  assert.equal(
    delegates.map(({ name }) => name),
    ['b', 'a'],
  );
});

test('reads durations in every unit', () => {
  const cases: [string, number][] = [
    ['"250ms"', 250],
    ['"30s"', 30_000],
    ['"1.5s"', 1500],
    ['"2m"', 120_000],
    ['"60m"', 3_600_000],
    ['45', 45_000],
    ['0.5', 500],
    ['0.001', 1],
  ];
  for (const [value, ms] of cases) {
    assert.is(parse(`"delegateTimeout":${value}`).delegateTimeoutMs, ms, value);
    assert.is(parse(`"requestTimeout":${value}`).requestTimeoutMs, ms, value);
  }
});

test('enforces existence, name, MAC and VLAN and warns of the rest unless told otherwise', () => {
  const ofLinks = { link: 'enforce', name: 'enforce', mac: 'enforce', mtu: 'warn', addresses: 'warn', routes: 'warn' };
  const standard = { ...ofLinks, vlan: 'enforce', inheritedVlan: 'warn', vf: 'warn' };
  assert.equal(parse().verify, standard);
  assert.equal(parse('"verify":{"mtu":"enforce","link":"off"}').verify, { ...standard, mtu: 'enforce', link: 'off' });
  assert.equal(new Set(Object.values(parse('"verify":"off"').verify)), new Set(['off']));
  assert.equal(Object.keys(parse('"verify":"warn"').verify), [...VERIFY_FACTS]);
  assert.equal(parse().verify, standard, 'one configuration must not change the next one');
});

test('hands over the annotations that the runtime sent, also when there are none', () => {
  const annotations = (value: string) =>
    parse(`"runtimeConfig":{"portMappings":[],"io.kubernetes.cri.pod-annotations":${value}}`).podAnnotations;
  assert.equal(annotations('{"a/b":"c"}'), { 'a/b': 'c' });
  assert.equal(annotations('{}'), {});
  assert.is(annotations('null'), undefined);
});

test('throws only CniError when known keys have arbitrary values', () => {
  const key = fc.constantFrom(
    ...['delegates', 'clusterNetwork', 'binDir', 'runtimeConfig', 'verify', 'delegateTimeout', 'kubeconfig'],
  );
  const likely = fc.constantFrom(
    ...['{"io.kubernetes.cri.pod-annotations":{"a":5}}', '[{"name":"a","type":"x"}]', '[{}]', '"/a"', '"warn"', '1e9'],
  );
  const text = fc
    .array(fc.tuple(key, fc.oneof(valueText, likely)), { maxLength: 6 })
    .map((members) => `{${members.map(([name, value]) => `"${name}":${value}`).join()}}`);
  fc.assert(
    fc.property(text, (one) => onlyCniErrors(() => bare(one))),
    { numRuns: 500 },
  );
});

// The daemon would not start where its file leaves the networks to the runtime's configuration, as most do.
test("a node's own keys need not name its networks, and may name them in any way", () => {
  const nodeKeys = (text: string) => parseNodeKeys(RawObject.parse(text, 'keys'));
  const plain = nodeKeys('{"binDir":"/b"}');
  assert.equal(
    [plain.binDir, plain.clusterNetwork, plain.delegates, plain.defaultDelegates, plain.defaultNetworks, plain.notes],
    ['/b', '', [], '', [], []],
  );
  assert.equal(nodeKeys('{"binDir":"/b","clusterNetwork":"a","defaultDelegates":"b","delegates":[]}'), plain);
  assert.is(refusal(() => nodeKeys('{"binDir":"b"}')).code, 7);
  assert.is(refusal(() => nodeKeys('{"defaultNetworks":5}')).code, 7);
});

// Pods of the TKE fork could not be deleted: what it attached would be in a directory where nobody looks.
test('a broken configuration that may be of the TKE fork still leads DEL to its state', () => {
  const forDel = (text: string) => parseConfigForDel(RawObject.parse(text, 'configuration')).legacyCniDir;
  for (const [config, directory] of [
    ['{"defaultDelegates":"a","verify":5}', TKE_CNI_DIR],
    ['{"defaultDelegates":"a","verify":5,"cniDir":"/var/lib/x"}', ''],
    ['{"delegates":[5]}', ''],
    ['{"clusterNetwork":"a","verify":5}', ''],
  ] as const) {
    assert.is(forDel(config), directory, config);
  }
});

test.run();
