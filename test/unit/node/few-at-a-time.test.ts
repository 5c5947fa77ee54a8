/** A user loses: an answer, while the disk is slow and all threads wait for it; or the order of what was asked. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FewAtATime } from '../../../src/node/few-at-a-time.ts';

test('so much is under way, the rest begins in its order, also behind what fails', async () => {
  const few = new FewAtATime(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const all = [0, 1, 2, 3, 4].map((i) =>
    few.run(async () => {
      begun.push(i);
      await new Promise<void>((end) => {
        ends[i] = end;
      });
      if (i === 0) throw new Error('disk');
      return i;
    }),
  );
  const settled = Promise.allSettled(all);
  assert.equal(begun, [0, 1]);
  ends[0]?.();
  await all[0]?.catch(() => undefined);
  assert.equal(begun, [0, 1, 2]);
  for (const i of [1, 2]) {
    ends[i]?.();
    await all[i];
  }
  assert.equal(begun, [0, 1, 2, 3, 4]);
  for (const i of [3, 4]) ends[i]?.();
  assert.equal(
    (await settled).map((one) => (one.status === 'fulfilled' ? one.value : 'failed')),
    ['failed', 1, 2, 3, 4],
  );
  assert.is(await few.run(async () => 'free again'), 'free again');
});

test.run();
