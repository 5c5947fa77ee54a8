/** One scenario under one condition: all targets in turn, again and again, so that what slows the machine slows them all. */
import { until } from '../lab/process.ts';
import type { BenchApi } from './api/bench-api.ts';
import { CpuWatch } from './cpu-watch.ts';
import { operate, type Running } from './operate.ts';
import { limiterMs, paced, rotated } from './pace.ts';
import type { Scenario } from './scenarios.ts';
import { BenchNode, type Pod, type Programs } from './targets/bench-node.ts';
import type { Limits } from './targets/daemon-group.ts';
import type { Command, Target } from './targets/target.ts';

/** What a whole run has. */
export interface Bench {
  api: BenchApi;
  programs: Programs;
  limits: Limits;
  /** Progress, for people. */
  say: (text: string) => void;
  /** Ends the run between two rounds. */
  signal: AbortSignal;
}

export interface CellPlan {
  scenario: Scenario;
  targets: readonly Target[];
  commands: readonly Command[];
  apiLatencyMs: number;
  concurrency: number;
  /** Pods that come and go together. */
  batch: number;
  /** How often they do. */
  rounds: number;
  /** Rounds before, which do not count. */
  warmUps: number;
}

/** What a target was measured to take for a command. */
export interface Measured {
  target: string;
  command: Command;
  /** Milliseconds of each operation. */
  durations: number[];
  /** Mean of an operation, milliseconds. */
  cpuMs: number;
  /** Of it, the time of what the runtime started and its children; the rest is the daemon's. */
  startedCpuMs: number;
  perSecond: number;
  /** Largest process of an operation. */
  maxRssKib: number;
}

export interface DaemonMemory {
  target: string;
  rssKib: number;
  peakKib: number;
}

export interface CellResult {
  scenario: string;
  apiLatencyMs: number;
  concurrency: number;
  batch: number;
  /** 1-minute load before it. */
  load: number;
  /** CPU of other programs meanwhile, percent of one processor. */
  foreignCpu: number;
  measured: Measured[];
  daemons: DaemonMemory[];
}

class Tally {
  readonly durations: number[] = [];
  private cpuMs = 0;
  private startedCpuMs = 0;
  private elapsedMs = 0;
  private maxRssKib = 0;

  add(operated: Awaited<ReturnType<typeof operate>>): void {
    this.durations.push(...operated.durations);
    this.cpuMs += operated.cpuMs;
    this.startedCpuMs += operated.startedCpuMs;
    this.elapsedMs += operated.elapsedMs;
    this.maxRssKib = Math.max(this.maxRssKib, operated.maxRssKib);
  }

  measured(target: string, command: Command): Measured {
    const { durations, maxRssKib } = this;
    const count = durations.length;
    const perSecond = (count / this.elapsedMs) * 1000;
    const [cpuMs, startedCpuMs] = [this.cpuMs / count, this.startedCpuMs / count];
    return { target, command, durations, cpuMs, startedCpuMs, perSecond, maxRssKib };
  }
}

/**
 * Nodes with the plan's targets and pods. Close them in the end.
 * @param suffix of their names, where one cluster has several nodes of a target
 */
export async function startTargets(
  bench: Bench,
  plan: Pick<CellPlan, 'scenario' | 'targets'>,
  pods: number,
  suffix = '',
) {
  const running: Running[] = [];
  const close = async (): Promise<void> => {
    for (const { target, node, pods: all } of running) await node.close(target.isMeta ? all : []);
  };
  try {
    for (const target of plan.targets) {
      bench.say(`${plan.scenario.name}: ${target.name} starts`);
      const node = await BenchNode.start(`${target.name}${suffix}`, plan.scenario, bench);
      running.push({ target, node, pods: [] });
      await target.start(node);
    }
    for (const one of running) one.pods = await one.node.makePods(pods, one.target.isMeta);
    for (const { node } of running) await node.quiet();
    return { running, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Before DEL, which takes away what is still to be told.
 * @throws Error when the cluster is not told of pods what they got: that would be cheap
 */
async function mustBeTold(api: BenchApi, pods: readonly Pod[]): Promise<void> {
  const names = pods.map(({ name }) => name);
  let missing = names;
  const isTold = async (): Promise<boolean> => {
    const told = await api.toldPods();
    missing = names.filter((name) => !told.has(name));
    return missing.length === 0;
  };
  await until('the statuses are told', isTold).catch(() => {
    throw new Error(`the cluster was not told of ${missing.length} pods what they got: ${missing.join(', ')}`);
  });
}

export async function runCell(bench: Bench, plan: CellPlan): Promise<CellResult> {
  const { scenario, commands, concurrency, batch, rounds, warmUps } = plan;
  const { running, close } = await startTargets(bench, plan, batch * (rounds + warmUps));
  const tallies = new Map(running.map((one) => [one, new Map(commands.map((command) => [command, new Tally()]))]));
  const tokensMs = limiterMs(batch, scenario.networks.length);
  const watch = new CpuWatch([...bench.api.pids]);
  try {
    await bench.api.delay(plan.apiLatencyMs);
    for (let round = -warmUps; round < rounds; round++) {
      const first = (round + warmUps) * batch;
      if (round === 0) watch.start();
      bench.signal.throwIfAborted();
      await paced(concurrency === 1 ? tokensMs : 0, async () => {
        for (const one of rotated(running, round + warmUps)) {
          for (const command of commands) {
            const pods = one.pods.slice(first, first + batch);
            const operated = await operate(one, command, pods, concurrency, plan.apiLatencyMs);
            if (command === 'ADD' && one.target.isMeta) await mustBeTold(bench.api, pods);
            watch.ours(operated.cpuMs);
            if (round >= 0) tallies.get(one)?.get(command)?.add(operated);
          }
        }
      });
      bench.say(`${scenario.name}, API + ${plan.apiLatencyMs} ms, ${concurrency} at a time: ${round + 1} of ${rounds}`);
    }
    const { load, foreignCpu } = watch.end();
    const measured = running.flatMap((one) =>
      commands.flatMap((command) => tallies.get(one)?.get(command)?.measured(one.target.name, command) ?? []),
    );
    for (const one of running) one.node.mustBeClean();
    return {
      ...{ scenario: scenario.name, apiLatencyMs: plan.apiLatencyMs, concurrency, batch, load, foreignCpu, measured },
      daemons: running
        .filter(({ target }) => target.isMeta)
        .map(({ target, node }) => ({
          target: target.name,
          rssKib: node.daemonRssKib,
          peakKib: node.daemonPeakKib,
        })),
    };
  } finally {
    await bench.api.delay(0);
    await close();
  }
}
