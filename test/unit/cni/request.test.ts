import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseRequest } from '../../../src/cni/request.ts';
import { valueText } from './json-text.ts';
import { onlyCniErrors, refusal } from './refusal.ts';

const ENV = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/run/netns/c1',
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/opt/cni/bin:/usr/libexec/cni',
  CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=web-0',
};
const CONFIG = '{"cniVersion":"1.1.0","name":"multus-cni-network","type":"multus"}';

const request = (env: Record<string, string | undefined>, config = CONFIG) =>
  parseRequest({ ...ENV, ...env }, Buffer.from(config));
const message = (env: Record<string, string | undefined>, config = CONFIG) =>
  refusal(() => request(env, config)).message;
const code = (env: Record<string, string | undefined>, config = CONFIG) => refusal(() => request(env, config)).code;

test('parseRequest() refuses with code 4 when CNI_COMMAND is missing or unknown', () => {
  const commands = 'it must be one of ADD, DEL, CHECK, STATUS, GC, VERSION';
  assert.is(message({ CNI_COMMAND: undefined }), `Cannot use the environment: CNI_COMMAND is not set, ${commands}`);
  assert.is(message({ CNI_COMMAND: 'add' }), `Cannot use the environment: CNI_COMMAND "add" is unknown, ${commands}`);
  assert.is(code({ CNI_COMMAND: 'toString' }), 4);
});

test('parseRequest() lists every missing variable in one error', () => {
  const none = { CNI_CONTAINERID: '', CNI_NETNS: undefined, CNI_IFNAME: '', CNI_PATH: '' };
  const all = 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH';
  assert.is(message(none), `Cannot use the environment: ADD needs ${all}, which is not set`);
  assert.is(code(none), 4);
  assert.match(message({ ...none, CNI_COMMAND: 'CHECK' }), `CHECK needs ${all},`);
  assert.match(message({ ...none, CNI_COMMAND: 'DEL' }), 'DEL needs CNI_CONTAINERID, CNI_IFNAME, CNI_PATH,');
});

test('parseRequest() refuses with code 4 when a variable is malformed', () => {
  assert.match(message({ CNI_CONTAINERID: '../x' }), /CNI_CONTAINERID "..\/x"/);
  assert.match(message({ CNI_IFNAME: 'a/b' }), /CNI_IFNAME "a\/b"/);
  assert.match(message({ CNI_NETNS: 'run/netns' }), /CNI_NETNS "run\/netns" is relative/);
  assert.match(message({ CNI_NETNS: '/run\0' }), /CNI_NETNS "\/run\\u0000" contains a NUL/);
  assert.match(message({ CNI_PATH: '/a:b' }), /CNI_PATH "b" is relative/);
  assert.match(message({ CNI_ARGS: 'oops' }), /CNI_ARGS: the pair "oops"/);
  for (const env of [{ CNI_CONTAINERID: '../x' }, { CNI_IFNAME: 'a/b' }, { CNI_NETNS: 'x' }, { CNI_PATH: 'b' }]) {
    assert.is(code(env), 4);
  }
});

test('parseRequest() refuses with code 6 when stdin is not a JSON object', () => {
  assert.is(message({}, ''), 'Cannot parse CNI configuration on stdin: stdin is empty');
  assert.match(message({}, '[]'), /must be a JSON object, got an array/);
  assert.match(message({}, '{"name":'), /at line 1 column 9/);
  assert.is(refusal(() => parseRequest(ENV, Uint8Array.from([0xff]))).code, 6);
  assert.is(code({}, ''), 6);
});

test('parseRequest() refuses with code 7 when the name is missing or malformed', () => {
  assert.is(message({}, '{"cniVersion":"1.0.0"}'), 'Cannot use CNI configuration on stdin: key "name" is missing');
  assert.is(message({}, '{"name":null}'), 'Cannot use CNI configuration on stdin: key "name" is missing');
  assert.match(message({}, '{"name":5}'), /key "name" must be a string, got 5/);
  assert.match(message({}, '{"name":"a b"}'), /key "name" is "a b": it must start with/);
  assert.match(message({}, '{"name":"a","cniVersion":1}'), /key "cniVersion" must be a string, got 1/);
  assert.is(code({}, '{"name":""}'), 7);
});

