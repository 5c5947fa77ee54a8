/** Does the 250th pod of a node take longer to attach than the first? All stay attached. */
import type { Bench } from '../cell.ts';
import { startTargets } from '../cell.ts';
import { operate } from '../operate.ts';
import type { Scenario } from '../scenarios.ts';
import { bootstrap, type Interval, median } from '../statistics.ts';
import type { Target } from '../targets/target.ts';

const WARM_UPS = 10;
const COMPARED = 25;
const AT_ONCE = 8;

export interface Growth {
  scenario: string;
  pods: number;
  targets: GrowthOfTarget[];
}

export interface GrowthOfTarget {
  target: string;
  /** Medians of the first and the last pods, milliseconds. */
  first: number;
  last: number;
  /** last / first. */
  growth: Interval;
  /** The same, divided by raw's: a bridge with many ports is slower for everybody. */
  overRaw: Interval;
}

/** @param targets raw among them @param pods how many count */
export async function measureGrowth(
  bench: Bench,
  scenario: Scenario,
  targets: readonly Target[],
  pods: number,
): Promise<Growth> {
  const { running, close } = await startTargets(bench, { scenario, targets }, pods + WARM_UPS);
  const durations = new Map(running.map(({ target }) => [target.name, [] as number[]]));
  try {
    for (let i = 0; i < pods + WARM_UPS; i++) {
      for (const one of i % 2 === 0 ? running : [...running].reverse()) {
        const { durations: all } = await operate(one, 'ADD', one.pods.slice(i, i + 1), 1);
        if (i >= WARM_UPS) durations.get(one.target.name)?.push(...all);
      }
      bench.say(`${scenario.name}: pod ${i + 1} of ${pods + WARM_UPS}`);
      bench.signal.throwIfAborted();
    }
    for (const one of running) {
      await operate(one, 'DEL', one.pods, AT_ONCE);
      one.node.mustBeClean();
    }
  } finally {
    await close();
  }
  const ends = (name: string): [number[], number[]] => {
    const all = durations.get(name) ?? [];
    return [all.slice(0, COMPARED), all.slice(-COMPARED)];
  };
  const raw = ends('raw');
  const of = (target: string): GrowthOfTarget => {
    const [first, last] = ends(target);
    return {
      target,
      first: median(first),
      last: median(last),
      growth: bootstrap([first, last], (a = 0, b = 0) => b / a),
      overRaw: bootstrap([first, last, ...raw], (a = 0, b = 0, c = 0, d = 0) => b / a / (d / c)),
    };
  };
  return { scenario: scenario.name, pods, targets: running.map(({ target }) => of(target.name)) };
}
