/**
 * File locks between processes (flock(2)): daemon and standalone programs of one node exclude each other by them.
 * The kernel drops a lock with its owner, so nothing is ever left locked by the dead.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { native } from './native.ts';

export interface FileLockOptions {
  /** false: shared with other readers. */
  exclusive: boolean;
  /** Ends the wait. */
  signal: AbortSignal;
  /** Written into the file once held, for those who wait. */
  note?: string;
  /** Called with the holder's note each time that we find the lock held; '' while the holder has yet to write it. */
  onWait?: (holderNote: string) => void;
}

const FIRST_WAIT_MS = 2;
const LONGEST_WAIT_MS = 50;

function isSameFile(fd: number, path: string): boolean {
  try {
    return fstatSync(fd, { bigint: true }).ino === statSync(path, { bigint: true }).ino;
  } catch {
    return false; // removed by the holder before us
  }
}

/** A held lock. Release it exactly once. */
export class FileLock {
  private readonly path: string;
  private readonly fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.fd = fd;
  }

  /**
   * Wait for the lock. The file is made when missing.
   * @throws the signal's reason when it aborts first; system errors of open(2).
   */
  static async acquire(path: string, options: FileLockOptions): Promise<FileLock> {
    let wait = FIRST_WAIT_MS;
    for (;;) {
      options.signal.throwIfAborted();
      const fd = openSync(path, 'a+', 0o600);
      // A holder may remove the file while we wait for it: then our lock is on a file that nobody else will see.
      if (native().tryLock(fd, options.exclusive) && isSameFile(fd, path)) {
        if (options.note !== undefined) {
          ftruncateSync(fd, 0);
          writeSync(fd, options.note);
        }
        return new FileLock(path, fd);
      }
      closeSync(fd);
      options.onWait?.(readNote(path));
      await delay(wait, undefined, { signal: options.signal }).catch(() => undefined);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  /** Give the lock up and remove its file. */
  releaseAndRemove(): void {
    unlinkSync(this.path);
    closeSync(this.fd);
  }

  /** Give the lock up, the file stays. */
  release(): void {
    closeSync(this.fd);
  }
}

function readNote(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // gone meanwhile
  }
}
