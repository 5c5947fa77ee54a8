/** Locks between processes: two programs that act on one container at the same time would tear its interfaces apart. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../src/node/native.ts';
import { isHeld, RangeLock } from '../../src/node/range-lock.ts';

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

// A VF would be set to rights while sriov-cni gives it to a pod.
test('tryLockFile() excludes programs that use flock(2), until the file is closed, and no locks on ranges', () => {
  const mine = openSync(path, 'r');
  const flock = () => spawnSync('flock', ['--nonblock', path, 'true']).status;
  assert.is(native().tryLockFile(mine), true);
  assert.is(flock(), 1);
  const range = openSync(path, 'a+');
  assert.is(native().tryLockFile(range), false, 'another description in this process');
  assert.is(native().tryLockRange(range, 0, 0), true);
  closeSync(range);
  closeSync(mine);
  assert.is(flock(), 0);
  assert.throws(
    () => native().tryLockFile(2 ** 20),
    (error: NodeJS.ErrnoException) => error.code === 'EBADF' && error.syscall === 'flock',
  );
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

// An ADD would never learn that a DEL waits for it.
test('RangeLock.acquire() holds the wished byte while it waits and until the release, and not without a wait', async () => {
  const free = await RangeLock.acquire(path, { start: 1, length: 1, wish: 9, signal: never });
  assert.is(isHeld(path, 9), false);
  const waiting = RangeLock.acquire(path, { start: 1, length: 1, wish: 9, signal: never });
  assert.is(isHeld(path, 9), true);
  free.release();
  const got = await waiting;
  assert.is(isHeld(path, 9), true);
  got.release();
  assert.is(isHeld(path, 9), false);
});

test.run();
