/**
 * Locks between processes on ranges of one file: daemon and standalone programs of a node exclude each other by them.
 * The kernel drops a lock with its owner, so nothing is ever left locked by the dead, and no file to clean up.
 */
import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { native } from './native.ts';

export interface RangeLockOptions {
  start: number;
  /** 0 = everything from `start` on. */
  length: number;
  /** Ends the wait. */
  signal: AbortSignal;
  /** A byte to hold, if nobody else does, from the moment that the lock is not free: others may look at it. */
  wish?: number;
}

const FIRST_WAIT_MS = 2;
const LONGEST_WAIT_MS = 50;

/** A held lock. Release it exactly once. */
export class RangeLock {
  private readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /**
   * Wait for the lock. The file is made when missing.
   * @throws the signal's reason when it aborts first; system errors of open(2) and fcntl(2)
   */
  static async acquire(path: string, options: RangeLockOptions): Promise<RangeLock> {
    const fd = openSync(path, 'a+', 0o600);
    try {
      await waitFor(fd, options);
      return new RangeLock(fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  release(): void {
    closeSync(this.fd);
  }
}

/** Does anybody hold this byte of the file? @throws system errors of open(2) and fcntl(2) */
export function isHeld(path: string, byte: number): boolean {
  const fd = openSync(path, 'a+', 0o600);
  try {
    return !native().tryLockRange(fd, byte, 1);
  } finally {
    closeSync(fd);
  }
}

async function waitFor(fd: number, { start, length, signal, wish }: RangeLockOptions): Promise<void> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    signal.throwIfAborted();
    if (native().tryLockRange(fd, start, length)) return;
    if (wish !== undefined) native().tryLockRange(fd, wish, 1);
    await delay(wait, undefined, { signal }).catch(() => undefined);
  }
}
