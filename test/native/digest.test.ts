import { createHash, randomBytes } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../src/node/native.ts';

// Records that were written before would count as damaged, and pods could not be deleted.
test('sha256() is what everybody else says, at every length', () => {
  for (let length = 0; length < 300; length++) {
    const bytes = randomBytes(length);
    assert.is(native().sha256(bytes), createHash('sha256').update(bytes).digest('hex'), String(length));
  }
});

test('damageSum() is the same for the same bytes, wherever they lie, and another one for others', () => {
  const bytes = randomBytes(100_000);
  const sum = native().damageSum(bytes);
  assert.match(sum, /^[0-9a-f]{16}$/);
  for (let offset = 0; offset < 9; offset++) {
    const moved = Buffer.concat([Buffer.alloc(offset), bytes]).subarray(offset);
    assert.is(native().damageSum(moved), sum);
  }
  bytes[77_777] = (bytes[77_777] ?? 0) ^ 0x10;
  assert.is.not(native().damageSum(bytes), sum);
});

test('a digest of what is no Buffer is refused', () => {
  // @ts-expect-error the type forbids it
  assert.throws(() => native().sha256('text'), /bytes/);
  // @ts-expect-error the type forbids it
  assert.throws(() => native().damageSum(), /bytes/);
});

test.run();
