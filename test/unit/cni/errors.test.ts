import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CniCode, CniError, formatError, parseErrorObject, toCniError } from '../../../src/cni/errors.ts';

test('parseErrorObject() returns undefined when the text is not an error object', () => {
  const others = ['', 'panic: x', 'null', '[]', '5', '{}', '{"code":"7","msg":"x"}', '{"code":1.5,"msg":"x"}'];
  const wrongTypes = [
    '{"code":-1}',
    '{"code":7,"msg":5}',
    '{"code":7,"details":[]}',
    '{"cniVersion":"1.0.0","ips":[]}',
  ];
  for (const text of [...others, ...wrongTypes, '['.repeat(100_000)]) {
    assert.is(parseErrorObject(text), undefined, text.slice(0, 40));
  }
});

test('parseErrorObject() reads keys without regard to case when a plugin spells them so', () => {
  assert.equal(parseErrorObject('{"CODE":11,"Msg":"later","details":null}'), { code: 11, msg: 'later', details: '' });
});

test('parseErrorObject() reads what formatError() writes', () => {
  fc.assert(
    fc.property(fc.nat(), fc.string({ unit: 'binary' }), fc.string(), (code, msg, details) => {
      const text = formatError(new CniError(code + 1, msg, { details }), '1.0.0');
      assert.equal(parseErrorObject(text), { code: code + 1, msg, details });
    }),
  );
});

test('formatError() writes cniVersion, code and msg, and details only when there are any', () => {
  assert.is(formatError(new CniError(7, 'bad'), '0.4.0'), '{"cniVersion":"0.4.0","code":7,"msg":"bad"}');
  const long = formatError(new CniError(7, 'bad', { details: 'why' }), '1.1.0');
  assert.is(long, '{"cniVersion":"1.1.0","code":7,"msg":"bad","details":"why"}');
});

test('formatError() writes 999 when the code cannot be sent', () => {
  for (const code of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.is(parseErrorObject(formatError(new CniError(code, 'x'), '1.0.0'))?.code, 999);
  }
});

test('toCniError() returns the same error when it is a CniError', () => {
  const error = new CniError(CniCode.tryAgainLater, 'later');
  assert.is(toCniError(error), error);
});

test('toCniError() gives 999, the message and the cause when it is any other value', () => {
  const cause = new TypeError('boom');
  assert.is(toCniError(cause).code, 999);
  assert.is(toCniError(cause).message, 'boom');
  assert.is(toCniError(cause).cause, cause);
  assert.is(toCniError('text').message, 'text');
  assert.is(toCniError(new RangeError()).message, 'RangeError');
  assert.is(toCniError(Object.create(null)).message, 'unknown error');
});

test('CniError has its name, code, details and cause', () => {
  const error = new CniError(5, 'x', { details: 'y', cause: 'z' });
  assert.is(String(error), 'CniError: x');
  assert.equal([error.code, error.details, error.cause], [5, 'y', 'z']);
  assert.not('cause' in new CniError(5, 'x'));
  assert.equal(Object.keys(error).sort(), ['code', 'details']);
});

test('docs/errors.md lists exactly the codes of CniCode', () => {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| (\d+) \| `(\w+)` \| ([^|]+) \| ([^|]+) \|$/gm)];
  assert.equal(
    rows.map(([, code, name]) => [name, Number(code)]),
    Object.entries(CniCode),
  );
});

test.run();
