/** ADD and DEL on nodes of ours that differ in a size and, beside each of them, on one node of raw's, by turns. */
import { type Bench, startTargets } from '../cell.ts';
import { operate, type Running } from '../operate.ts';
import { rotated } from '../pace.ts';
import type { Scenario } from '../scenarios.ts';
import { targetsOf } from '../targets/target.ts';
import type { Recorder } from './series.ts';

const WARM_UPS = 5;

/** Pods that each node of ours must have. */
export const podsFor = (n: number): number => n + WARM_UPS;

/** A node of ours, and the size that it has. */
export interface Sized {
  size: number;
  one: Running;
}

/** @param n how often at each size */
export async function measureBesideRaw(
  bench: Bench,
  scenario: Scenario,
  sized: readonly Sized[],
  n: number,
  recorder: Recorder,
): Promise<void> {
  const rounds = podsFor(n);
  const raw = await startTargets(bench, { scenario, targets: targetsOf('raw') }, rounds * sized.length);
  const [bare] = raw.running as [Running];
  const measure = async (one: Running, at: number, size: number, counts: boolean): Promise<void> => {
    for (const figure of ['ADD', 'DEL'] as const) {
      const { durations } = await operate(one, figure, one.pods.slice(at, at + 1), 1);
      const key = { scenario: scenario.name, target: one.target.name, figure, unit: 'ms' } as const;
      if (counts) recorder.add(key, size, ...durations);
    }
  };
  try {
    for (let round = 0; round < rounds; round++) {
      bench.say(`${scenario.name}: round ${round + 1} of ${rounds}`);
      bench.signal.throwIfAborted();
      const isWarm = round >= WARM_UPS;
      for (const [i, { size, one }] of rotated([...sized.entries()], round)) {
        const turns = [
          () => measure(bare, round * sized.length + i, size, isWarm),
          () => measure(one, round, size, isWarm),
        ];
        for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
      }
    }
  } finally {
    await raw.close();
  }
}
