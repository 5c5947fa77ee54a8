import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type GrowthRow, growthRows, Recorder } from '../../../bench/growth/series.ts';

const time = (target: string) => ({ scenario: 'S0-1', target, figure: 'ADD', unit: 'ms' }) as const;

function rowOf(rows: readonly GrowthRow[], target: string, figure: string): GrowthRow {
  const found = rows.find((row) => row.target === target && row.figure === figure);
  if (found === undefined) throw new Error(`no row ${figure} of ${target}`);
  return found;
}

test('Recorder sorts by size what is measured on the way up and on the way down', () => {
  const recorder = new Recorder();
  for (const size of [1, 10, 100, 10, 1]) recorder.add(time('thick'), size, size, size + 1);
  recorder.add(time('raw'), 1, 0);
  const [thick, raw] = recorder.series;
  assert.equal(thick?.points, [
    { size: 1, values: [1, 2, 1, 2] },
    { size: 10, values: [10, 11, 10, 11] },
    { size: 100, values: [100, 101] },
  ]);
  assert.equal(raw?.points, [{ size: 1, values: [0] }]);
});

test('growthRows() says what one more adds, and how much of it is not the delegates', () => {
  const recorder = new Recorder();
  for (const size of [1, 2, 4, 8]) {
    recorder.add(time('thick'), size, ...Array(20).fill(5 + 3 * size));
    recorder.add(time('raw'), size, ...Array(20).fill(1 + 2 * size));
  }
  const rows = growthRows(recorder.series);
  assert.equal(
    rows.map(({ target, figure }) => `${target} ${figure}`),
    ['raw ADD P50', 'thick ADD P50', 'raw ADD P99', 'thick ADD P99'],
  );
  const thick = rowOf(rows, 'thick', 'ADD P50');
  assert.equal(
    [thick.sizes, thick.values],
    [
      [1, 2, 4, 8],
      [8, 11, 17, 29],
    ],
  );
  assert.equal([thick.perOneMore, thick.perOneMoreOverRaw, thick.lastToFirst.value], [3, 1, 29 / 8]);
  assert.is(rowOf(rows, 'raw', 'ADD P50').perOneMoreOverRaw, undefined);
});

// The largest of five would be read as what one of a hundred pods waits for.
test('growthRows() has no 99th percentile of few measurements, and none of memory', () => {
  const recorder = new Recorder();
  for (const size of [1, 2]) {
    recorder.add(time('thick'), size, ...Array(size === 1 ? 20 : 19).fill(1));
    recorder.add({ scenario: 'S0-1', target: 'thick', figure: 'RSS', unit: 'KiB' }, size, ...Array(20).fill(1));
  }
  assert.equal(
    growthRows(recorder.series).map(({ figure }) => figure),
    ['ADD P50', 'RSS'],
  );
});

test.run();
