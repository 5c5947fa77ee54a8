/** Operations on pods of a target, measured, and looked at: what is not in the pod after ADD was not fast, but wrong. */
import type { Done } from './launcher/launcher.ts';
import type { BenchNode, Pod } from './targets/bench-node.ts';
import { type Command, jobOf, type Target } from './targets/target.ts';

/** A target in a cell: its node and pods. */
export interface Running {
  target: Target;
  node: BenchNode;
  pods: Pod[];
}

export interface Operated {
  /** Milliseconds of each pod's operation. */
  durations: number[];
  /** From the first start to the last end, milliseconds. */
  elapsedMs: number;
  /** Milliseconds of user and system time of all processes, the daemon's work behind the answers included. */
  cpuMs: number;
  /** Of it, the time of what the runtime started and its children: shims, delegates. */
  startedCpuMs: number;
  /** Largest process that the runtime started. */
  maxRssKib: number;
}

function problemOf(
  command: Command,
  done: Done,
  links: readonly string[],
  wanted: readonly string[],
): string | undefined {
  if (done.code !== 0) return `exit code ${done.code}`;
  if (command === 'ADD' && done.stdout.some((text) => !text.includes('cniVersion'))) return 'a result is missing';
  const expected = command === 'DEL' ? [] : wanted;
  if ([...links].sort().join() !== [...expected].sort().join()) {
    return `the pod has [${links.join(', ')}] and should have [${expected.join(', ')}]`;
  }
  return undefined;
}

/** @throws Error when one did not do what it should, with what it said */
async function verify({ target, node }: Running, command: Command, pod: Pod, done: Done): Promise<void> {
  const isOfPod = command !== 'STATUS' && command !== 'VERSION';
  const links = isOfPod ? await node.links(pod) : pod.scenario.links;
  const problem = problemOf(command, done, links, pod.scenario.links);
  if (problem === undefined) return;
  const said = [...done.stdout, done.stderr].join('\n').trim();
  throw new Error(
    `${target.name}: ${command} of ${pod.name} (${pod.scenario.name}): ${problem}\n${said}\n${node.node.logs}`,
  );
}

/** One command on pods, so many at a time, until the target has nothing more to do for them. */
export async function operate(
  running: Running,
  command: Command,
  pods: readonly Pod[],
  concurrency: number,
  apiLatencyMs = 0,
): Promise<Operated> {
  const { target, node } = running;
  const jobs = pods.map((pod) => jobOf(target, node, command, pod));
  const before = node.daemonCpuMs;
  const done = await node.run(jobs, concurrency);
  await node.quiet(apiLatencyMs);
  const startedCpuMs = done.reduce((sum, one) => sum + one.cpuMs, 0);
  const cpuMs = node.daemonCpuMs - before + startedCpuMs;
  for (const [i, pod] of pods.entries()) {
    const one = done[i] as Done;
    await verify(running, command, pod, one);
    if (command === 'ADD') pod.results = one.stdout;
  }
  return {
    durations: done.map(({ durationMs }) => durationMs),
    elapsedMs: Math.max(...done.map(({ startMs, durationMs }) => startMs + durationMs)),
    cpuMs,
    startedCpuMs,
    maxRssKib: Math.max(...done.map(({ maxRssKib }) => maxRssKib)),
  };
}
