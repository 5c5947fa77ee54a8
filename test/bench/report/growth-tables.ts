/** A table for each study of growth: a figure's values at all sizes are one line. */
import { type GrowthRow, growthRows, type Unit } from '../growth/series.ts';
import type { Studied } from '../growth/study.ts';
import { interval, type Table, type Titled } from './tables.ts';

/** The unit of a value, and of what one more adds, which is small. */
const UNITS: Record<Unit, { shown: string; digits: number; divisor: number; small: string; factor: number }> = {
  ms: { shown: 'ms', digits: 2, divisor: 1, small: 'µs', factor: 1000 },
  KiB: { shown: 'MiB', digits: 1, divisor: 1024, small: 'B', factor: 1024 },
};

function cellsOf(row: GrowthRow): string[] {
  const { scenario, target, figure, unit, values, perOneMore, perOneMoreOverRaw, lastToFirst } = row;
  const { shown, digits, divisor, small, factor } = UNITS[unit];
  const smaller = (value: number | undefined): string =>
    value === undefined ? '' : `${(value * factor).toFixed(2)} ${small}`;
  return [
    ...[scenario, target, `${figure}, ${shown}`, ...values.map((value) => (value / divisor).toFixed(digits))],
    ...[smaller(perOneMore), smaller(perOneMoreOverRaw), interval(lastToFirst)],
  ];
}

function tableOf({ series }: Studied): Table {
  const rows = growthRows(series);
  const sizes = (rows[0]?.sizes ?? []).map(String);
  return {
    headings: ['SCENARIO', 'TARGET', 'FIGURE', ...sizes, 'ONE MORE', 'OVER RAW', 'LAST / FIRST [95 %]'],
    cells: rows.map(cellsOf),
  };
}

export function growthTables(studied: readonly Studied[]): Titled[] {
  return studied.map((one) => [`Growth with the number of ${one.what} (n = ${one.n})`, tableOf(one)]);
}
