/** What every change has to hold: a small share of Multus's overhead, and no growth with the number of pods. */
import { formatTable } from '../../src/cli/table.ts';
import { type Bench, type CellResult, runCell } from './cell.ts';
import { type Growth, measureGrowth } from './growth/first-and-last.ts';
import { shareOfOverhead } from './report/figures.ts';
import { scenarioOf } from './scenarios.ts';
import type { Interval } from './statistics.ts';
import { targetsOf } from './targets/target.ts';

/** The aim is a quarter. */
const MOST_OF_OVERHEAD = 0.4;
const MOST_GROWTH = 1.2;
const PODS = 250;
const ROUNDS = 60;

export interface Short {
  cells: CellResult[];
  growth: Growth;
  /** A line for each limit that does not hold. */
  failed: string[];
  passed: string[];
}

const text = ({ value, low, high }: Interval): string => `${value.toFixed(2)} [${low.toFixed(2)}–${high.toFixed(2)}]`;

export async function runShort(bench: Bench): Promise<Short> {
  const cell = await runCell(bench, {
    ...{ scenario: scenarioOf('S0-1'), targets: targetsOf('raw', 'thick', 'multus-thick'), commands: ['ADD', 'DEL'] },
    ...{ apiLatencyMs: 0, concurrency: 1, batch: 1, rounds: ROUNDS, warmUps: 5 },
  });
  const growth = await measureGrowth(bench, scenarioOf('S1'), targetsOf('raw', 'thick'), PODS);
  const share = shareOfOverhead(cell, 'ADD', 'thick', 'multus-thick');
  const grown = growth.targets.find(({ target }) => target === 'thick')?.overRaw;
  if (share === undefined || grown === undefined) throw new Error('the short run has measured nothing');
  const limits: [Interval, number, string][] = [
    [share, MOST_OF_OVERHEAD, "ADD's overhead over a no-op delegate, as a share of Multus thick's"],
    [grown, MOST_GROWTH, `time of ADD from pod 1 to pod ${PODS}, divided by the bare delegates' own growth`],
  ];
  // Only what is certainly too much: on a machine that others use, one run's figure swings by a third.
  const line = ([is, most, what]: (typeof limits)[number]) => `${what}: ${text(is)}, at most ${most}`;
  const [passed, failed] = [true, false].map((holds) => limits.filter(([is, most]) => is.low <= most === holds));
  return { cells: [cell], growth, passed: (passed ?? []).map(line), failed: (failed ?? []).map(line) };
}

export function growthTable({ scenario: name, targets }: Growth): string {
  const rows = targets.map(({ target, first, last, growth, overRaw }) => [
    ...[name, target, first.toFixed(2), last.toFixed(2), text(growth), text(overRaw)],
  ]);
  return formatTable(['SCENARIO', 'TARGET', 'FIRST P50', 'LAST P50', 'GROWTH [95 %]', 'OVER RAW [95 %]'], rows);
}
