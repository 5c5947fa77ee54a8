/**
 * Who may work on a container: one operation at a time, whichever door it came through, and GC alone on the node
 * (CNI spec section 2, "the runtime must not invoke parallel operations for the same container").
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CniCode, CniError } from '../cni/errors.ts';
import { FileLock } from '../node/file-lock.ts';

/** Which program holds a lock; only a standalone ADD may be ended by a signal. */
export type Door = 'daemon' | 'standalone';

interface Holder {
  pid: number;
  /** Field 22 of /proc/<pid>/stat: tells a process from a later one with its number. */
  startTime: string;
  door: Door;
  command: string;
}

function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function parseHolder(note: string): Holder | undefined {
  try {
    const holder = JSON.parse(note) as Holder;
    return Number.isInteger(holder.pid) && holder.pid > 1 ? holder : undefined;
  } catch {
    return undefined; // written to right now, or empty
  }
}

/** DEL ends the ADD that is under way in another process, instead of waiting for it; once. */
function standaloneAddEnder(): (note: string) => void {
  let ended = '';
  return (note) => {
    const holder = parseHolder(note);
    if (note === ended || holder?.door !== 'standalone' || holder.command !== 'ADD') return;
    ended = note;
    if (startTimeOf(holder.pid) !== holder.startTime) return;
    try {
      process.kill(holder.pid, 'SIGTERM');
    } catch {
      // it ended this moment: then the lock is free
    }
  };
}

export interface LockRequest {
  cniDir: string;
  command: string;
  door: Door;
  signal: AbortSignal;
}

function timedOut(what: string, signal: AbortSignal): unknown {
  if (signal.reason instanceof CniError && signal.reason.code !== CniCode.deadlineExceeded) return signal.reason;
  return new CniError(CniCode.tryAgainLater, `Cannot lock ${what}: another operation holds it; try again later`);
}

async function acquire(path: string, what: string, request: LockRequest, exclusive: boolean): Promise<FileLock> {
  try {
    return await FileLock.acquire(path, {
      exclusive,
      signal: request.signal,
      ...(exclusive
        ? {
            note: JSON.stringify({
              pid: process.pid,
              startTime: startTimeOf(process.pid),
              door: request.door,
              command: request.command,
            } satisfies Holder),
          }
        : {}),
      ...(request.command === 'DEL' ? { onWait: standaloneAddEnder() } : {}),
    });
  } catch (error) {
    if (request.signal.aborted) throw timedOut(what, request.signal);
    throw new CniError(CniCode.stateFailure, `Cannot lock ${what} with ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function lockDirectory(cniDir: string): string {
  const directory = join(cniDir, '.locks');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}

/**
 * Run `work` as the only operation on a container.
 * @throws CniError 11 when the lock is not free in time, 105 when it cannot be made; what `work` throws
 */
export async function withContainerLock<T>(
  containerId: string,
  request: LockRequest,
  work: () => Promise<T>,
): Promise<T> {
  const directory = lockDirectory(request.cniDir);
  const node = await acquire(join(directory, '.node'), 'the node', request, false);
  try {
    const lock = await acquire(join(directory, containerId), `container ${containerId}`, request, true);
    try {
      return await work();
    } finally {
      lock.releaseAndRemove();
    }
  } finally {
    node.release();
  }
}

/** Run `work` while no operation is under way on the node. @throws as withContainerLock */
export async function withNodeLock<T>(request: LockRequest, work: () => Promise<T>): Promise<T> {
  const node = await acquire(join(lockDirectory(request.cniDir), '.node'), 'the node', request, true);
  try {
    return await work();
  } finally {
    node.release();
  }
}
