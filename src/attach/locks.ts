/**
 * Who may work on a container: one operation at a time, whichever door it came through, and GC alone on the node
 * (CNI spec section 2, "the runtime must not invoke parallel operations for the same container").
 *
 * One file per state directory: a container has the byte at a number made of its ID, GC the whole file.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { CniCode, CniError } from '../cni/errors.ts';
import { makeFolder } from '../node/make-folder.ts';
import { RangeLock, type RangeLockOptions } from '../node/range-lock.ts';

/** Which program works on a request. */
export type Door = 'daemon' | 'standalone';

export interface LockRequest {
  cniDir: string;
  command: string;
  door: Door;
  /** Ends the wait. */
  signal: AbortSignal;
  /**
   * Asked once the lock is held: who was asleep until now may find that the caller has gone to the other door and was
   * served there. Nothing of its container may be touched then.
   */
  confirm?: (() => Promise<void>) | undefined;
}

/** Hex digits of a container's number: 44 bits, so that two containers practically never share one. */
const DIGITS = 11;

/** A container's marker lies as far behind its lock: the standalone program that adds it has its process number there. */
const MARKER_DISTANCE = 16 ** DIGITS;

function byteOf(containerId: string): number {
  return Number.parseInt(createHash('sha256').update(containerId).digest('hex').slice(0, DIGITS), 16);
}

/** DEL ends a standalone ADD of its container instead of waiting for it; the daemon ends its own. */
function endProcess(): (pid: number) => void {
  let told = 0;
  return (pid) => {
    if (pid === told) return;
    told = pid;
    try {
      process.kill(pid, 'SIGTERM');
    } catch {
      // it ended this moment: then the lock is free
    }
  };
}

function containerRange(containerId: string, { command, door }: LockRequest): Omit<RangeLockOptions, 'signal'> {
  const start = byteOf(containerId);
  const marker = start + MARKER_DISTANCE;
  return {
    start,
    length: 1,
    ...(command === 'ADD' && door === 'standalone' ? { markAt: marker } : {}),
    ...(command === 'DEL' ? { onHeld: { byte: marker, tell: endProcess() } } : {}),
  };
}

/** Why the wait for a lock ended. */
function waitError(what: string, { signal }: LockRequest): unknown {
  const { reason } = signal;
  if (reason instanceof CniError && reason.code !== CniCode.deadlineExceeded) return reason;
  return new CniError(CniCode.tryAgainLater, `Cannot lock ${what}: another operation holds it; try again later`);
}

async function withLock<T>(
  what: string,
  request: LockRequest,
  range: Omit<RangeLockOptions, 'signal'>,
  work: () => Promise<T>,
): Promise<T> {
  const path = join(request.cniDir, '.lock');
  let lock: RangeLock;
  try {
    makeFolder(request.cniDir, 0o700);
    lock = await RangeLock.acquire(path, { ...range, signal: request.signal });
  } catch (error) {
    if (request.signal.aborted) throw waitError(what, request);
    throw new CniError(CniCode.stateFailure, `Cannot lock ${what} with ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  try {
    await request.confirm?.();
    return await work();
  } finally {
    lock.release();
  }
}

/**
 * Run `work` as the only operation on a container.
 * @throws CniError 11 when the lock is not free in time, 105 when it cannot be made; what `work` throws
 */
export function withContainerLock<T>(containerId: string, request: LockRequest, work: () => Promise<T>): Promise<T> {
  return withLock(`container ${containerId}`, request, containerRange(containerId, request), work);
}

/** Run `work` while no operation is under way on the node. @throws as withContainerLock */
export function withNodeLock<T>(request: LockRequest, work: () => Promise<T>): Promise<T> {
  return withLock('the node', request, { start: 0, length: 0 }, work);
}