test('parseRequest() refuses with code 1 when the version is unknown or too old for the command', () => {
  assert.is(code({}, '{"name":"a","cniVersion":"9.0.0"}'), 1);
  for (const [command, version] of [
    ['CHECK', '0.3.1'],
    ['STATUS', '1.0.0'],
    ['GC', '1.0.0'],
  ] as const) {
    const config = `{"name":"a","cniVersion":"${version}"}`;
    assert.is(code({ CNI_COMMAND: command }, config), 1);
    assert.match(message({ CNI_COMMAND: command }, config), `config version does not allow ${command}: `);
  }
});

test('parseRequest() reads a complete ADD', () => {
  const add = request({ TRACEPARENT: '00-a-b-01', TRACESTATE: '', BAGGAGE: undefined, PATH: '/bin' });
  assert.equal([add.command, add.containerId, add.netns, add.ifName], ['ADD', 'c1', '/run/netns/c1', 'eth0']);
  assert.equal(add.path, ['/opt/cni/bin', '/usr/libexec/cni']);
  assert.equal([add.name, add.cniVersion, add.config.text], ['multus-cni-network', '1.1.0', CONFIG]);
  assert.is(add.args.get('K8S_POD_NAME'), 'web-0');
  assert.is(add.argsText, ENV.CNI_ARGS);
  assert.equal(add.trace, { TRACEPARENT: '00-a-b-01' });
});

test('parseRequest() takes 0.1.0 when the configuration has no version', () => {
  assert.is(request({}, '{"NAME":"a"}').cniVersion, '0.1.0');
});

test('parseRequest() takes a DEL without netns and CNI_ARGS', () => {
  const del = request({ CNI_COMMAND: 'DEL', CNI_NETNS: '', CNI_ARGS: undefined });
  assert.equal([del.netns, del.argsText, del.args.pairs], ['', '', []]);
});

test('parseRequest() drops empty parts of CNI_PATH', () => {
  assert.equal(request({ CNI_PATH: ':/a::/b:' }).path, ['/a', '/b']);
});

test('parseRequest() needs no container for STATUS and GC, and ignores one', () => {
  for (const command of ['STATUS', 'GC']) {
    const bare = parseRequest({ CNI_COMMAND: command }, Buffer.from(CONFIG));
    assert.equal([bare.command, bare.containerId, bare.netns, bare.ifName, bare.path], [command, '', '', '', []]);
    const full = request({ CNI_COMMAND: command, CNI_CONTAINERID: '../x' });
    assert.equal([full.containerId, full.netns, full.ifName], ['', '', '']);
  }
});

test('parseRequest() answers VERSION whatever stdin holds', () => {
  const version = (stdin: string) => parseRequest({ CNI_COMMAND: 'VERSION' }, Buffer.from(stdin));
  for (const stdin of ['', 'oops', '[]', '{"cniVersion":"9.0.0"}', '{"cniVersion":5}']) {
    assert.is(version(stdin).cniVersion, '1.1.0', stdin);
  }
  assert.is(version('{"cniVersion":"0.4.0"}').cniVersion, '0.4.0');
  assert.equal([version('').config.text, version('').name], ['{}', '']);
});

test('parseRequest() throws only CniError when environment and stdin are arbitrary', () => {
  const odd = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(undefined, '', '/a', 'a=b', 'eth0'));
  const env = fc.record({
    CNI_COMMAND: fc.constantFrom('ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION', 'x', undefined),
    CNI_CONTAINERID: odd,
    CNI_NETNS: odd,
    CNI_IFNAME: odd,
    CNI_PATH: odd,
    CNI_ARGS: odd,
  });
  const key = fc.constantFrom('"name"', '"cniVersion"', '"x"');
  const nearly = fc.array(fc.tuple(key, fc.oneof(valueText, fc.constantFrom('"a"', '"1.1.0"')))).map((members) => {
    return Buffer.from(`{${members.map(([name, value]) => `${name}:${value}`).join()}}`);
  });
  fc.assert(
    fc.property(env, fc.oneof(nearly, fc.uint8Array()), (variables, stdin) => {
      onlyCniErrors(() => parseRequest(variables, stdin));
      onlyCniErrors(() => parseRequest({ ...ENV, CNI_COMMAND: variables.CNI_COMMAND }, stdin));
    }),
    { numRuns: 300 },
  );
});

test.run();
