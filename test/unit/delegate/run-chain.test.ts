import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RawObject } from '../../../src/cni/raw-json.ts';
import {
  addChain,
  type ChainInvocation,
  type ChainStep,
  checkChain,
  delChain,
} from '../../../src/delegate/run-chain.ts';
import { FakeRunner } from '../../fakes/fake-runner.ts';
import { memberTexts, objectOf } from '../cni/json-text.ts';
import { laterRefusal } from '../cni/refusal.ts';

const INVOCATION: ChainInvocation = {
  network: 'prod/data',
  containerId: 'c0ffee',
  netns: '/run/netns/x',
  ifName: 'net1',
  args: '',
  path: ['/opt/cni/bin'],
  trace: {},
};

const STEPS: ChainStep[] = ['macvlan', 'tuning', 'sbr'].map((type) => ({
  type,
  stdin: `{ "type":"${type}", "n":1e400}`,
}));

const options = (runner: FakeRunner) => ({ runner, deadlineMs: 1000, signal: new AbortController().signal });
const stdins = (runner: FakeRunner) => runner.runs.map(({ stdin }) => stdin);
const step = (i: number, prevResult?: string): string =>
  prevResult === undefined ? (STEPS[i]?.stdin ?? '') : `${STEPS[i]?.stdin.slice(0, -1)},"prevResult":${prevResult}}`;

test('a plugin that prints nothing or no object for ADD is an error: nobody would know what it attached', async () => {
  const cases: [string, number, RegExp][] = [
    ['', 100, /^Cannot use the result of plugin "macvlan" of network "prod\/data": it printed nothing$/],
    [' \n', 100, /it printed nothing$/],
    ['done', 6, /^Cannot parse result of plugin "macvlan" of network "prod\/data": unexpected character "d"/],
    ['[]', 6, /it must be a JSON object, got an array/],
    ['{"ips":[', 6, /unexpected end of text/],
    ['{}{}', 6, /after the end of the value/],
  ];
  for (const [stdout, code, message] of cases) {
    const runner = new FakeRunner(() => stdout);
    const error = await laterRefusal(() => addChain(STEPS, INVOCATION, options(runner)));
    assert.is(error.code, code, stdout);
    assert.match(error.message, message);
    assert.equal(runner.calls, ['ADD macvlan'], 'the plugins behind it must not run');
  }
});

test('a chain stops at the first plugin that fails', async () => {
  const runner = new FakeRunner(({ plugin }) => (plugin === 'tuning' ? { exitCode: 1 } : '{}'));
  const { message } = await laterRefusal(() => addChain(STEPS, INVOCATION, options(runner)));
  assert.match(message, 'plugin "tuning" of network "prod/data" exited with code 1');
  assert.equal(runner.calls, ['ADD macvlan', 'ADD tuning']);
});

test('a network without plugins has no result', async () => {
  const runner = new FakeRunner();
  assert.is((await laterRefusal(() => addChain([], INVOCATION, options(runner)))).code, 999);
});

test('a DEL that fails does not keep the plugins before it, and their addresses, from being released', async () => {
  const runner = new FakeRunner(({ plugin }) => (plugin === 'tuning' ? { exitCode: 1 } : ''));
  const error = await laterRefusal(() => delChain(STEPS, INVOCATION, '{}', options(runner)));
  assert.is(error.code, 100);
  assert.equal(runner.calls, ['DEL sbr', 'DEL tuning', 'DEL macvlan']);
});

test("ADD hands each plugin the result of the one before it, byte for byte, and returns the last one's", async () => {
  const results: Record<string, string> = {
    macvlan: '{"cniVersion":"1.0.0", "own":12345678901234567890, "s":"\\u00e4"}',
    tuning: '{"a":1, "a":2}',
    sbr: ' {"cniVersion":"1.0.0","ips":[]}\n',
  };
  const runner = new FakeRunner(({ plugin }) => results[plugin] ?? '');
  assert.is(await addChain(STEPS, INVOCATION, options(runner)), results['sbr']);
  assert.equal(runner.calls, ['ADD macvlan', 'ADD tuning', 'ADD sbr']);
  assert.equal(stdins(runner), [step(0), step(1, results['macvlan']), step(2, results['tuning'])]);
});

test('ADD hands on any object: what we do not know of it may be what the next plugin lives on', async () => {
  await fc.assert(
    fc.asyncProperty(memberTexts.map(objectOf), async (result) => {
      const runner = new FakeRunner(() => result);
      assert.is(await addChain(STEPS.slice(0, 2), INVOCATION, options(runner)), result);
      assert.is(RawObject.parse(runner.runs[1]?.stdin ?? '', 'stdin').raw('prevResult'), result.trim());
    }),
  );
});

test('DEL goes the other way round, every plugin with the final result', async () => {
  const runner = new FakeRunner();
  const result = '{"ips": [1.0]}';
  await delChain(STEPS, INVOCATION, result, options(runner));
  assert.equal(runner.calls, ['DEL sbr', 'DEL tuning', 'DEL macvlan']);
  assert.equal(stdins(runner), [step(2, result), step(1, result), step(0, result)]);
});

test('DEL without a result gives the plugins what ADD gave the first one', async () => {
  const runner = new FakeRunner();
  await delChain(STEPS, INVOCATION, undefined, options(runner));
  assert.equal(stdins(runner), [step(2), step(1), step(0)]);
});

test('CHECK goes in the order of ADD, every plugin with the final result, and stops at the first difference', async () => {
  const runner = new FakeRunner(({ plugin }) => (plugin === 'tuning' ? { exitCode: 1 } : ''));
  await laterRefusal(() => checkChain(STEPS, INVOCATION, '{"x":1}', options(runner)));
  assert.equal(runner.calls, ['CHECK macvlan', 'CHECK tuning']);
  assert.equal(stdins(runner), [step(0, '{"x":1}'), step(1, '{"x":1}')]);
});

test('a prevResult of the configuration itself does not stay beside ours', async () => {
  const own = [{ type: 'x', stdin: '{"prevResult":{"old":1},"type":"x"}' }];
  const runner = new FakeRunner();
  await delChain(own, INVOCATION, '{"new":1}', options(runner));
  assert.equal(stdins(runner), ['{"prevResult":{"new":1},"type":"x"}']);
});

test.run();
