/** ADD and DEL of pods with more and more networks: what one network costs. */
import { type Bench, startTargets } from '../cell.ts';
import { operate } from '../operate.ts';
import { limiterMs, paced, rotated } from '../pace.ts';
import { noopScenario } from '../scenarios.ts';
import type { Pod } from '../targets/bench-node.ts';
import { targetsOf } from '../targets/target.ts';
import { Recorder, type Series } from './series.ts';

const WARM_UPS = 3;

/** @param sizes networks of a pod, besides its default */
export async function networksStudy(bench: Bench, sizes: readonly number[], n: number): Promise<Series[]> {
  const recorder = new Recorder();
  const scenario = noopScenario(Math.max(...sizes));
  const targets = targetsOf('raw', 'thick', 'multus-thick');
  const { running, close } = await startTargets(bench, { scenario, targets }, 0);
  const key = { scenario: 'no-op', unit: 'ms' } as const;
  const roundMs = sizes.reduce((sum, size) => sum + limiterMs(1, size), 0);
  try {
    const podsOf = new Map<(typeof running)[number], Pod[][]>();
    for (const one of running) {
      const pods: Pod[][] = [];
      for (const size of sizes) {
        pods.push(await one.node.makePods(n + WARM_UPS, one.target.isMeta, noopScenario(size)));
      }
      podsOf.set(one, pods);
      one.pods = pods.flat();
    }
    for (let round = 0; round < n + WARM_UPS; round++) {
      bench.say(`networks: round ${round + 1} of ${n + WARM_UPS}`);
      bench.signal.throwIfAborted();
      await paced(roundMs, async () => {
        for (const [i, size] of rotated([...sizes.entries()], round)) {
          for (const one of rotated(running, round)) {
            const pods = podsOf.get(one)?.[i]?.slice(round, round + 1) ?? [];
            for (const figure of ['ADD', 'DEL'] as const) {
              const { durations } = await operate(one, figure, pods, 1);
              if (round < WARM_UPS) continue;
              recorder.add({ ...key, target: one.target.name, figure }, size, ...durations);
            }
          }
        }
      });
    }
  } finally {
    await close();
  }
  return recorder.series;
}
