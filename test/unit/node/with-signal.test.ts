import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withinBudget } from '../../../src/attach/operation.ts';
import { withSignal } from '../../../src/node/with-signal.ts';

/** Bytes that are in use for good. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

// A daemon tells some events of each pod, for months; on a node of batch jobs these are 100 MB a day.
test('a signal that lives on keeps nothing of the work that was done under it', async () => {
  const daemon = new AbortController();
  const work = async (signal: AbortSignal): Promise<void> => signal.addEventListener('abort', () => undefined);
  const some = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      await withSignal(daemon.signal, (own) => work(own.signal));
      await withinBudget(daemon.signal, 60_000, 'it', work);
    }
  };
  await some(100);
  const before = heapUsed();
  await some(5000);
  assert.ok(heapUsed() - before < 2_000_000, `${heapUsed() - before} bytes are kept`);
});

test('the work ends with the signal, for its reason, also when that came before; it may end itself alone', async () => {
  const daemon = new AbortController();
  const reason = new Error('the daemon stops');
  await withSignal(daemon.signal, async (own) => {
    const other = withSignal(daemon.signal, async ({ signal }) => signal);
    own.abort();
    assert.is((await other).aborted || daemon.signal.aborted, false);
  });
  await withSignal(daemon.signal, async ({ signal }) => {
    daemon.abort(reason);
    assert.is(signal.reason, reason);
  });
  await withSignal(daemon.signal, async ({ signal }) => assert.is(signal.reason, reason));
});

test.run();
