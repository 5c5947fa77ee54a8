/** What each target asks the API server while pods come and go: counted by the server, one target at a time. */
import type { RequestCount } from '../api/request-counts.ts';
import { untilStill } from '../api/until-still.ts';
import { type Bench, startTargets } from '../cell.ts';
import { operate, type Running } from '../operate.ts';
import { limiterMs, paced } from '../pace.ts';
import type { Scenario } from '../scenarios.ts';
import type { Target } from '../targets/target.ts';

/** `made` and `gone`: nothing but the pod's object; `start`: of the program that runs always. */
export const PHASES = ['start', 'made', 'ADD', 'DEL', 'gone'] as const;
export type Phase = (typeof PHASES)[number];

/** Of one pod; of one node in phase `start`. */
export interface PhaseCount extends Pick<RequestCount, 'verb' | 'resource'> {
  scenario: string;
  target: string;
  phase: Phase;
  requests: number;
  /** Bytes of bodies. */
  received: number;
  sent: number;
  /** Of watches. */
  events: number;
}

/** Takes of a phase what is the same kind of request together. @param pods among whom it is divided */
export function perPod(
  counts: readonly RequestCount[],
  pods: number,
): Pick<PhaseCount, 'verb' | 'resource' | 'requests' | 'received' | 'sent' | 'events'>[] {
  const kinds = [...new Set(counts.map(({ verb, resource }) => `${verb} ${resource}`))];
  return kinds.sort().map((kind) => {
    const same = counts.filter(({ verb, resource }) => `${verb} ${resource}` === kind);
    const mean = (figure: 'requests' | 'received' | 'sent' | 'events'): number =>
      same.reduce((sum, one) => sum + one[figure], 0) / pods;
    const { verb, resource } = same[0] as RequestCount;
    const [requests, received, sent, events] = [mean('requests'), mean('received'), mean('sent'), mean('events')];
    return { verb, resource, requests, received, sent, events };
  });
}

async function countTarget(bench: Bench, scenario: Scenario, target: Target, pods: number): Promise<PhaseCount[]> {
  const { api } = bench;
  const all: PhaseCount[] = [];
  const note = async (phase: Phase): Promise<void> => {
    bench.say(`${scenario.name}: ${target.name}, ${phase}`);
    bench.signal.throwIfAborted();
    const counts = perPod(await untilStill(api), phase === 'start' ? 1 : pods);
    all.push(...counts.map((count) => ({ scenario: scenario.name, target: target.name, phase, ...count })));
  };
  await untilStill(api);
  const { running, close } = await startTargets(bench, { scenario, targets: [target] }, 0);
  const [one] = running as [Running];
  try {
    await note('start');
    one.pods = await one.node.makePods(pods, true);
    await note('made');
    for (const phase of ['ADD', 'DEL'] as const) {
      for (const pod of one.pods) {
        await paced(limiterMs(1, scenario.networks.length), async () => {
          await operate(one, phase, [pod], 1);
        });
      }
      await note(phase);
    }
    for (const pod of one.pods.splice(0)) await api.delete(`/api/v1/namespaces/default/pods/${pod.name}`);
    await note('gone');
  } finally {
    await close();
  }
  return all;
}

/** @param pods of each target */
export async function countRequests(
  bench: Bench,
  scenarios: readonly Scenario[],
  targets: readonly Target[],
  pods: number,
): Promise<PhaseCount[]> {
  const all: PhaseCount[] = [];
  for (const scenario of scenarios) {
    for (const target of targets.filter(({ isMeta }) => isMeta)) {
      all.push(...(await countTarget(bench, scenario, target, pods)));
    }
  }
  return all;
}
