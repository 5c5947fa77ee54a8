import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseNetworkConfig, parsePluginConfig } from '../../../src/cni/config.ts';
import { valueText } from './json-text.ts';
import { onlyCniErrors, refusal } from './refusal.ts';

const WHAT = 'network attachment definition default/macvlan-a';
const parse = (text: string, defaults?: { name?: string; pluginsElsewhere?: boolean }) =>
  parseNetworkConfig(text, WHAT, defaults);
const reason = (text: string) => refusal(() => parse(text)).message.slice(`Cannot use ${WHAT}: `.length);

test('parseNetworkConfig() refuses with code 6 when the text is not a JSON object', () => {
  assert.is(refusal(() => parse('{')).code, 6);
  assert.match(
    refusal(() => parse('"bridge"')).message,
    `Cannot parse ${WHAT}: it must be a JSON object, got a string`,
  );
});

test('parseNetworkConfig() refuses with code 7 and names key and value when one cannot be used', () => {
  const cases: [string, string][] = [
    ['{"type":"bridge"}', 'key "name" is missing'],
    ['{"name":5,"type":"bridge"}', 'key "name" must be a string, got 5'],
    ['{"name":"a"}', 'it has neither "type" nor "plugins"'],
    ['{"name":"a","type":""}', 'key "type" must not be empty'],
    ['{"name":"a","type":5}', 'key "type" must be a string, got 5'],
    ['{"name":"a","type":"../sh"}', 'key "type" is "../sh": it must be a bare file name without "/"'],
    ['{"name":"a","type":"x","cniVersion":1}', 'key "cniVersion" must be a string, got 1'],
    ['{"name":"a","type":"x","capabilities":[]}', 'key "capabilities" must be an object, got an array'],
    ['{"name":"a","plugins":null}', 'key "plugins" must be an array, got null'],
    ['{"name":"a","plugins":{}}', 'key "plugins" must be an array, got an object'],
    ['{"name":"a","plugins":[]}', 'key "plugins" must not be empty'],
    ['{"name":"a","plugins":[{"type":"x"},5]}', 'key "plugins[1]" must be an object, got 5'],
    ['{"name":"a","plugins":[{"type":"x"},{"type":5}]}', 'key "plugins[1].type" must be a string, got 5'],
    ['{"name":"a","plugins":[{}]}', 'key "plugins[0].type" must be a string, got nothing'],
    ['{"name":"a","plugins":[{"type":".."}]}', 'key "plugins[0].type" is "..": it must not be "." or ".."'],
    [
      '{"name":"a","plugins":[{"type":"x","capabilities":{"ips":"yes"}}]}',
      'key "plugins[0].capabilities.ips" must be a boolean, got "yes"',
    ],
    [
      '{"name":"a","plugins":[{"type":"x"}],"disableCheck":1}',
      'key "disableCheck" must be a boolean, "true" or "false", got 1',
    ],
    [
      '{"name":"a","plugins":[{"type":"x"}],"disableGC":"no"}',
      'key "disableGC" must be a boolean, "true" or "false", got "no"',
    ],
    ['{"name":"a","plugins":[{"type":"x"}],"cniVersions":"1.0.0"}', 'key "cniVersions" must be an array, got "1.0.0"'],
    ['{"name":"a","plugins":[{"type":"x"}],"cniVersions":[1]}', 'key "cniVersions[0]" must be a string, got 1'],
  ];
  for (const [text, expected] of cases) {
    assert.is(reason(text), expected);
    assert.is(refusal(() => parse(text)).code, 7, text);
  }
});

test('parseNetworkConfig() refuses with code 7 when a name would be no file name', () => {
  assert.match(reason('{"name":"../a","type":"x"}'), /^key "name" is "..\/a": it must start with/);
  assert.match(reason('{"name":"","type":"x"}'), /^key "name" is "": it must not be empty/);
});

test('parseNetworkConfig() refuses with code 1 when no version is supported', () => {
  for (const text of [
    '{"name":"a","type":"x","cniVersion":"2.0.0"}',
    '{"name":"a","plugins":[{"type":"x"}],"cniVersion":"2.0.0","cniVersions":["3.0.0"]}',
  ]) {
    assert.is(refusal(() => parse(text)).code, 1, text);
  }
});

