// A network that is detached and attached anew because of white space breaks connections; one that is not although the
// pod asks for another address keeps the wrong one.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { askedText } from '../../../src/pod/asked.ts';
import { parseSelections } from '../../../src/pod/parse-selections.ts';

function asked(entry: string): string {
  const [selection, ...more] = parseSelections(entry, { origin: 'annotation', namespace: 'default' });
  if (selection === undefined || more.length > 0) throw new Error('one entry');
  return askedText(selection);
}

test('askedText() is {} when an entry names a network and its interface alone', () => {
  for (const entry of ['a', 'other/b@net7', '[{"name":"a","interface":"x"}]']) assert.is(asked(entry), '{}');
});

test('askedText() is the same for the same entry written otherwise', () => {
  const entry = '[{"name":"a","cni-args":{"a": [1, 2.50], "b":" x "},"mac":"02:00:00:00:00:0A","ips":["10.0.0.7/24"]}]';
  const other =
    '[ {"ips": ["10.0.0.7/24"],\n"mac":"02:00:00:00:00:0a", "unknown":1, "cni-args":{"a":[1,2.50],"b":" x "}, "name":"a"} ]';
  assert.is(asked(other), asked(entry));
});

test('askedText() differs whenever an attachment would be another one', () => {
  const entries = [
    '{"name":"a"}',
    '{"name":"a","ips":["10.0.0.7/24"]}',
    '{"name":"a","ips":["10.0.0.7"]}',
    '{"name":"a","ips":["10.0.0.7","10.0.0.8"]}',
    '{"name":"a","ips":["10.0.0.8","10.0.0.7"]}',
    '{"name":"a","mac":"02:00:00:00:00:07"}',
    '{"name":"a","infiniband-guid":"c2:11:22:33:44:55:66:77"}',
    '{"name":"a","portMappings":[{"hostPort":8080,"containerPort":80}]}',
    '{"name":"a","portMappings":[{"hostPort":8081,"containerPort":80}]}',
    '{"name":"a","bandwidth":{"ingressRate":1000,"ingressBurst":1000}}',
    '{"name":"a","bandwidth":{"ingressRate":2000,"ingressBurst":1000}}',
    '{"name":"a","ipam-claim-reference":"one"}',
    '{"name":"a","default-route":[]}',
    '{"name":"a","default-route":["10.0.0.1"]}',
    '{"name":"a","cni-args":{}}',
    '{"name":"a","cni-args":{"n":12345678901234567890}}',
    '{"name":"a","cni-args":{"n":12345678901234567891}}',
    '{"name":"a","cni-args":{"n":"a b"}}',
    '{"name":"a","cni-args":{"n":"ab"}}',
  ];
  const texts = entries.map((entry) => asked(`[${entry}]`));
  assert.is(new Set(texts).size, entries.length, texts.join('\n'));
  for (const text of texts) assert.type(JSON.parse(text), 'object');
});

test.run();
