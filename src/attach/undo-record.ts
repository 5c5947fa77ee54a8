/** Detach what the journal has of one container, all of it or a part, and keep or remove its record accordingly. */
import type { OpenSource } from '../cluster/sources.ts';
import { CniCode, CniError, toCniError } from '../cni/errors.ts';
import { runningAhead } from '../delegate/ahead-runner.ts';
import type { Netns } from '../node/netns.ts';
import { type DetachOptions, detachAll } from './detach.ts';
import { executionsOf } from './invocations.ts';
import type { Journal } from './journal.ts';
import type { JournalAttachment, JournalRecord } from './journal-record.ts';
import type { Log } from './operation.ts';
import { clearStatus, republishStatus } from './pod-status.ts';
import { announceStuck } from './publish/announce.ts';
import type { Announcer } from './publish/announcer.ts';
import { openRecordNetns } from './record-netns.ts';
import { replanDefaultRoutes } from './routes/replan-routes.ts';
import { lookAtReturnedVfs } from './sriov/returned-vf.ts';

export interface UndoOptions extends Omit<DetachOptions, 'netns' | 'journal'> {
  openSource: OpenSource;
  announcer: Announcer;
  /** A namespace that was opened ahead, likely the record's. */
  opened?: Promise<Netns | undefined>;
}

/** Changes the default routes of a pod that goes on without some of its attachments. @returns what failed */
async function leaveRoutes(record: JournalRecord, staying: JournalAttachment[], netns: Netns | undefined, log: Log) {
  try {
    await replanDefaultRoutes(record, staying, netns);
    return [];
  } catch (error) {
    log.error({ error: (error as Error).message }, 'cannot set the default routes that the pod is left with');
    return [error as Error]; // no reason to keep what is to go
  }
}

/**
 * Detach everything that the journal has of a container, or some of it while the container goes on.
 * @returns errors; what could not be detached stays in the journal
 * @throws CniError 105
 */
export async function undoRecord(
  record: JournalRecord,
  journal: Journal,
  options: UndoOptions,
  attachments: readonly JournalAttachment[] = record.attachments,
): Promise<Error[]> {
  const netns = await openRecordNetns(record, await options.opened);
  try {
    const foreseen = executionsOf('DEL', record, attachments, netns?.path ?? '', options.trace).reverse();
    return await runningAhead(options.runner, foreseen, (runner) =>
      undoIn(netns, { ...options, runner }, record, journal, attachments),
    );
  } finally {
    netns?.close();
  }
}

/** @param netns the record's, if it is there */
async function undoIn(
  netns: Netns | undefined,
  options: UndoOptions,
  record: JournalRecord,
  journal: Journal,
  attachments: readonly JournalAttachment[],
): Promise<Error[]> {
  const staying = record.attachments.filter((one) => one.state === 'attached' && !attachments.includes(one));
  if (staying.length === 0) await clearStatus(record, journal.directory, options); // first: once the record is gone nobody knows of it
  const routeErrors = staying.length === 0 ? [] : await leaveRoutes(record, staying, netns, options.log);
  const tried = [...attachments]; // what is detached leaves the record's list
  const errors = await detachAll(record, attachments, { ...options, netns, journal });
  announceStuck(options, record, attachments);
  await lookAtReturnedVfs(options, record, tried, journal);
  if (record.attachments.length === 0) journal.remove(record.containerId);
  else await journal.write(record);
  if (staying.length > 0 && netns !== undefined) await republishStatus(options, record, netns);
  return [...routeErrors, ...errors];
}

/** All errors of an undoing as one; the first one's code is the answer's. */
export function joinedErrors(errors: readonly Error[]): CniError {
  const all = errors.map(toCniError);
  const first = all[0] ?? new CniError(CniCode.internal, 'DEL failed');
  if (all.length === 1) return first;
  return new CniError(first.code, all.map(({ message }) => message).join('; '), {
    details: first.details,
    cause: first,
  });
}

/**
 * Why an operation failed that was undone.
 * @param budget of the operation: whatever fails once it has ended does so because of that
 * @param undoErrors what could not be undone
 */
export function undoneFailure(thrown: unknown, budget: AbortSignal, undoErrors: readonly Error[]): CniError {
  // A plugin that was ended says so itself, with the reason.
  const error = toCniError(budget.aborted && !(thrown instanceof CniError) ? budget.reason : thrown);
  if (undoErrors.length === 0) return error;
  const left = undoErrors.map(({ message }) => message).join('; ');
  return new CniError(error.code, error.message, {
    details: `${error.details}${error.details === '' ? '' : '; '}not undone, kept in the journal until DEL: ${left}`,
    cause: error,
  });
}
