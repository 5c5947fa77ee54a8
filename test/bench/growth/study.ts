/** The studies: what an operation costs when there is more of something. */
import type { Bench } from '../cell.ts';
import { definitionsStudy } from './definitions.ts';
import { journalStudy } from './journal.ts';
import { networksStudy } from './networks.ts';
import { podsStudy } from './pods.ts';
import type { Series } from './series.ts';

export interface Study {
  name: string;
  /** For readers of a report. */
  what: string;
  sizes: readonly number[];
  /** @param sizes ascending @param n how often each operation is measured at each size */
  run: (bench: Bench, sizes: readonly number[], n: number) => Promise<Series[]>;
}

export const STUDIES: readonly Study[] = [
  { name: 'pods', what: 'pods attached on the node', sizes: [1, 10, 100, 250, 500, 1000], run: podsStudy },
  { name: 'definitions', what: 'definitions in the cluster', sizes: [1, 100, 1000, 10_000], run: definitionsStudy },
  {
    name: 'networks',
    what: 'no-op networks of a pod, besides its default',
    sizes: [1, 2, 4, 8, 16, 32],
    run: networksStudy,
  },
  { name: 'journal', what: 'other containers in the journal', sizes: [0, 100, 1000, 5000], run: journalStudy },
];

export interface Studied {
  study: string;
  what: string;
  n: number;
  series: Series[];
}

/** @param names of studies @param sizes instead of each study's own */
export async function runStudies(
  bench: Bench,
  names: readonly string[],
  n: number,
  sizes?: readonly number[],
): Promise<Studied[]> {
  const studied: Studied[] = [];
  for (const { name, what, run, sizes: own } of STUDIES.filter((one) => names.includes(one.name))) {
    const ascending = [...(sizes ?? own)].sort((a, b) => a - b);
    studied.push({ study: name, what, n, series: await run(bench, ascending, n) });
  }
  return studied;
}
