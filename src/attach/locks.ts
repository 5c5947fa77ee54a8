/**
 * Who may work on a container: one operation at a time, whichever door it came through, and GC alone on the node
 * (CNI spec section 2, "the runtime must not invoke parallel operations for the same container").
 *
 * One file per state directory: a container has the byte at a number made of its ID, GC the whole file.
 */
import { join } from 'node:path';
import { CniCode, CniError } from '../cni/errors.ts';
import { makeFolder } from '../node/make-folder.ts';
import { native } from '../node/native.ts';
import { isHeld, RangeLock, type RangeLockOptions } from '../node/range-lock.ts';

function lockFile(cniDir: string): string {
  return join(cniDir, '.lock');
}

/** Which program works on a request. */
export type Door = 'daemon' | 'standalone';

export interface LockRequest {
  cniDir: string;
  command: string;
  /** Ends the wait. */
  signal: AbortSignal;
  /**
   * Asked once the lock is held: who was asleep until now may find that the caller has gone to the other door and was
   * served there. Nothing of its container may be touched then.
   */
  confirm?: (() => Promise<void>) | undefined;
  /** Called when a DEL waits for the end of this ADD; its caller may be in another process. */
  end?: ((reason: CniError) => void) | undefined;
}

/** Keeps the lock also after the work, until the promise settles: for what may be done once the caller is answered. */
export type HoldUntil = (settled: Promise<unknown>) => void;

/** Hex digits of a container's number: 44 bits, so that two containers practically never share one. */
const DIGITS = 11;

/** A container's second byte lies as far behind its lock: a DEL holds it while it waits. */
const WISH_DISTANCE = 16 ** DIGITS;

/** Between two looks of an ADD at whether a DEL waits for it. Most have ended before the first. */
const LOOK_MS = 100;

function byteOf(containerId: string): number {
  return Number.parseInt(native().sha256(Buffer.from(containerId)).slice(0, DIGITS), 16);
}

/** Why a DEL ends an ADD. */
export function endedByDel(containerId: string): CniError {
  return new CniError(CniCode.cancelled, `a DEL of container ${containerId} arrived while it was added`);
}

function isWished(path: string, byte: number): boolean {
  try {
    return isHeld(path, byte);
  } catch {
    return false; // no descriptor is free: seen at the next look
  }
}

/** While the ADD runs, see whether a DEL waits for it. @returns what ends that */
function heedDel(containerId: string, { cniDir, command, end }: LockRequest): () => void {
  if (!command.endsWith('ADD') || end === undefined) return () => undefined;
  const path = lockFile(cniDir);
  const wish = byteOf(containerId) + WISH_DISTANCE;
  const timer = setInterval(() => {
    if (!isWished(path, wish)) return;
    clearInterval(timer);
    end(endedByDel(containerId));
  }, LOOK_MS);
  return () => clearInterval(timer);
}

/** Why the wait for a lock ended. */
function waitError(what: string, { signal }: LockRequest): unknown {
  const { reason } = signal;
  if (reason instanceof CniError && reason.code !== CniCode.deadlineExceeded) return reason;
  return new CniError(CniCode.tryAgainLater, `Cannot lock ${what}: another operation holds it; try again later`);
}

/** The folder is made when it is missing, which it mostly is not. */
async function acquired(folder: string, acquire: () => Promise<RangeLock>): Promise<RangeLock> {
  try {
    return await acquire();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    makeFolder(folder, 0o700);
    return acquire();
  }
}

async function withLock<T>(
  what: string,
  request: LockRequest,
  range: Omit<RangeLockOptions, 'signal'>,
  work: (until: HoldUntil) => Promise<T>,
): Promise<T> {
  const path = lockFile(request.cniDir);
  let lock: RangeLock;
  try {
    lock = await acquired(request.cniDir, () => RangeLock.acquire(path, { ...range, signal: request.signal }));
  } catch (error) {
    if (request.signal.aborted) throw waitError(what, request);
    throw new CniError(CniCode.stateFailure, `Cannot lock ${what} with ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const held: Promise<unknown>[] = [];
  try {
    await request.confirm?.();
    return await work((settled) => held.push(settled));
  } finally {
    if (held.length === 0) lock.release();
    else void Promise.allSettled(held).then(() => lock.release());
  }
}

/**
 * Run `work` as the only operation on a container. A DEL that has to wait ends the ADD that it waits for.
 * @throws CniError 11 when the lock is not free in time, 105 when it cannot be made; what `work` throws
 */
export function withContainerLock<T>(
  containerId: string,
  request: LockRequest,
  work: (until: HoldUntil) => Promise<T>,
): Promise<T> {
  const start = byteOf(containerId);
  const wish = request.command === 'DEL' ? { wish: start + WISH_DISTANCE } : {};
  return withLock(`container ${containerId}`, request, { start, length: 1, ...wish }, async (until) => {
    const heedNoMore = heedDel(containerId, request);
    try {
      return await work(until);
    } finally {
      heedNoMore();
    }
  });
}

/** Run `work` while no operation is under way on the node. @throws as withContainerLock */
export function withNodeLock<T>(request: LockRequest, work: () => Promise<T>): Promise<T> {
  return withLock('the node', request, { start: 0, length: 0 }, work);
}
