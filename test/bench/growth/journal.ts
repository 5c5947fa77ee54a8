/** ADD, the daemon's start and `multus ps` with more and more containers in the node's journal. */
import { join } from 'node:path';
import { Journal } from '../../../src/attach/journal.ts';
import { type Bench, startTargets } from '../cell.ts';
import { operate, type Running } from '../operate.ts';
import { scenarioOf } from '../scenarios.ts';
import type { BenchNode, Pod } from '../targets/bench-node.ts';
import { targetsOf } from '../targets/target.ts';
import { measureBesideRaw, podsFor, type Sized } from './beside-raw.ts';
import { restartDaemon } from './daemon-start.ts';
import { Recorder, type Series } from './series.ts';

const STARTS = 5;
const SCENARIO = scenarioOf('S0-1');

/**
 * The records are copies of an attached pod's. Its namespace is there, so the reconciler looks at each of them, as it does
 * at those of other pods, and leaves them alone.
 */
async function fillJournal(one: Running, size: number): Promise<void> {
  const [other] = one.pods.slice(-1) as [Pod];
  await operate(one, 'ADD', [other], 1);
  const journal = new Journal(one.node.node.stateDir);
  const record = journal.read(other.containerId);
  if (record === undefined) throw new Error(`the journal has no record of ${other.name}`);
  for (let i = 1; i < size; i++) {
    await journal.place({ ...record, containerId: `f${String(i).padStart(63, '0')}`, pod: `default/other-${i}` });
  }
}

/** `multus ps` must tell of all of them. */
async function measurePs({ node }: BenchNode, size: number): Promise<number> {
  const { ms, code, stdout, stderr } = await node.machine.run(join(node.binDir, 'multus'), ['ps']);
  const told = stdout.split('\n').slice(1, -1).length;
  if (code === 0 && told === size) return ms;
  throw new Error(`multus ps has told of ${told} of ${size} containers (exit code ${code}): ${stderr}`);
}

async function measureStart({ size, one }: Sized, recorder: Recorder): Promise<void> {
  const key = { scenario: SCENARIO.name, target: 'thick', unit: 'ms' } as const;
  recorder.add({ ...key, figure: 'start until it answers' }, size, (await restartDaemon(one.node)).answeredMs);
  const pod = one.pods.slice(0, 1);
  recorder.add({ ...key, figure: 'first ADD then' }, size, ...(await operate(one, 'ADD', pod, 1)).durations);
  await operate(one, 'DEL', pod, 1);
  recorder.add({ ...key, figure: 'multus ps' }, size, await measurePs(one.node, size));
}

/** @param sizes containers in the journal, besides the measured one */
export async function journalStudy(bench: Bench, sizes: readonly number[], n: number): Promise<Series[]> {
  const recorder = new Recorder();
  const closes: (() => Promise<void>)[] = [];
  try {
    const nodes: Sized[] = [];
    for (const size of sizes) {
      const plan = { scenario: SCENARIO, targets: targetsOf('thick') };
      const started = await startTargets(bench, plan, podsFor(n) + 1, `-${size}`);
      closes.unshift(started.close);
      const [one] = started.running as [Running];
      nodes.push({ size, one });
      if (size > 0) await fillJournal(one, size);
    }
    await measureBesideRaw(bench, SCENARIO, nodes, n, recorder);
    for (let i = 0; i < STARTS; i++) for (const node of nodes) await measureStart(node, recorder);
  } finally {
    for (const close of closes) await close();
  }
  return recorder.series;
}
