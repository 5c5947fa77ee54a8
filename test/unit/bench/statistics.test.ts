import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bootstrap, mean, median, slope, summarise } from '../../bench/statistics.ts';

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

test('summarise() of nothing has no figure, and of one value has that value everywhere', () => {
  assert.equal(summarise([]), { min: Number.NaN, median: Number.NaN, p90: Number.NaN, p99: Number.NaN });
  assert.equal(summarise([7]), { min: 7, median: 7, p90: 7, p99: 7 });
});

test('summarise() orders by value, whatever the order of the measurements', () => {
  assert.equal(summarise(upTo(100).reverse()), { min: 1, median: 51, p90: 91, p99: 100 });
  assert.is(median([10, 9, 100]), 10);
  assert.is(mean([1, 2, 6]), 3);
});

test('bootstrap() of series that never vary is exact', () => {
  assert.equal(
    bootstrap([upTo(20).fill(6), upTo(20).fill(3)], (a, b) => a / b),
    { value: 2, low: 2, high: 2 },
  );
});

test('bootstrap() surrounds the difference of two medians, and is the same each time', () => {
  const [slow, fast] = [upTo(101).map((n) => n + 100), upTo(101)];
  const once = bootstrap([slow, fast], (a, b) => a - b);
  assert.is(once.value, 100);
  assert.ok(once.low < 100 && once.high > 100, JSON.stringify(once));
  // Of 101 values evenly spread the median has a standard error of 1.25 × 29 / √101 = 3.6, the difference one of 5.1.
  assert.ok(once.low > 100 - 20 && once.high < 100 + 20, JSON.stringify(once));
  assert.equal(
    bootstrap([slow, fast], (a, b) => a - b),
    once,
  );
});

test('bootstrap() is narrower the more was measured', () => {
  const width = (n: number): number => {
    const { low, high } = bootstrap([upTo(n).map((i) => (i * 100) / n)], (a) => a);
    return high - low;
  };
  assert.ok(width(1000) < width(20) / 2);
});

test('slope() is the steepness of the line that the points lie on, or lie around; unknown for one x', () => {
  const close = (actual: number, expected: number) => assert.ok(Math.abs(actual - expected) < 1e-9, `${actual}`);
  close(slope(upTo(10).map((x) => [x * x, 3 * x * x - 7])), 3);
  // The nearest line, not the one from end to end.
  close(
    slope([
      [0, 0],
      [1, 5],
      [2, 1],
    ]),
    0.5,
  );
  assert.ok(Number.isNaN(slope([[4, 2]])));
});

test.run();
