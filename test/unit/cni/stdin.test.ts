import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseNetworkConfig } from '../../../src/cni/config.ts';
import { RawObject } from '../../../src/cni/raw-json.ts';
import { pluginStdin, type StdinAdditions } from '../../../src/cni/stdin.ts';
import { memberTexts, objectOf } from './json-text.ts';
import { refusal } from './refusal.ts';

/** The stdin of the first plugin of a configuration. */
function stdin(config: string, additions: StdinAdditions = {}): string {
  const network = parseNetworkConfig(config, 'definition prod/a');
  const plugin = network.plugins[0];
  if (plugin === undefined) throw new Error('no plugin');
  return pluginStdin(network, plugin, additions);
}

const conf = (members: string) => `{"name":"a","type":"x"${members}}`;

test('pluginStdin() refuses with code 7 when args cannot be merged', () => {
  const cniArgs = { a: 1 };
  assert.match(refusal(() => stdin(conf(',"args":5'), { cniArgs })).message, /key "args" must be an object, got 5/);
  const inner = refusal(() => stdin(conf(',"args":{"cni":"y"}'), { cniArgs }));
  assert.equal(inner, {
    code: 7,
    message: 'Cannot use args of plugin x in definition prod/a: key "cni" must be an object, got a string',
    details: '',
  });
  const list = '{"name":"a","plugins":[{"type":"y"},{"type":"x","args":{"cni":[]}}]}';
  const [, second] = parseNetworkConfig(list, 'definition prod/a').plugins;
  assert.ok(second);
  const { message } = refusal(() => pluginStdin(parseNetworkConfig(list, 'other'), second, { cniArgs }));
  assert.is(
    message,
    'Cannot use args of plugin x in definition prod/a at plugins[1]: key "cni" must be an object, got an array',
    'whoever has many definitions is told which one',
  );
});

test('pluginStdin() refuses with code 6 when prevResult is not JSON', () => {
  assert.is(refusal(() => stdin(conf(''), { prevResult: '{},"a":1' })).code, 6);
});

test('pluginStdin() passes a conf byte for byte when nothing is added', () => {
  const text = ' { "type":"x" , "NAME":"a",\n "n":1e400, "n":0.10, "capabilities":{"ips":true}, "prevResult": {} }\n';
  assert.is(stdin(text), text);
  assert.is(stdin(text, { runtimeConfig: {}, cniArgs: {} }), text);
});

test("pluginStdin() gives a list's plugin the name and version of the list", () => {
  const plugins = '"plugins":[{"name":"own", "type":"x","cniVersion":"0.1.0", "n":1.0}]';
  const list = `{"name":"a","cniVersion":"0.4.0","cniVersions":["1.0.0"],${plugins}}`;
  assert.is(stdin(list), '{"name":"a", "type":"x","cniVersion":"1.0.0", "n":1.0}');
  assert.is(stdin('{"name":"a","plugins":[{"type":"x"}]}'), '{"type":"x","name":"a","cniVersion":"0.1.0"}');
});

test('pluginStdin() passes the runtimeConfig of capabilities that are declared true', () => {
  const capabilities = ',"capabilities":{"ips":true,"mac":false}';
  const runtimeConfig = { ips: ['10.0.0.1/24'], mac: 'c2:00:00:00:00:01', portMappings: [], constructor: 1 };
  assert.is(
    stdin(conf(capabilities), { runtimeConfig }),
    conf(`${capabilities},"runtimeConfig":{"ips":["10.0.0.1/24"]}`),
  );
});

test('pluginStdin() replaces a runtimeConfig of the configuration only when a value remains', () => {
  const own = ',"runtimeConfig":{"ips":["1.1.1.1/8"],"x":1},"capabilities":{"ips":true}';
  const replaced = ',"runtimeConfig":{"ips":[]},"capabilities":{"ips":true}';
  assert.is(stdin(conf(own), { runtimeConfig: { ips: [] } }), conf(replaced));
  assert.is(stdin(conf(own), { runtimeConfig: { mac: 'x', ips: undefined } }), conf(own));
});

test('pluginStdin() passes a RawObject value as its text', () => {
  const raw = RawObject.parse('{"big": 12345678901234567890}', 'x');
  const capabilities = ',"capabilities":{"o":true}';
  assert.is(
    stdin(conf(capabilities), { runtimeConfig: { o: raw } }),
    conf(`${capabilities},"runtimeConfig":{"o":{"big": 12345678901234567890}}`),
  );
});

