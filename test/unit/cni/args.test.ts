import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatArgs, parseArgs } from '../../../src/cni/args.ts';
import { onlyCniErrors, refusal } from './refusal.ts';

test('parseArgs() refuses with code 4 and names the pair when it has no "=" or no name', () => {
  const error = refusal(() => parseArgs('A=1;oops;B=2'));
  assert.equal(error, { code: 4, message: 'Cannot use CNI_ARGS: the pair "oops" has no "="', details: '' });
  assert.match(refusal(() => parseArgs('=1')).message, /the pair "=1" has no name before "="/);
  assert.match(refusal(() => parseArgs('A=\0')).message, /NUL/);
});

test('formatArgs() refuses when a pair would be read as something else', () => {
  const pairs: [string, string][] = [
    ['', '1'],
    ['a=b', '1'],
    ['a;b', '1'],
    ['a', '1;IP=6.6.6.6'],
    ['a', '\0'],
  ];
  for (const pair of pairs) assert.is(refusal(() => formatArgs([pair])).code, 4, pair.join());
});

test('parseArgs() splits at the first "=" when a value contains more', () => {
  assert.equal(parseArgs('K8S_POD_NAME=a;IP=fd00::1=x;EMPTY=').pairs, [
    ['K8S_POD_NAME', 'a'],
    ['IP', 'fd00::1=x'],
    ['EMPTY', ''],
  ]);
});

test('parseArgs() skips empty parts', () => {
  assert.equal(parseArgs('').pairs, []);
  assert.equal(parseArgs(';A=1;;').pairs, [['A', '1']]);
});

test('get() returns the last value of a name, undefined when there is none', () => {
  const args = parseArgs('A=1;A=2');
  assert.equal([args.get('A'), args.get('B'), args.get('constructor')], ['2', undefined, undefined]);
});

test('parseArgs() reads what formatArgs() writes', () => {
  const name = fc.string({ minLength: 1 }).filter((text) => !/[;=\0]/.test(text));
  const value = fc.string({ unit: 'binary' }).filter((text) => !/[;\0]/.test(text));
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), (pairs) => assert.equal(parseArgs(formatArgs(pairs)).pairs, pairs)),
  );
});

test('parseArgs() throws only CniError when the text is arbitrary', () => {
  const text = fc.array(fc.constantFrom(';', '=', 'a', '\0', 'IP'), { maxLength: 12 }).map((parts) => parts.join(''));
  fc.assert(fc.property(text, (args) => onlyCniErrors(() => parseArgs(args))));
});

test.run();
