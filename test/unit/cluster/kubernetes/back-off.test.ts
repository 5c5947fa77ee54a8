import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BackOff, pause } from '../../../../src/cluster/kubernetes/back-off.ts';

test('each wait is up to twice as long as the one before, at most the longest, and as the first after a reset', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 3000 }), (random, tries) => {
      const backOff = new BackOff({ firstMs: 100, longestMs: 5000 }, () => random);
      for (let i = 0; i < tries; i++) {
        const step = Math.min(5000, 100 * 2 ** i);
        const wait = backOff.next();
        assert.ok(wait >= step / 2 && wait < step, `${i}: ${wait}`);
      }
      backOff.reset();
      assert.ok(backOff.next() < 100);
    }),
  );
});

// All nodes lose the API server at the same moment; they must not come back at the same moment.
test('two nodes do not wait equally long', () => {
  const waits = () => {
    const backOff = new BackOff({ firstMs: 100, longestMs: 5000 });
    return Array.from({ length: 10 }, () => backOff.next());
  };
  assert.not.equal(waits(), waits());
});

test('a pause ends with its signal', async () => {
  const ending = new AbortController();
  const started = performance.now();
  const paused = pause(60_000, ending.signal);
  ending.abort();
  await paused;
  await pause(60_000, ending.signal);
  assert.ok(performance.now() - started < 10_000);
});

test.run();
