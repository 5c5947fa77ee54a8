/** What grows with a size: measurements at each of several sizes, and what they say together. */
import { bootstrap, type Interval, median, slope, summarise } from '../statistics.ts';
import { TARGETS } from '../targets/target.ts';

/** Fewer measurements have no 99th percentile worth the name. */
const LEAST_FOR_P99 = 20;

export type Unit = 'ms' | 'KiB';

export interface Point {
  size: number;
  values: number[];
}

export interface Series {
  scenario: string;
  target: string;
  /** "ADD", "RSS" */
  figure: string;
  unit: Unit;
  points: Point[];
}

/** Measurements as they come, in any order of sizes. */
export class Recorder {
  readonly series: Series[] = [];

  add(key: Omit<Series, 'points'>, size: number, ...values: number[]): void {
    const isIt = ({ scenario, target, figure }: Series): boolean =>
      scenario === key.scenario && target === key.target && figure === key.figure;
    let found = this.series.find(isIt);
    if (found === undefined) {
      found = { ...key, points: [] };
      this.series.push(found);
    }
    let point = found.points.find((one) => one.size === size);
    if (point === undefined) {
      point = { size, values: [] };
      found.points.push(point);
      found.points.sort((a, b) => a.size - b.size);
    }
    point.values.push(...values);
  }
}

/** One line of a study's table: a figure at each size. */
export interface GrowthRow extends Omit<Series, 'points'> {
  sizes: number[];
  values: number[];
  /** What one more adds, in the unit: by the straight line nearest to the values. */
  perOneMore: number;
  /** The same, less what raw has; undefined for raw itself, and where raw has no such figure. */
  perOneMoreOverRaw: number | undefined;
  /** Of the largest size and the smallest; with bounds where the values are medians. */
  lastToFirst: Interval;
}

function rowOf({ points, ...key }: Series, figure: string, summary: (values: readonly number[]) => number): GrowthRow {
  const values = points.map((point) => summary(point.values));
  const ratio = (values.at(-1) ?? Number.NaN) / (values[0] ?? Number.NaN);
  const perOneMore = slope(points.map(({ size }, i) => [size, values[i] ?? Number.NaN]));
  const lastToFirst = { value: ratio, low: ratio, high: ratio };
  const sizes = points.map(({ size }) => size);
  return { ...key, figure, sizes, values, perOneMore, perOneMoreOverRaw: undefined, lastToFirst };
}

function rowsOf(series: Series): GrowthRow[] {
  const ends = [series.points[0]?.values ?? [], series.points.at(-1)?.values ?? []];
  const middle = {
    ...rowOf(series, `${series.figure} P50`, median),
    lastToFirst: bootstrap(ends, (first = 0, last = 0) => last / first),
  };
  if (series.unit !== 'ms') return [{ ...middle, figure: series.figure }];
  if (Math.min(...series.points.map(({ values }) => values.length)) < LEAST_FOR_P99) return [middle];
  return [middle, rowOf(series, `${series.figure} P99`, (values) => summarise(values).p99)];
}

/** Beside each other what is to be compared: the targets' same figure. */
function ordered(rows: readonly GrowthRow[]): GrowthRow[] {
  const scenarios = [...new Set(rows.map(({ scenario }) => scenario))];
  const figures = [...new Set(rows.map(({ figure }) => figure))];
  const targets = TARGETS.map(({ name }) => name);
  const place = ({ scenario, figure, target }: GrowthRow): number =>
    (scenarios.indexOf(scenario) * figures.length + figures.indexOf(figure)) * targets.length + targets.indexOf(target);
  return [...rows].sort((a, b) => place(a) - place(b));
}

/** Median and 99th percentile of times, the median of other figures. */
export function growthRows(all: readonly Series[]): GrowthRow[] {
  const rows = all.flatMap(rowsOf);
  return ordered(rows).map((row) => {
    const raw = rows.find(
      ({ scenario, target, figure }) => target === 'raw' && scenario === row.scenario && figure === row.figure,
    );
    if (raw === undefined || raw === row) return row;
    return { ...row, perOneMoreOverRaw: row.perOneMore - raw.perOneMore };
  });
}
