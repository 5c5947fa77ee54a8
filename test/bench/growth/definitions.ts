/** ADD, the daemon's start and its memory with more and more definitions in the cluster: an API server for each number. */
import { until } from '../../lab/process.ts';
import type { BenchApi } from '../api/bench-api.ts';
import { realisticDefinition } from '../api/realistic-definition.ts';
import type { RequestCount } from '../api/request-counts.ts';
import { startStandIn } from '../api/stand-in.ts';
import { type Bench, startTargets } from '../cell.ts';
import { settledFootprint } from '../footprint.ts';
import type { Running } from '../operate.ts';
import { noopScenario } from '../scenarios.ts';
import { targetsOf } from '../targets/target.ts';
import { measureBesideRaw, podsFor, type Sized } from './beside-raw.ts';
import { restartDaemon } from './daemon-start.ts';
import { Recorder, type Series } from './series.ts';

const STARTS = 5;
const DEFINITIONS = 'network-attachment-definitions';
/** The pod's own network is one of the definitions. */
const SCENARIO = noopScenario(1);

/** A cluster with so many definitions, and a node of it. */
interface Cluster extends Sized {
  api: BenchApi;
}

async function startCluster(
  bench: Bench,
  size: number,
  pods: number,
  closes: (() => Promise<void>)[],
): Promise<Cluster> {
  const api = await startStandIn();
  closes.unshift(() => api.close());
  await api.apply(...Array.from({ length: size - 1 }, (_, i) => realisticDefinition(i)));
  const { running, close } = await startTargets(
    { ...bench, api },
    { scenario: SCENARIO, targets: targetsOf('thick') },
    pods,
  );
  closes.unshift(close);
  return { size, api, one: running[0] as Running };
}

/** Until its copies of pods and definitions are whole, and followed. */
async function measureStart({ api, one, size }: Cluster, recorder: Recorder): Promise<void> {
  const key = { scenario: SCENARIO.name, target: 'thick' };
  await api.takeCounts();
  const { startedAt, answeredMs } = await restartDaemon(one.node);
  const counts: RequestCount[] = [];
  const watchOf = (kind: string): RequestCount | undefined =>
    counts.find(({ verb, resource }) => verb === 'watch' && resource === kind);
  await until('the daemon follows the cluster', async () => {
    counts.push(...(await api.takeCounts()));
    return watchOf('pods') !== undefined && watchOf(DEFINITIONS) !== undefined;
  });
  const followedAt = Math.max(watchOf('pods')?.lastAt ?? 0, watchOf(DEFINITIONS)?.lastAt ?? 0);
  const lists = counts.filter(
    ({ verb, resource }) => resource === DEFINITIONS && (verb === 'list' || verb === 'stream'),
  );
  recorder.add({ ...key, figure: 'start until it answers', unit: 'ms' }, size, answeredMs);
  recorder.add({ ...key, figure: 'start until its copies are full', unit: 'ms' }, size, followedAt - startedAt);
  recorder.add({ ...key, figure: 'listed', unit: 'KiB' }, size, lists.reduce((sum, { sent }) => sum + sent, 0) / 1024);
}

/** @param sizes definitions of the cluster, at least 1 */
export async function definitionsStudy(bench: Bench, sizes: readonly number[], n: number): Promise<Series[]> {
  const recorder = new Recorder();
  const closes: (() => Promise<void>)[] = [];
  try {
    const clusters: Cluster[] = [];
    for (const size of sizes) clusters.push(await startCluster(bench, size, podsFor(n), closes));
    await measureBesideRaw(bench, SCENARIO, clusters, n, recorder);
    for (const { size, one } of clusters) {
      const { rss, anonymous } = await settledFootprint(one.node.node.pid ?? 0);
      const key = { scenario: SCENARIO.name, target: 'thick', unit: 'KiB' } as const;
      recorder.add({ ...key, figure: 'RSS' }, size, rss);
      recorder.add({ ...key, figure: 'private' }, size, anonymous);
    }
    for (let i = 0; i < STARTS; i++) for (const cluster of clusters) await measureStart(cluster, recorder);
  } finally {
    for (const close of closes) await close();
  }
  return recorder.series;
}
