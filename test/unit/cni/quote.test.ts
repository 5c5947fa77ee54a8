import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describe, kindOf, quote } from '../../../src/cni/quote.ts';

test('quote() escapes what would break a line and cuts what would fill the screen', () => {
  assert.is(quote('a\n"b"'), '"a\\n\\"b\\""');
  assert.ok(quote('x'.repeat(1000)).length < 130);
});

test('describe() names scalars by text and the rest by kind', () => {
  const named = [undefined, null, 5, true, 'x', [1], { a: 1 }].map(describe);
  assert.equal(named, ['nothing', 'null', '5', 'true', '"x"', 'an array', 'an object']);
});

// What somebody put into the wrong field may be a secret.
test('kindOf() says nothing that may be a secret', () => {
  const named = [undefined, null, 5, true, 'x', [1], { a: 1 }].map(kindOf);
  assert.equal(named, ['nothing', 'null', '5', 'true', 'a string', 'an array', 'an object']);
});

test.run();
