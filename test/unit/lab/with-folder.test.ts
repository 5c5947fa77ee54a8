/** A machine for tests is full some day of what interrupted tests leave: a kernel's tree alone is 2 GB. */
import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../../lab/process.ts';
import { withFolder } from '../../lab/with-folder.ts';

const PREFIX = join(tmpdir(), 'multus-with-folder-');

test('withFolder() removes its folder when its use ends or fails, and not what that renamed', async () => {
  const used = await withFolder(PREFIX, async (folder) => {
    writeFileSync(join(folder, 'file'), '');
    return folder;
  });
  assert.not.ok(existsSync(used));
  const failed = withFolder(PREFIX, async (folder) => {
    throw new Error(folder);
  });
  const message = await failed.then(
    () => 'it did not fail',
    (error: Error) => error.message,
  );
  assert.ok(message.startsWith(PREFIX));
  assert.not.ok(existsSync(message));
  const kept = `${PREFIX}kept-${process.pid}`;
  await withFolder(PREFIX, async (folder) => renameSync(folder, kept));
  assert.ok(existsSync(kept));
  rmSync(kept, { recursive: true });
});

test('a process that leaves in mid-use ends its programs and removes its folder', async () => {
  const lab = join(import.meta.dirname, '..', '..', 'lab');
  const source = `
    import { run } from '${lab}/process.ts';
    import { withFolder } from '${lab}/with-folder.ts';
    withFolder('${PREFIX}', (folder) => run('sh', ['-c', 'echo $$; exec sleep 600'], {
      onSpawn: (child) => child.stdout.once('data', (pid) => {
        console.log(folder + ' ' + pid);
        process.exit(7);
      }),
    }));`;
  const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
    encoding: 'utf8',
  });
  assert.is(status, 7);
  const [folder = '', pid = ''] = stdout.trim().split(' ');
  assert.ok(folder.startsWith(PREFIX));
  assert.not.ok(existsSync(folder));
  await until('the program has ended', () => !existsSync(`/proc/${pid}/fd/0`));
});

test.run();
