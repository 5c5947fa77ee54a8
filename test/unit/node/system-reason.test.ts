import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { systemReason, systemText } from '../../../src/node/system-reason.ts';

function errorOf(act: () => void): Error {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing failed');
}

// Who is not root got "EACCES: permission denied, unlink", and not what to do about it.
test('an errno is told by what it means, with the call and the path when nobody said more', () => {
  const missing = errorOf(() => readFileSync('/nope/file'));
  assert.is(systemReason(missing), 'there is no such file');
  assert.is(systemText(missing), 'Cannot open /nope/file: there is no such file');
  const forbidden = Object.assign(new Error('EACCES'), { code: 'EACCES', syscall: 'unlink', path: '/x' });
  assert.is(systemText(forbidden), 'Cannot unlink /x: permission denied; run as root');
  assert.is(systemText(new Error('as it is')), 'as it is');
});

test.run();
