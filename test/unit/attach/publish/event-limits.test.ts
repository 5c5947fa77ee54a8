import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EventLimits } from '../../../../src/attach/publish/event-limits.ts';
import type { PodEvent } from '../../../../src/cluster/source.ts';

function warning(message: string, name = 'web'): PodEvent {
  return { namespace: 'prod', name, uid: 'u-1', type: 'Warning', reason: 'AttachFailed', message };
}

test('the same words are told once a minute', () => {
  const limits = new EventLimits();
  const told = [0, 10_000, 59_999, 60_000, 61_000].filter((at) => limits.admit(warning('no'), at));
  assert.equal(told, [0, 60_000]);
});

// The kubelet tries again every few seconds, for days: the API server's store would fill with one pod's failures.
test('a pod that fails for ever, in ever new words, is heard once a minute', () => {
  const limits = new EventLimits();
  const hour = Array.from({ length: 1800 }, (_, i) => i * 2000);
  const told = hour.filter((at) => limits.admit(warning(`failure ${at}`), at));
  assert.ok(told.length > 60 && told.length <= 70, `${told.length}`);
});

test('one pod’s failures silence no other pod, nor its own good news', () => {
  const limits = new EventLimits();
  for (let i = 0; i < 100; i++) limits.admit(warning(`failure ${i}`), 0);
  assert.not(limits.admit(warning('one more'), 0));
  assert.ok(limits.admit(warning('one more', 'other'), 0));
  assert.ok(limits.admit({ ...warning('x'), type: 'Normal', reason: 'AddedInterface' }, 0));
});

test('a pod with 64 networks has all of them told', () => {
  const limits = new EventLimits();
  const told = Array.from({ length: 65 }, (_, i) =>
    limits.admit({ ...warning(`Add net${i}`), type: 'Normal', reason: 'AddedInterface' }, 0),
  );
  assert.ok(told.every(Boolean));
});

test('whatever comes, one reason of one pod is told at most ten times and once a minute more', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(120_000), { maxLength: 300 }), (gaps) => {
      const limits = new EventLimits();
      let now = 0;
      let told = 0;
      for (const [i, gap] of gaps.entries()) {
        now += gap;
        if (limits.admit(warning(`${i}`), now)) told += 1;
      }
      assert.ok(told <= 10 + now / 60_000);
    }),
  );
});

test.run();
