import { statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeFolder } from '../../../src/node/make-folder.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

function codeOf(path: string): string | undefined {
  try {
    makeFolder(path);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

// One wrong path in a configuration would stop the daemon of the node: Node's own `recursive` never returns here.
test('a folder that cannot be made in one that is there is an error at once', () => {
  assert.is(codeOf('/proc/no-such-folder'), 'ENOENT');
  assert.is(codeOf('/proc/no-such-folder/state/multus'), 'ENOENT');
});

test('what is in the way is an error', () => {
  folder.write('file', '');
  assert.is(codeOf(folder.at('file')), 'EEXIST');
  assert.is(codeOf(folder.at('file', 'below')), 'ENOTDIR');
});

test('makes the folders above it, all with its mode, and says whether it is new', () => {
  assert.is(makeFolder(folder.at('a', 'b', 'c'), 0o700), true);
  for (const names of [['a'], ['a', 'b'], ['a', 'b', 'c']])
    assert.is(statSync(folder.at(...names)).mode & 0o777, 0o700);
  assert.is(makeFolder(folder.at('a', 'b', 'c'), 0o700), false);
});

test.run();
