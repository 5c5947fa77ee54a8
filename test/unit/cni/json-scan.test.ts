import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_DEPTH, scanDocument } from '../../../src/cni/json-scan.ts';
import { space, valueText } from './json-text.ts';
import { onlyCniErrors, refusal } from './refusal.ts';

test('scanDocument() names reason, line and column when the text is not JSON', () => {
  const cases: [string, string][] = [
    ['', 'the text is empty at line 1 column 1'],
    [' \n ', 'the text is empty at line 1 column 1'],
    ['{\n  "a": 1,\n  }', 'unexpected character "}" where a key must begin at line 3 column 3'],
    ['{"a" 1}', 'unexpected character "1" where ":" must follow a key at line 1 column 6'],
    ['{"a":1 "b":2}', 'unexpected character "\\"" where "," or "}" must follow a value at line 1 column 8'],
    ['[1 2]', 'unexpected character "2" where "," or "]" must follow a value at line 1 column 4'],
    ['[1,]', 'unexpected character "]" where a value must begin at line 1 column 4'],
    ['{"a":', 'unexpected end of text where a value must begin at line 1 column 6'],
    ['{"a":tru}', 'unexpected character "t" where a value must begin at line 1 column 6'],
    ['[01]', 'unexpected character "1" where "," or "]" must follow a value at line 1 column 3'],
    ['[1.]', 'unexpected character "." where "," or "]" must follow a value at line 1 column 3'],
    ['{} x', 'unexpected character "x" after the end of the value at line 1 column 4'],
    ['\ufeff{}', 'unexpected character U+FEFF where a value must begin at line 1 column 1'],
    ['["a\nb"]', 'control character U+000A in a string at line 1 column 4'],
    ['["\\x"]', 'invalid escape "\\\\x" at line 1 column 3'],
    ['["\\u12g4"]', 'invalid escape "\\\\u12g4" at line 1 column 3'],
    ['["abc', 'a string has no end at line 1 column 2'],
    ['// x\n{}', 'unexpected character "/" where a value must begin at line 1 column 1'],
  ];
  for (const [text, reason] of cases) {
    const { code, message } = refusal(() => scanDocument(text, 'x'));
    assert.is(message, `Cannot parse x: ${reason}`);
    assert.is(code, 6);
  }
});

test('scanDocument() refuses when values are nested deeper than the limit, and not before', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  assert.equal(scanDocument(nested(MAX_DEPTH), 'x'), { start: 0, end: 2 * MAX_DEPTH });
  assert.match(
    refusal(() => scanDocument(nested(MAX_DEPTH + 1), 'x')).message,
    /nesting is deeper than 1000 at line 1 column 1001/,
  );
  assert.match(refusal(() => scanDocument('{"a":'.repeat(1_000_000), 'x')).message, /nesting is deeper than 1000/);
});

test('scanDocument() returns the range of the value without the whitespace around it', () => {
  fc.assert(
    fc.property(space, valueText, space, (before, value, after) => {
      const { start, end } = scanDocument(before + value + after, 'x');
      assert.equal([start, end], [before.length, before.length + value.length]);
    }),
  );
});

test('scanDocument() accepts exactly what JSON.parse() accepts when a valid text is damaged', () => {
  const damage = fc.tuple(
    fc.nat(),
    fc.nat(2),
    fc.constantFrom('', '"', '\\', '{', ']', ',', '0', '-', '.', 'e', ' ', '\n', '\u2028'),
  );
  fc.assert(
    fc.property(valueText, fc.array(damage, { maxLength: 2 }), (value, damages) => {
      let text = value;
      for (const [place, removed, inserted] of damages) {
        const at = place % (text.length + 1);
        text = text.slice(0, at) + inserted + text.slice(at + removed);
      }
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      if (isJson) scanDocument(text, 'x');
      else assert.is(refusal(() => scanDocument(text, 'x')).code, 6);
    }),
    { numRuns: 1000 },
  );
});

test('scanDocument() throws only CniError when the text is arbitrary', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => onlyCniErrors(() => scanDocument(text, 'x'))));
});

test.run();
