import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { limiterMs, rotated } from '../../bench/pace.ts';

test('rotated() has each first once in as many rounds as there are', () => {
  const all = ['raw', 'thick', 'thin'];
  assert.equal(
    [0, 1, 2, 3].map((round) => rotated(all, round).join()),
    ['raw,thick,thin', 'thick,thin,raw', 'thin,raw,thick', 'raw,thick,thin'],
  );
  assert.equal(rotated([], 1), []);
});

// Faster, and Multus would be measured to be slower than it is.
test('limiterMs() gives Multus the time for a GET, a PUT and an event of each network, 50 a second', () => {
  assert.ok(limiterMs(1, 0) >= 3 * 20);
  assert.ok(limiterMs(64, 4) >= 64 * 7 * 20);
});

test.run();
