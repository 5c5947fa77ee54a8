import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RawObject } from '../../../src/cni/raw-json.ts';
import { type DaemonConfig, parseDaemonConfig } from '../../../src/pod/daemon-config.ts';
import { refusal } from '../cni/refusal.ts';

const WHAT = 'daemon configuration /etc/d.json';
const parse = (text: string): DaemonConfig => parseDaemonConfig(RawObject.parse(text, WHAT), WHAT);
const reason = (text: string): string => refusal(() => parse(text)).message.replace(`Cannot use ${WHAT}: key `, '');

// Multus's daemon says "json: cannot unmarshal string into Go struct field" at best, and ignores most.
test('names the keys that nobody knows: a typing error would switch off what the key is for', () => {
  const source = RawObject.parse('{"namespaceIsolaton":true,"socketDir":"/run/m","defaultNetworks":["a"]}', 'the file');
  assert.equal(parseDaemonConfig(source, 'the file').notes, ['unknown keys, without effect: namespaceIsolaton']);
  assert.equal(parseDaemonConfig(source, 'the file').overlay, { defaultNetworks: '["a"]' }, 'told once only');
});

test('names key, value and what is wanted, so that the daemon does not start with half of its file', () => {
  const cases: [string, string][] = [
    ['{"socketDir":5}', '"socketDir" must be a string, got 5'],
    ['{"socketDir":"run/multus"}', '"socketDir" must be an absolute path, got "run/multus"'],
    ['{"connectionLimit":"5"}', '"connectionLimit" must be a whole number from 1, got "5"'],
    ['{"connectionLimit":1.5}', '"connectionLimit" must be a whole number from 1, got 1.5'],
    ['{"logFile":true}', '"logFile" must be a string, got true'],
    ['{"logLevel":"loud"}', '"logLevel" must be one of debug, verbose, info, error, panic, got "loud"'],
    ['{"logToStderr":"no"}', '"logToStderr" must be true or false, got "no"'],
    ['{"logOptions":{"maxSize":"1"}}', '"logOptions.maxSize" must be a whole number from 0, got "1"'],
    ['{"cniVersion":1}', '"cniVersion" must be a string, got 1'],
    ['{"readinessindicatorfile":[]}', '"readinessindicatorfile" must be a string, got []'],
    ['{"cniConfigDir":"net.d"}', '"cniConfigDir" must be an absolute path, got "net.d"'],
    ['{"multusConfigFile":"00-multus.conf"}', '"multusConfigFile" must be "auto" or an absolute path'],
    ['{"multusAutoconfigDir":{}}', '"multusAutoconfigDir" must be a string, got an object'],
    ['{"daemonSocketDir":"run/multus"}', '"daemonSocketDir" must be an absolute path, got "run/multus"'],
    ['{"type":5}', '"type" must be a string, got 5'],
    ['{"multusMasterCNI":7}', '"multusMasterCNI" must be a string, got 7'],
    ['{"forceCNIVersion":"true"}', '"forceCNIVersion" must be true or false, got "true"'],
    ['{"overrideNetworkName":1}', '"overrideNetworkName" must be true or false, got 1'],
    ['{"hotplug":"yes"}', '"hotplug" must be true or false, got "yes"'],
    ['{"chrootDir":"hostroot"}', '"chrootDir" must be an absolute path, got "hostroot"'],
    ['{"metricsPort":"9091"}', '"metricsPort" must be a whole number from 0, got "9091"'],
    ['{"enablePprof":"yes"}', '"enablePprof" must be true or false, got "yes"'],
    ['{"perNodeCertificate":true}', '"perNodeCertificate" must be an object, got true'],
  ];
  for (const [text, expected] of cases) {
    assert.ok(reason(text).startsWith(expected), `${text}: ${reason(text)}`);
    assert.is(refusal(() => parse(text)).code, 7, text);
  }
  const { message } = refusal(() => parse('{"perNodeCertificate":{"certDuration":10}}'));
  assert.is(message, `Cannot use ${WHAT}, key "perNodeCertificate": key "certDuration" must be a string, got 10`);
});

// Every pod of the node would fail instead of the daemon's start.
test('refuses what every request would be refused for', () => {
  const cases: [string, string][] = [
    ['{"namespaceIsolation":"yes"}', '"namespaceIsolation" must be true or false, got "yes"'],
    ['{"cniDir":"state"}', '"cniDir" must be an absolute path, got "state"'],
    ['{"verify":"loud"}', '"verify" must be "off", "warn", "enforce" or an object of these, got "loud"'],
    ['{"delegateTimeout":0}', '"delegateTimeout" must be a duration'],
  ];
  for (const [text, expected] of cases) assert.ok(reason(text).startsWith(expected), `${text}: ${reason(text)}`);
  const { message } = refusal(() => parse('{"delegates":[{"name":"a"}]}'));
  assert.ok(message.includes(`${WHAT}, key "delegates[0]"`), message);
});

