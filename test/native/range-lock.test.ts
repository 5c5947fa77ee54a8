/** Locks between processes: two programs that act on one container at the same time would tear its interfaces apart. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../src/node/native.ts';
import { RangeLock } from '../../src/node/range-lock.ts';

const directory = mkdtempSync(join(tmpdir(), 'multus-lock-'));
const path = join(directory, 'lock');
const never = new AbortController().signal;

test.after(() => rmSync(directory, { recursive: true }));

test('tryLockRange() names what is wrong', () => {
  // @ts-expect-error the type forbids it
  assert.throws(() => native().tryLockRange('1', 0, 1), /fd/);
  assert.throws(() => native().tryLockRange(1, -1, 1), /start/);
  const reading = openSync('/proc/self/stat', 'r');
  assert.throws(
    () => native().tryLockRange(reading, 0, 1),
    (error: NodeJS.ErrnoException) => error.code === 'EBADF' && error.syscall === 'fcntl(F_OFD_SETLK)',
  );
  closeSync(reading);
});

test('tryLockRange() excludes others from its range, within one process too, until the file is closed', () => {
  const [first, second, third] = [openSync(path, 'a+'), openSync(path, 'a+'), openSync(path, 'a+')];
  assert.is(native().tryLockRange(first, 7, 1), true);
  assert.is(native().tryLockRange(second, 7, 1), false);
  assert.is(native().tryLockRange(second, 8, 1), true, 'another container is free');
  assert.is(native().tryLockRange(third, 0, 0), false, 'the whole file waits for all');
  closeSync(first);
  closeSync(second);
  assert.is(native().tryLockRange(third, 0, 0), true);
  closeSync(third);
});

// A DEL that cannot find the process of a standalone ADD waits for it instead of ending it.
test('byteMarker() finds the process that marked the byte, and none when it has ended', async () => {
  const fd = openSync(path, 'a+');
  assert.is(native().byteMarker(fd, 5), 0);
  const module = fileURLToPath(new URL('../../src/node/native.ts', import.meta.url));
  const script = `
    import { openSync } from 'node:fs';
    const { native } = await import(${JSON.stringify(module)});
    native().markByte(openSync(${JSON.stringify(path)}, 'a+'), 5);
    console.log('marked');
    process.stdin.resume();
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  assert.is(native().byteMarker(fd, 5), child.pid);
  assert.is(native().byteMarker(fd, 6), 0);
  child.kill('SIGKILL');
  await once(child, 'close');
  assert.is(native().byteMarker(fd, 5), 0);
  closeSync(fd);
});

test('RangeLock.acquire() waits for the holder, and gives up when it is told to', async () => {
  const held = await RangeLock.acquire(path, { start: 1, length: 1, signal: never });
  const ending = new AbortController();
  const refused = RangeLock.acquire(path, { start: 1, length: 1, signal: ending.signal });
  ending.abort(new Error('no time left'));
  await refused.then(
    () => assert.unreachable('it must not get the lock'),
    (error: Error) => assert.is(error.message, 'no time left'),
  );
  const waiting = RangeLock.acquire(path, { start: 1, length: 1, signal: never });
  held.release();
  (await waiting).release();
});

test.run();
