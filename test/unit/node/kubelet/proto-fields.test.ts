import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { messageOf, protoFields, textOf } from '../../../../src/node/kubelet/proto-fields.ts';
import { delimited } from '../../../fakes/fake-kubelet.ts';
import { onlyCniErrors, refusal } from '../../cni/refusal.ts';

const WHAT = 'the answer';
const fieldsOf = (...bytes: number[]) => [...protoFields(Buffer.from(bytes), WHAT)];

/** The problem with these bytes. */
function problem(...bytes: number[]): string {
  const { code, message } = refusal(() => fieldsOf(...bytes));
  assert.is(code, 6);
  const prefix = `Cannot parse ${WHAT}: `;
  assert.ok(message.startsWith(prefix), message);
  return message.slice(prefix.length);
}

// An answer that is cut off would else be a pod with fewer devices.
test('refuses what is cut off, wherever it is', () => {
  assert.is(problem(0x0a, 3, 1, 2), '3 bytes must follow at byte 2, there are 2');
  assert.is(problem(0x0a), '1 bytes must follow at byte 1, there are 0');
  assert.is(problem(0x08, 0x80), '1 bytes must follow at byte 2, there are 0');
  assert.is(problem(0x09, 1, 2, 3), '8 bytes must follow at byte 1, there are 3');
  assert.is(problem(0x0d, 1), '4 bytes must follow at byte 1, there are 1');
});

test('refuses what no message can have', () => {
  const many = Array<number>(10).fill(0x80);
  assert.is(problem(0x08, ...many, 0), 'the number at byte 1 has more than 10 bytes');
  assert.is(problem(0x02, 0), 'the field at byte 0 has no valid number');
  assert.is(problem(0x80, 0x80, 0x80, 0x80, 0x10, 0), 'the field at byte 0 has no valid number');
  for (const wireType of [3, 4, 6, 7]) {
    assert.is(problem(8 + wireType), `field 1 at byte 0 has wire type ${wireType}, which proto3 does not use`);
  }
  const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
  assert.match(problem(0x0a, ...huge), 'bytes must follow at byte 10, there are 0');
});

test('refuses a field of another kind than is read from it', () => {
  const [number] = fieldsOf(0x08, 1);
  const [broken] = fieldsOf(0x12, 1, 0xff);
  assert.ok(number !== undefined && broken !== undefined);
  assert.match(refusal(() => messageOf(number, WHAT)).message, 'field 1 must be a string or a message, it is a number');
  assert.match(refusal(() => textOf(number, WHAT)).message, 'field 1 must be a string or a message, it is a number');
  assert.match(refusal(() => textOf(broken, WHAT)).message, 'field 2 must be a string, its bytes are not UTF-8');
});

test('steps over numbers of every size to the fields behind them', () => {
  const number64 = [0x09, 1, 2, 3, 4, 5, 6, 7, 8];
  const bytes = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, ...number64, 0x1d, 1, 2, 3, 4];
  const fields = fieldsOf(...bytes, 0x22, 2, 0x61, 0x62);
  assert.equal(
    fields.map(({ number, bytes: content }) => [number, content?.toString()]),
    [
      [1, undefined],
      [1, undefined],
      [3, undefined],
      [4, 'ab'],
    ],
  );
});

test('reads every string under every field number', () => {
  const number = fc.integer({ min: 1, max: 2 ** 29 - 1 });
  fc.assert(
    fc.property(fc.array(fc.tuple(number, fc.string({ unit: 'grapheme' }))), (given) => {
      const bytes = Buffer.concat(given.map(([field, text]) => delimited(field, text)));
      const read = [...protoFields(bytes, WHAT)].map((field) => [field.number, textOf(field, WHAT)]);
      assert.equal(read, given);
    }),
  );
});

test('any bytes are fields or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      onlyCniErrors(() => [...protoFields(Buffer.from(bytes), WHAT)]);
    }),
    { numRuns: 5000 },
  );
});

test.run();
