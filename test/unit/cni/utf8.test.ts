import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeUtf8 } from '../../../src/cni/utf8.ts';
import { refusal } from './refusal.ts';

test('decodeUtf8() refuses with code 6 and names byte and offset when a sequence is invalid', () => {
  const cases: [number[], string, number][] = [
    [[0x7b, 0xff], '0xff', 1],
    [[0x61, 0xc3], '0xc3', 1],
    [[0xc3, 0xa9, 0xc0, 0x80], '0xc0', 2],
    [[0xed, 0xa0, 0x80], '0xed', 0],
    [[0x61, 0xf0, 0x9f, 0x98, 0x22], '0xf0', 1],
    [[0xf5, 0x80, 0x80, 0x80], '0xf5', 0],
    [[0xe0, 0x80, 0x80], '0xe0', 0],
  ];
  for (const [bytes, byte, offset] of cases) {
    const { code, message } = refusal(() => decodeUtf8(Uint8Array.from(bytes), 'CNI configuration on stdin'));
    assert.is(code, 6);
    assert.is(message, `Cannot parse CNI configuration on stdin: byte ${byte} at offset ${offset} is not valid UTF-8`);
  }
});

test('decodeUtf8() keeps a byte order mark', () => {
  assert.is(decodeUtf8(Uint8Array.from([0xef, 0xbb, 0xbf, 0x7b]), 'x'), '\ufeff{');
});

test('decodeUtf8() decodes the view and nothing around it', () => {
  assert.is(decodeUtf8(Buffer.from('abcdef').subarray(2, 4), 'x'), 'cd');
});

test('decodeUtf8() gives back every text that was encoded', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => assert.is(decodeUtf8(Buffer.from(text), 'x'), text)));
});

test('decodeUtf8() names the end of the longest valid start when bytes are arbitrary', () => {
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(0x61, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 12 }), (values) => {
      const bytes = Uint8Array.from(values);
      if (isUtf8(bytes)) return assert.is(decodeUtf8(bytes, 'x'), new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
      const offset = Number(/offset (\d+)/.exec(refusal(() => decodeUtf8(bytes, 'x')).message)?.[1]);
      assert.ok(isUtf8(bytes.subarray(0, offset)));
      for (let length = offset + 1; length <= bytes.length; length++) assert.not(isUtf8(bytes.subarray(0, length)));
    }),
  );
});

test.run();
