import { Command } from 'commander';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { absolutePath } from '../../../src/node/path-option.ts';

function errorFor(path: string): string {
  let said = '';
  const command = new Command().option('--bin-dir <dir>', '', absolutePath).exitOverride();
  command.configureOutput({ writeErr: (text) => (said += text) });
  assert.throws(() => command.parse(['--bin-dir', path], { from: 'user' }));
  return said;
}

// "" installs where the command happens to be run.
test('a path that is not absolute is refused by its option and value', () => {
  for (const path of ['', 'bin', './bin', '~/bin']) {
    assert.match(
      errorFor(path),
      `error: option '--bin-dir <dir>' argument '${path}' is invalid. It must be an absolute path.`,
    );
  }
});

test.run();
