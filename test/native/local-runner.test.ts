/** Plugins as children of our own process: the standalone program's way, and every undoing without a shim. */
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LocalRunner } from '../../src/delegate/local-runner.ts';
import type { DelegateStartError } from '../../src/delegate/runner.ts';

const directory = mkdtempSync(join(tmpdir(), 'multus-local-runner-'));
const trace = join(directory, 'trace');
const runner = new LocalRunner({ searchPath: ['/nonexistent', directory], baseEnv: { PATH: process.env['PATH'] } });

writeFileSync(join(directory, 'script'), `#!/bin/sh\necho ran >> ${trace}; cat`);
chmodSync(join(directory, 'script'), 0o755);
copyFileSync('/bin/cat', join(directory, 'elf'));
test.after(() => rmSync(directory, { recursive: true }));

// A script does what it does before it reads, or without ever reading: also when its turn never comes.
test('only an ELF file is started ahead of its turn', async () => {
  try {
    await runner.start('script', {}, { ahead: true });
    assert.unreachable();
  } catch (error) {
    assert.is((error as DelegateStartError).code, 'ENOEXEC');
    assert.match((error as Error).message, join(directory, 'script'));
  }
  const elf = await runner.start('elf', {}, { ahead: true });
  elf.feed(Buffer.from('its turn'), 10_000);
  assert.is((await elf.ended).stdout.toString(), 'its turn');
  assert.is(existsSync(trace), false);
});

test('a script is started in its turn', async () => {
  const script = await runner.start('script', {});
  script.feed(Buffer.from('its turn'), 10_000);
  assert.is((await script.ended).stdout.toString(), 'its turn');
  assert.is(existsSync(trace), true);
});

test.run();
