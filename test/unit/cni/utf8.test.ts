import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { invalidUtf8At } from '../../../src/cni/utf8.ts';

test('invalidUtf8At() returns where the first invalid sequence begins', () => {
  const cases: [number[], number][] = [
    [[0x7b, 0xff], 1],
    [[0x61, 0xc3], 1],
    [[0xc3, 0xa9, 0xc0, 0x80], 2],
    [[0xed, 0xa0, 0x80], 0],
    [[0x61, 0xf0, 0x9f, 0x98, 0x22], 1],
    [[0xf5, 0x80, 0x80, 0x80], 0],
    [[0xe0, 0x80, 0x80], 0],
  ];
  for (const [bytes, offset] of cases) assert.is(invalidUtf8At(Uint8Array.from(bytes)), offset, bytes.join());
});

test('invalidUtf8At() returns undefined when the bytes are a text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => assert.is(invalidUtf8At(Buffer.from(text)), undefined)),
  );
});

test('invalidUtf8At() returns the end of the longest valid start when bytes are arbitrary', () => {
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(0x61, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 12 }), (values) => {
      const bytes = Uint8Array.from(values);
      const offset = invalidUtf8At(bytes) ?? bytes.length;
      assert.ok(isUtf8(bytes.subarray(0, offset)));
      for (let end = offset + 1; end <= bytes.length; end++) assert.not(isUtf8(bytes.subarray(0, end)));
    }),
    { numRuns: 500 },
  );
});

test.run();
