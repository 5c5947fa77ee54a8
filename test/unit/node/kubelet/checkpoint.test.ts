import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCheckpoint } from '../../../../src/node/kubelet/checkpoint.ts';
import { onlyCniErrors, refusal } from '../../cni/refusal.ts';

const PATH = '/var/lib/kubelet/checkpoint';

const entry = (uid: string, resource: unknown, ids: unknown) => ({
  PodUID: uid,
  ContainerName: 'app',
  ResourceName: resource,
  DeviceIDs: ids,
  AllocResp: 'Ch4KC1JFU09VUkNF',
});
const checkpoint = (...entries: unknown[]) =>
  JSON.stringify({ Data: { PodDeviceEntries: entries, RegisteredDevices: { r: ['1'] } }, Checksum: 1 });

function parse(text: string): [string, string[]][] {
  return [...parseCheckpoint(text, 'u-1', PATH)].map(([name, ids]) => [name, [...ids]]);
}

const problem = (text: string) => {
  const { code, message } = refusal(() => parse(text));
  assert.is(code, 6);
  return message;
};

// What cannot be read must not pass for a pod that has no devices.
test('refuses what is not a checkpoint, naming path and field', () => {
  assert.match(problem('{"Data": {'), `Cannot parse ${PATH}: `);
  for (const [text, got] of [
    ['{}', 'undefined'],
    ['[]', 'undefined'],
    ['null', 'undefined'],
    ['{"Data": 5}', '5'],
  ] as const) {
    assert.is(problem(text), `Cannot use Data of ${PATH}: it must be an object, got ${got}`);
  }
  const list = `Cannot use Data.PodDeviceEntries of ${PATH}: it must be a list, got {"a":1}`;
  assert.is(problem('{"Data": {"PodDeviceEntries": {"a":1}}}'), list);
  const field = (name: string) => `Cannot use Data.PodDeviceEntries[1].${name} of ${PATH}: it must be`;
  const other = entry('u-2', 'r', ['1']);
  assert.is(problem(checkpoint(other, entry('u-1', 7, []))), `${field('ResourceName')} a string, got 7`);
  assert.is(problem(checkpoint(other, entry('u-1', 'r', 'x'))), `${field('DeviceIDs')} a list, got "x"`);
  assert.is(problem(checkpoint(other, entry('u-1', 'r', { 0: 'x' }))), `${field('DeviceIDs')} a list, got "x"`);
  assert.is(problem(checkpoint(other, entry('u-1', 'r', { 0: [1] }))), `${field('DeviceIDs')} made of strings, got 1`);
});

test("reads the lists of old kubelets and new ones' lists by NUMA node", () => {
  const text = checkpoint(
    entry('u-1', 'old', ['1', '2']),
    entry('u-1', 'new', { '-1': ['3'], 0: ['4', '5'], 1: null }),
    entry('u-1', 'empty', null),
  );
  assert.equal(parse(text), [
    ['old', ['1', '2']],
    ['new', ['4', '5', '3']],
    ['empty', []],
  ]);
});

test('takes the entries of the pod, from all its containers, and of no other', () => {
  const text = checkpoint(entry('u-1', 'r', ['1']), entry('u-10', 'r', ['2']), entry('u-1', 'r', ['3']), 'x', null);
  assert.equal(parse(text), [['r', ['1', '3']]]);
  assert.equal(parse(checkpoint(entry('u-2', 5, 5))), [], "another pod's entry is not looked at");
  assert.equal(parse('{"Data": {"PodDeviceEntries": null}}'), []);
});

test('any JSON is a checkpoint or refused', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), fc.string(), (a, b, any) => {
      onlyCniErrors(() => parse(checkpoint(entry('u-1', 'r', a), b)));
      onlyCniErrors(() => parse(JSON.stringify({ Data: a })));
      onlyCniErrors(() => parse(any));
    }),
  );
});

test.run();
