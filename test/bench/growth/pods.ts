/** ADD, DEL and the daemon's memory with more and more pods attached on the node. */
import { untilStill } from '../api/until-still.ts';
import { type Bench, startTargets } from '../cell.ts';
import { settledFootprint } from '../footprint.ts';
import { operate, type Running } from '../operate.ts';
import { type Scenario, scenarioOf } from '../scenarios.ts';
import type { Pod } from '../targets/bench-node.ts';
import { type Command, targetsOf } from '../targets/target.ts';
import { Recorder } from './series.ts';

const WARM_UPS = 5;
const AT_ONCE = 8;

/** Bring the pods that stay from one number to another. */
async function fill(one: Running, fillers: readonly Pod[], from: number, to: number): Promise<void> {
  const [command, pods]: [Command, readonly Pod[]] =
    to > from ? ['ADD', fillers.slice(from, to)] : ['DEL', fillers.slice(to, from)];
  if (pods.length > 0) await operate(one, command, pods, AT_ONCE);
}

/**
 * Pods come, then go: what slows the machine for a while is not taken for growth, and memory that the operations have left,
 * not the pods, is the same when the pods have gone.
 */
async function walk(bench: Bench, scenario: Scenario, sizes: readonly number[], n: number, recorder: Recorder) {
  const most = Math.max(...sizes) - 1;
  const probes = Math.ceil(n / 2);
  const { running, close } = await startTargets(bench, { scenario, targets: targetsOf('raw', 'thick') }, most + probes);
  let attached = 0;
  const comeTo = async (others: number): Promise<void> => {
    for (const one of running) await fill(one, one.pods.slice(0, most), attached, others);
    await untilStill(bench.api); // the pods that have just come are no growth
    attached = others;
  };
  const probe = async (i: number, record: (one: Running, command: Command, ms: readonly number[]) => void) => {
    for (const one of i % 2 === 0 ? running : [...running].reverse()) {
      for (const command of ['ADD', 'DEL'] as const) {
        const at = most + (i % probes);
        record(one, command, (await operate(one, command, one.pods.slice(at, at + 1), 1)).durations);
      }
    }
  };
  try {
    for (let i = 0; i < WARM_UPS; i++) await probe(i, () => undefined);
    const coming = sizes.map((size) => ({ way: 'they come', size }));
    const going = [...sizes].reverse().map((size) => ({ way: 'they go', size }));
    for (const { way, size } of [...coming, ...going]) {
      bench.say(`${scenario.name}: ${size} pods`);
      await comeTo(size - 1);
      for (let i = 0; i < probes; i++) {
        bench.signal.throwIfAborted();
        await probe(i, ({ target }, command, ms) => {
          recorder.add({ scenario: scenario.name, target: target.name, figure: command, unit: 'ms' }, size, ...ms);
        });
      }
      for (const { target, node } of running) {
        if (node.node.pid === undefined) continue;
        const { rss, anonymous } = await settledFootprint(node.node.pid);
        const key = { scenario: scenario.name, target: target.name, unit: 'KiB' } as const;
        recorder.add({ ...key, figure: `RSS while ${way}` }, size, rss);
        recorder.add({ ...key, figure: `private while ${way}` }, size, anonymous);
      }
    }
    await comeTo(0);
    for (const { node } of running) node.mustBeClean();
  } finally {
    await close();
  }
}

/** @param sizes pods that are attached when the measured one is */
export async function podsStudy(bench: Bench, sizes: readonly number[], n: number) {
  const recorder = new Recorder();
  for (const name of ['S0-1', 'S1']) await walk(bench, scenarioOf(name), sizes, n, recorder);
  return recorder.series;
}