test('pluginStdin() merges cniArgs key by key, ours winning', () => {
  const cniArgs = { b: [2], c: 'x' };
  assert.is(stdin(conf(''), { cniArgs }), conf(',"args":{"cni":{"b":[2],"c":"x"}}'));
  const own = ',"args": { "labels":[], "cni":{"a": 1.0,"b":1} }';
  assert.is(stdin(conf(own), { cniArgs }), conf(',"args": { "labels":[], "cni":{"a": 1.0,"b":[2],"c":"x"} }'));
});

// In Go these are keys of a map: the tenant's "FOO" would take the place of the operator's "foo".
test('pluginStdin() merges cniArgs by their exact keys, also where they differ in case alone', () => {
  const own = ',"ARGS":{"CNI":{"foo":1,"keep":0,"foo":2}}';
  assert.is(stdin(conf(own), { cniArgs: { FOO: 3 } }), conf(',"args":{"cni":{"foo":1,"keep":0,"foo":2,"FOO":3}}'));
  assert.is(
    stdin(conf(own), { cniArgs: { foo: 3, Foo: 4 } }),
    conf(',"args":{"cni":{"keep":0,"foo":3,"Foo":4}}'),
    'what replaces comes last: a plugin that reads a structure takes the last of all spellings',
  );
});

test('pluginStdin() passes runtimeConfig by its exact keys', () => {
  const capabilities = ',"capabilities":{"foo":true,"FOO":true}';
  assert.is(
    stdin(conf(capabilities), { runtimeConfig: { foo: 1, FOO: 2, Foo: 3 } }),
    conf(`${capabilities},"runtimeConfig":{"foo":1,"FOO":2}`),
  );
});

test('pluginStdin() sets prevResult as the text it is given', () => {
  const prevResult = '{ "cniVersion":"1.0.0", "x":12345678901234567890 }\n';
  assert.is(stdin(conf(''), { prevResult }), conf(`,"prevResult":${prevResult.trim()}`));
  assert.is(stdin(conf(',"prevResult":{},"z":1'), { prevResult: '{"a":1}' }), conf(',"prevResult":{"a":1},"z":1'));
});

test('pluginStdin() names the valid attachments under both keys', () => {
  const validAttachments = [{ containerID: 'c1', ifname: 'eth0', netns: 'dropped' }];
  const list = '[{"containerID":"c1","ifname":"eth0"}]';
  const keys = `,"cni.dev/valid-attachments":${list},"cni.dev/attachments":${list}`;
  assert.is(stdin(conf(''), { validAttachments }), conf(keys));
  assert.is(
    stdin(conf(''), { validAttachments: [] }),
    conf(',"cni.dev/valid-attachments":[],"cni.dev/attachments":[]'),
  );
});

test('pluginStdin() keeps every key that it does not own byte for byte', () => {
  const additions = { runtimeConfig: { ips: [1] }, prevResult: '{}', cniArgs: { k: 1 }, validAttachments: [] };
  const owned = new Set(['name', 'cniversion', 'runtimeconfig', 'prevresult', 'args', 'cni.dev/attachments']);
  const own = { before: '', gap: ':', after: '' };
  const type = { ...own, key: 'type', keyText: '"type"', value: '"x"' };
  const capabilities = { ...own, key: 'capabilities', keyText: '"capabilities"', value: '{"ips":true}' };
  fc.assert(
    fc.property(memberTexts, fc.nat(), (members, pick) => {
      const unknown = members.filter(({ key }) => !['type', 'capabilities', ...owned].includes(key.toLowerCase()));
      const all = unknown.toSpliced(pick % (unknown.length + 1), 0, type, capabilities);
      const plugin = objectOf(all).trim();
      const written = stdin(`{"name":"a","cniVersion":"1.0.0","plugins":[${plugin}]}`, additions);
      assert.ok(written.startsWith(plugin.slice(0, plugin.length - 1 - (all.at(-1)?.after.length ?? 0))));
      const parsed = RawObject.parse(written, 'x');
      assert.equal([parsed.value('name'), parsed.value('cniVersion'), parsed.raw('prevResult')], ['a', '1.0.0', '{}']);
      assert.equal([parsed.value('runtimeConfig'), parsed.value('args')], [{ ips: [1] }, { cni: { k: 1 } }]);
    }),
    { numRuns: 300 },
  );
});

test.run();
