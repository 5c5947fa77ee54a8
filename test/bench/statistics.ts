/** Figures of series of measurements, and how far they can be trusted. */

/** In the unit of the measurements. */
export interface Series {
  min: number;
  median: number;
  p90: number;
  p99: number;
}

/** Bounds of 95 %, and what lies between them. */
export interface Interval {
  value: number;
  low: number;
  high: number;
}

const RESAMPLES = 2000;

function quantile(sorted: readonly number[] | Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

export function summarise(values: readonly number[]): Series {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number): number => quantile(sorted, q);
  return { min: at(0), median: at(0.5), p90: at(0.9), p99: at(0.99) };
}

export function median(values: readonly number[]): number {
  return summarise(values).median;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of the straight line that lies nearest to the points (least squares); NaN when all have the same x. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const [middleX, middleY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const spread = points.reduce((sum, [x]) => sum + (x - middleX) ** 2, 0);
  return points.reduce((sum, [x, y]) => sum + (x - middleX) * (y - middleY), 0) / spread;
}

/** Always the same numbers, so that the same measurements have the same interval (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * What `figure` makes of the series' medians, and between which bounds it lies in 95 % of the cases when each series is
 * drawn anew from itself (percentile bootstrap).
 */
export function bootstrap(
  series: readonly (readonly number[])[],
  figure: (...medians: number[]) => number,
  resamples = RESAMPLES,
): Interval {
  const random = randomNumbers(1);
  const redrawn = (values: readonly number[]): number => {
    const drawn = Float64Array.from(values, () => values[Math.floor(random() * values.length)] ?? Number.NaN);
    return quantile(drawn.sort(), 0.5);
  };
  const found = Float64Array.from({ length: resamples }, () => figure(...series.map(redrawn))).sort();
  return { value: figure(...series.map(median)), low: quantile(found, 0.025), high: quantile(found, 0.975) };
}
