/** The same tables for people at a terminal, and for documents. */
import { formatTable } from '../../../src/cli/table.ts';
import type { CellResult } from '../cell.ts';
import type { Interval } from '../statistics.ts';
import type { Conditions } from './conditions.ts';
import { type Row, rows, shareOfOverhead } from './figures.ts';

export interface Table {
  headings: string[];
  cells: string[][];
}

export const figure = (value: number | undefined, digits = 2): string => value?.toFixed(digits) ?? '';
const mib = (kib: number): string => (kib / 1024).toFixed(1);

export function interval(one: Interval | undefined): string {
  return one === undefined ? '' : `${figure(one.value)} [${figure(one.low)}–${figure(one.high)}]`;
}

function latencies(all: readonly Row[]): Table {
  return {
    headings: [
      ...['SCENARIO', 'API MS', 'AT ONCE', 'COMMAND', 'TARGET', 'N', 'MIN', 'P50', 'P90', 'P99', 'PER SECOND'],
      ...['CPU MS', 'STARTED CPU MS', 'OWN CPU MS', 'RSS MB', 'OVER RAW [95 %]', 'TIMES RAW [95 %]', 'FOREIGN CPU %'],
    ],
    cells: all.map((row) => [
      ...[row.scenario, String(row.apiLatencyMs), String(row.concurrency), row.command, row.target, String(row.n)],
      ...[row.min, row.median, row.p90, row.p99].map((ms) => figure(ms)),
      ...[figure(row.perSecond, 1), figure(row.cpuMs), figure(row.startedCpuMs), figure(row.ownCpuMs)],
      mib(row.maxRssKib),
      ...[interval(row.overRaw), interval(row.timesRaw), figure(row.foreignCpu, 0)],
    ]),
  };
}

function daemons(cells: readonly CellResult[]): Table {
  return {
    headings: ['SCENARIO', 'API MS', 'AT ONCE', 'TARGET', 'RSS MB', 'CGROUP PEAK MB'],
    cells: cells.flatMap(({ scenario, apiLatencyMs, concurrency, daemons: all }) =>
      all.map(({ target, rssKib, peakKib }) => [
        ...[scenario, String(apiLatencyMs), String(concurrency), target, mib(rssKib), mib(peakKib)],
      ]),
    ),
  };
}

/** Our overhead as a share of Multus's, with a daemon and without. */
function shares(cells: readonly CellResult[]): Table {
  const pairs = [
    ['thick', 'multus-thick'],
    ['standalone', 'multus-thin'],
  ] as const;
  return {
    headings: ['SCENARIO', 'API MS', 'AT ONCE', 'COMMAND', 'OURS', 'THEIRS', '(OURS − RAW) / (THEIRS − RAW) [95 %]'],
    cells: cells.flatMap((cell) =>
      ['ADD', 'DEL'].flatMap((command) =>
        pairs.flatMap(([ours, theirs]) => {
          const share = shareOfOverhead(cell, command, ours, theirs);
          if (share === undefined) return [];
          const { scenario, apiLatencyMs, concurrency } = cell;
          return [[scenario, String(apiLatencyMs), String(concurrency), command, ours, theirs, interval(share)]];
        }),
      ),
    ),
  };
}

/** With its title. */
export type Titled = readonly [title: string, table: Table];

export function cellTables(cells: readonly CellResult[]): Titled[] {
  const all: Titled[] = [
    ['Milliseconds of an operation', latencies(rows(cells))],
    ["Overhead as a share of Multus's", shares(cells)],
    ['What runs always', daemons(cells)],
  ];
  return all.filter(([, table]) => table.cells.length > 0);
}

const conditionLines = (conditions: Conditions): string[] =>
  Object.entries(conditions).map(([name, value]) => `${name}: ${value}`);

export function asText(tables: readonly Titled[], conditions: Conditions): string {
  const parts = tables.map(([title, { headings, cells }]) => `${title}\n${formatTable(headings, cells)}`);
  return [`${conditionLines(conditions).join('\n')}\n`, ...parts].join('\n');
}

function markdownTable({ headings, cells }: Table): string {
  const line = (all: readonly string[]) => `| ${all.join(' | ')} |`;
  return [line(headings.map((one) => one.toLowerCase())), line(headings.map(() => '---')), ...cells.map(line)].join(
    '\n',
  );
}

export function asMarkdown(tables: readonly Titled[], conditions: Conditions): string {
  const parts = tables.map(([title, table]) => `## ${title}\n\n${markdownTable(table)}\n`);
  const list = conditionLines(conditions).map((one) => `- ${one}`);
  return [`${list.join('\n')}\n`, ...parts].join('\n');
}