test('parseNetworkConfig() reads a conf, which has no list keys', () => {
  const text =
    '{ "name":"a", "type":"bridge", "disableCheck":true, "cniVersions":["1.1.0"],\n"capabilities":{"ips":true,"mac":false} }';
  const network = parse(text);
  assert.equal([network.name, network.cniVersion, network.isList], ['a', '0.1.0', false]);
  assert.equal([network.disableCheck, network.disableGC, network.loadOnlyInlinedPlugins], [false, false, false]);
  assert.equal(
    network.plugins.map((plugin) => [plugin.type, plugin.config.text]),
    [['bridge', text]],
  );
  assert.equal(network.plugins[0]?.capabilities, { ips: true, mac: false });
  assert.is(network.source.text, text);
});

test('parseNetworkConfig() reads a list and keeps each plugin as written', () => {
  const plugins = ['{"type" : "bridge","x":12345678901234567890}', '{"TYPE":"tuning", "capabilities":null}'];
  const text = `{"cniVersion":"0.4.0","cniVersions":["1.0.0","0.3.1"],"name":"a","disableCheck":"TRUE","disableGC":true,
    "loadOnlyInlinedPlugins":"false","plugins":[ ${plugins.join(' , ')} ]}`;
  const network = parse(text);
  assert.equal([network.name, network.cniVersion, network.isList], ['a', '1.0.0', true]);
  assert.equal([network.disableCheck, network.disableGC, network.loadOnlyInlinedPlugins], [true, true, false]);
  assert.equal(
    network.plugins.map((plugin) => plugin.config.text),
    plugins,
  );
  assert.equal(
    network.plugins.map((plugin) => plugin.type),
    ['bridge', 'tuning'],
  );
  assert.equal(
    network.plugins.map((plugin) => plugin.capabilities),
    [{}, {}],
  );
});

test('parseNetworkConfig() reads a conf when there are both type and plugins', () => {
  assert.not(parse('{"name":"a","type":"x","plugins":[]}').isList);
  assert.ok(parse('{"name":"a","type":"","plugins":[{"type":"x"}]}').isList);
});

test('parseNetworkConfig() puts the default name into the text when the name is missing or empty', () => {
  assert.is(parse('{"type":"x"}', { name: 'nad' }).source.text, '{"type":"x","name":"nad"}');
  assert.is(parse('{"name":"","type":"x"}', { name: 'nad' }).plugins[0]?.config.text, '{"name":"nad","type":"x"}');
  assert.is(parse('{"name":null,"plugins":[{"type":"x"}]}', { name: 'nad' }).name, 'nad');
  assert.is(parse('{"name":"own","type":"x"}', { name: 'nad' }).name, 'own');
});

test('parseNetworkConfig() takes a list without plugins only when they are elsewhere', () => {
  const network = parse('{"name":"a","cniVersion":"1.0.0"}', { pluginsElsewhere: true });
  assert.equal([network.isList, network.plugins], [true, []]);
  assert.is(refusal(() => parse('{"name":"a","plugins":[]}', { pluginsElsewhere: true })).code, 7);
});

test('parsePluginConfig() reads one object and names its keys without a place', () => {
  assert.is(parsePluginConfig('{"type":"tuning"}', 'file x').type, 'tuning');
  assert.is(
    refusal(() => parsePluginConfig('{"name":"x"}', 'file x')).message,
    'Cannot use file x: key "type" must be a string, got nothing',
  );
});

test('parseNetworkConfig() throws only CniError when known keys have arbitrary values', () => {
  const key = fc.constantFrom('name', 'type', 'plugins', 'cniVersion', 'cniVersions', 'capabilities', 'disableCheck');
  const likely = fc.constantFrom(
    '"a"',
    '"1.0.0"',
    '["1.0.0",5]',
    '[{"type":"x"}]',
    '[{"type":"x","capabilities":{"a":true}},{}]',
  );
  const text = fc
    .array(fc.tuple(key, fc.oneof(valueText, likely)), { maxLength: 6 })
    .map((members) => `{${members.map(([name, value]) => `"${name}":${value}`).join()}}`);
  fc.assert(
    fc.property(text, fc.string({ unit: 'binary' }), (nearly, any) => {
      onlyCniErrors(() => parse(nearly, { name: 'nad' }));
      onlyCniErrors(() => parse(any));
    }),
    { numRuns: 500 },
  );
});

test.run();
