/**
 * The journal against the node: what belongs to a namespace that is gone, to another boot, or to an ADD that nobody
 * ended is detached, although no runtime asks for it (containerd never calls GC).
 */
import type { OpenSource } from '../cluster/sources.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import type { DelegateRunner } from '../delegate/runner.ts';
import { bootId } from '../node/boot-id.ts';
import { adopt } from './foreign/adopt.ts';
import { ForeignRecord } from './foreign/foreign-state.ts';
import { undoForeign } from './foreign/undo-foreign.ts';
import { Journal } from './journal.ts';
import type { JournalAttachment, JournalRecord } from './journal-record.ts';
import { withContainerLock } from './locks.ts';
import { type Adopter, type Log, UNDO_BUDGET_MS, withinBudget } from './operation.ts';
import type { Announcer } from './publish/announcer.ts';
import { isForeignNetnsGone, isNetnsGone, NO_NETNS } from './record-netns.ts';
import { undoRecord } from './undo-record.ts';

export interface ReconcileOptions {
  cniDir: string;
  /** What is needed for containers that Multus attached; undefined when no request has said it yet. */
  adopter?: Adopter | undefined;
  runner: (searchPath: readonly string[]) => DelegateRunner;
  openSource: OpenSource;
  announcer: Announcer;
  log: Log;
  signal: AbortSignal;
}

/** How long an operation on a container may hold it up. */
const LOCK_WAIT_MS = 100;

/** What must go, and why; of another program's record it is all of it. */
interface Finding {
  reason: string;
  attachments: JournalAttachment[];
}

/**
 * Why attachments of a record must go, and which; undefined when it is in order. What another program attached is its own
 * affair, or a DEL's, until its namespace is gone.
 */
export function reasonToDetach(record: JournalRecord | ForeignRecord): Finding | undefined {
  if (record instanceof ForeignRecord) {
    return isForeignNetnsGone(record) ? { reason: 'its network namespace is gone', attachments: [] } : undefined;
  }
  const { attachments } = record;
  if (record.bootId !== bootId()) return { reason: 'the node was rebooted since', attachments };
  if (!record.complete) return { reason: 'its ADD never ended', attachments };
  if (isNetnsGone(record)) return { reason: 'its network namespace is gone', attachments };
  const unfinished = attachments.filter(({ state }) => state !== 'attached');
  if (unfinished.length === 0) return undefined;
  const isLeaving = unfinished.some(({ state }) => state === 'detaching');
  return { reason: isLeaving ? 'an earlier DEL failed' : 'its hot-plug never ended', attachments: unfinished };
}

/** Waits between tries of a container whose delegates fail: doubled from a minute to an hour. */
export class RetryTimes {
  private readonly next = new Map<string, { at: number; wait: number }>();

  due(containerId: string): boolean {
    return (this.next.get(containerId)?.at ?? 0) <= performance.now();
  }

  failed(containerId: string): void {
    const wait = Math.min((this.next.get(containerId)?.wait ?? 30_000) * 2, 3_600_000);
    this.next.set(containerId, { at: performance.now() + wait, wait });
  }

  succeeded(containerId: string): void {
    this.next.delete(containerId);
  }
}

/** @returns whether nothing is left to be detached */
async function reconcileOne(containerId: string, journal: Journal, options: ReconcileOptions): Promise<boolean> {
  const { cniDir, adopter, log } = options;
  // An operation that is under way will see to it: its lock is not waited for.
  const noWait = AbortSignal.any([options.signal, AbortSignal.timeout(LOCK_WAIT_MS)]);
  return withinBudget(options.signal, UNDO_BUDGET_MS, `undoing container ${containerId}`, (signal) =>
    withContainerLock(containerId, { cniDir, command: 'reconcile', signal: noWait }, async () => {
      const record = journal.find(containerId); // anew: under the lock nobody changes it any more
      const found = record === undefined ? undefined : reasonToDetach(record);
      if (record === undefined || found === undefined) return true;
      const { runner, openSource, announcer } = options;
      if (!(record instanceof ForeignRecord)) {
        log.warn({ container: containerId, pod: record.pod, reason: found.reason }, 'detaching');
        const undoing = { runner: runner(record.path), trace: {}, signal, log, openSource, announcer };
        await undoRecord(record, journal, undoing, found.attachments);
        return !record.attachments.some(({ state }) => state === 'detaching');
      }
      if (adopter === undefined) return true;
      log.warn({ container: containerId, reason: found.reason }, 'detaching');
      const adopted = adopt(record, adopter, { netns: NO_NETNS });
      await undoForeign(record, adopted, journal, {
        runner: runner(adopter.path),
        trace: {},
        signal,
        log,
        openSource,
        announcer,
      });
      return adopted.record.attachments.length === 0;
    }),
  );
}

function listContainers(journal: Journal, log: Log): string[] {
  try {
    return journal.list();
  } catch (error) {
    log.error({ error: (error as Error).message }, 'cannot reconcile');
    return [];
  }
}

/** Go through the journal once, or until `signal` aborts. Never throws: what fails is logged and tried again later. */
export async function reconcile(options: ReconcileOptions, retries: RetryTimes): Promise<void> {
  const journal = new Journal(options.cniDir, options.adopter?.config.legacyCniDir);
  for (const containerId of listContainers(journal, options.log).filter((id) => retries.due(id))) {
    await new Promise((resolve) => setImmediate(resolve)); // requests come first: thousands of records take a second
    if (options.signal.aborted) return;
    try {
      const record = journal.find(containerId);
      if (record === undefined || reasonToDetach(record) === undefined) continue;
      if (await reconcileOne(containerId, journal, options)) retries.succeeded(containerId);
      else retries.failed(containerId);
    } catch (error) {
      if (error instanceof CniError && error.code === CniCode.tryAgainLater) continue; // busy: looked at next time
      retries.failed(containerId);
      const message = error instanceof CniError ? error.message : String(error);
      options.log.error({ container: containerId, error: message }, 'cannot reconcile');
    }
  }
}