test('an empty file says what Multus takes for said', () => {
  const { source, log, ...rest } = parse('{}');
  assert.is(source.text, '{}');
  assert.equal([log.file, log.level, log.toStderr], ['', undefined, undefined]);
  assert.equal(log.rotation, { maxAge: 5, maxSize: 100, maxBackups: 5, compress: true });
  assert.equal(rest, {
    socketDir: '',
    connectionLimit: undefined,
    cniDir: '',
    overlay: {},
    hotplug: false,
    cniVersion: '',
    readinessIndicatorFile: '',
    cniConfigDir: '/etc/cni/net.d',
    multusConfigFile: 'auto',
    multusAutoconfigDir: '',
    multusMasterCNI: '',
    forceCNIVersion: false,
    overrideNetworkName: false,
    perNodeCertificate: undefined,
    notes: [],
  });
});

test('reads every key, and the file of Multus’s own manifest', () => {
  const config = parse(`{
    "chrootDir": "/hostroot", "cniVersion": "0.3.1", "logLevel": "VERBOSE", "logToStderr": true,
    "cniConfigDir": "/host/etc/cni/net.d", "multusAutoconfigDir": "/host/auto", "multusConfigFile": "auto",
    "socketDir": "/host/run/multus/", "connectionLimit": 7, "logFile": "/var/log/multus.log",
    "logOptions": {"MaxSize": 1, "maxBackups": 2, "maxAge": 3, "compress": false},
    "readinessindicatorfile": "/ready", "multusMasterCNI": "10-flannel.conflist", "forceCNIVersion": true,
    "overrideNetworkName": true, "cniDir": "/state", "hotplug": true, "unknown": {"a": [1]}
  }`);
  const { source, log, overlay, notes, ...rest } = config;
  assert.equal(log, {
    file: '/var/log/multus.log',
    level: 'verbose',
    toStderr: true,
    rotation: { maxSize: 1, maxBackups: 2, maxAge: 3, compress: false },
  });
  assert.equal(rest, {
    socketDir: '/host/run/multus/',
    connectionLimit: 7,
    cniDir: '/state',
    hotplug: true,
    cniVersion: '0.3.1',
    readinessIndicatorFile: '/ready',
    cniConfigDir: '/host/etc/cni/net.d',
    multusConfigFile: 'auto',
    multusAutoconfigDir: '/host/auto',
    multusMasterCNI: '10-flannel.conflist',
    forceCNIVersion: true,
    overrideNetworkName: true,
    perNodeCertificate: undefined,
  });
  assert.equal(Object.keys(overlay), ['logLevel', 'logToStderr', 'logFile', 'logOptions', 'cniDir']);
  assert.equal(notes.length, 2, 'a key without effect here, and one that nobody knows');
});

test('overlays readinessindicatorfile when nothing is generated', () => {
  const text = '{"multusConfigFile":"/etc/multus/00-multus.conf","readinessindicatorfile":"/ready"}';
  assert.equal(parse(text).overlay, { readinessindicatorfile: '"/ready"' });
});

test('takes what a certificate of the node needs, as Multus writes it, and refuses a half of it', () => {
  const own = { enabled: true, bootstrapKubeconfig: '/boot', certDir: '/certs' };
  const taken = (more: object) => parse(JSON.stringify({ perNodeCertificate: { ...own, ...more } })).perNodeCertificate;
  assert.equal(taken({}), { bootstrapKubeconfig: '/boot', certDir: '/certs', seconds: 600 });
  assert.is(taken({ certDuration: '1h30m' })?.seconds, 5400);
  assert.is(taken({ certDuration: '24h' })?.seconds, 86_400);
  assert.is(taken({ enabled: false }), undefined);
  for (const wrong of [{ certDir: '' }, { bootstrapKubeconfig: '' }, { certDuration: 'a day' }, { certDir: 'certs' }]) {
    const [key = ''] = Object.keys(wrong);
    assert.match(refusal(() => taken(wrong)).message, `key "perNodeCertificate": key "${key}" must be`);
  }
});

// Somebody who waits for metrics has to learn that they do not come.
test('says which keys have no effect and why, only when they are set', () => {
  const set = '{"chrootDir":"/h","metricsPort":9091,"enablePprof":true}';
  assert.equal(
    parse(set).notes.map((note) => note.split(' has no effect: ')[0]),
    ['"chrootDir"', '"metricsPort"', '"enablePprof"'],
  );
  assert.equal(parse('{"chrootDir":"","metricsPort":0,"enablePprof":false,"perNodeCertificate":{}}').notes, []);
});

test('accepts keys of requests of every kind beside each other', () => {
  for (const text of [
    '{"clusterNetwork":"a"}',
    '{"defaultDelegates":"a"}',
    '{"delegates":[]}',
    '{"kubeconfig":"/k"}',
  ]) {
    assert.equal(Object.keys(parse(text).overlay).length, 1, text);
  }
});

test.run();
