import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Lane, Lanes } from '../../../src/daemon/lanes.ts';
import { laterRefusal } from '../cni/refusal.ts';

/** Everything that follows from what has happened so far. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Lanes whose operations are ended by hand, with a log of starts. */
function lanesOf(concurrency: number, queueLength: number) {
  const lanes = new Lanes({ concurrency, queueLength });
  const started: string[] = [];
  const ends = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  const run = (lane: Lane, name: string): Promise<string> =>
    lanes.run(lane, () => {
      started.push(name);
      return new Promise((resolve, reject) => ends.set(name, { resolve: () => resolve(name), reject }));
    });
  const end = async (name: string) => {
    ends.get(name)?.resolve();
    await settled();
  };
  const fail = async (name: string) => {
    ends.get(name)?.reject(new Error(name));
    await settled();
  };
  return { lanes, started, run, end, fail };
}

test('refuses with "try again later" when too many wait: the runtime must not run into its time limit', async () => {
  const { run, started } = lanesOf(1, 2);
  for (const name of ['a', 'b', 'c']) void run('attach', name);
  assert.equal(await laterRefusal(() => run('attach', 'd')), {
    code: 11,
    message: '2 operations are waiting on this node; try again later',
    details: '',
  });
  assert.is((await laterRefusal(() => run('attach', 'e'))).code, 11);
  assert.equal(started, ['a']);
});

test('never refuses a DEL: it is what makes room', async () => {
  const { run, started, end } = lanesOf(1, 0);
  void run('release', 'a');
  void run('release', 'b');
  await end('a');
  assert.equal(started, ['a', 'b']);
});

// Thirty-two pods with a plugin that hangs would keep every other pod from being deleted, and the node from being ready.
test('DEL and STATUS start at once while all places for ADD are taken', async () => {
  const { lanes, run, started } = lanesOf(1, 10);
  for (const name of ['a', 'b']) void run('attach', name);
  void run('release', 'r');
  void run('ask', 's');
  assert.equal([started, lanes.active], [['a', 'r', 's'], 3]);
});

test('a refused or failed operation takes no place away', async () => {
  const { lanes, run, started, end, fail } = lanesOf(1, 1);
  const failing = run('attach', 'a').catch((error: Error) => error.message);
  const waiting = run('attach', 'b');
  await laterRefusal(() => run('attach', 'c'));
  await fail('a');
  assert.is(await failing, 'a');
  assert.equal(started, ['a', 'b']);
  await end('b');
  assert.is(await waiting, 'b');
  assert.is(lanes.active, 0);
  void run('attach', 'd');
  assert.equal(started, ['a', 'b', 'd'], 'the next one starts at once');
});

test('work that throws before its first await gives its place back', async () => {
  const { lanes } = lanesOf(1, 0);
  const boom = () => {
    throw new Error('boom');
  };
  assert.is(await lanes.run('attach', boom).catch((error: Error) => error.message), 'boom');
  assert.is(lanes.active, 0);
});

test('runs as many at a time as allowed, and never one more', async () => {
  const { lanes, run, started, end } = lanesOf(2, 10);
  for (const name of ['a', 'b', 'c', 'd']) void run('attach', name);
  assert.equal([started, lanes.active], [['a', 'b'], 2]);
  await end('b');
  assert.equal([started, lanes.active], [['a', 'b', 'c'], 2]);
  await end('a');
  await end('c');
  await end('d');
  assert.is(lanes.active, 0);
});

test('a newcomer does not overtake who waits while a place changes hands', async () => {
  const { lanes, run, started, end } = lanesOf(1, 10);
  const first = run('attach', 'a');
  void run('attach', 'b');
  const newcomer = first.then(() => run('attach', 'c'));
  await end('a');
  assert.equal(started, ['a', 'b']);
  assert.is(lanes.active, 1);
  await end('b');
  await end('c');
  assert.is(await newcomer, 'c');
});

test('who came first starts first', async () => {
  const { run, started, end } = lanesOf(1, 10);
  for (const name of ['a', 'b', 'c']) void run('attach', name);
  for (const name of ['a', 'b', 'c']) {
    assert.is(started.at(-1), name);
    await end(name);
  }
});

test.run();
