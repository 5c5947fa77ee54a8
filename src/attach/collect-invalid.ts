/** The first half of GC: what the runtime no longer knows is detached, whoever attached it. */
import { CniCode, CniError } from '../cni/errors.ts';
import type { ValidAttachment } from '../cni/stdin.ts';
import { adopt } from './foreign/adopt.ts';
import { ForeignRecord } from './foreign/foreign-state.ts';
import { undoForeign } from './foreign/undo-foreign.ts';
import type { Journal } from './journal.ts';
import { DamagedRecordError, type JournalAttachment, type JournalRecord } from './journal-record.ts';
import { adopterOf, type Operation } from './operation.ts';
import { NO_NETNS, netnsOfForeign } from './record-netns.ts';
import { undoRecord } from './undo-record.ts';

export interface Collection {
  errors: Error[];
  /** What is attached now. */
  kept: JournalRecord[];
  /** What was to be detached. */
  collected: JournalAttachment[];
  /** Containers of which not everything is known. */
  unreadable: Set<string>;
}

/** The runtime knows a container by the attachment that it made itself: all of the container's are valid then. */
function isValid(record: JournalRecord, valid: readonly ValidAttachment[]): boolean {
  return valid.some(({ containerID, ifname }) => containerID === record.containerId && ifname === record.ifName);
}

async function collectOwn(
  operation: Operation,
  journal: Journal,
  record: JournalRecord,
  valid: readonly ValidAttachment[],
  collection: Collection,
): Promise<void> {
  const { containerId, attachments } = record;
  const { log, budget: signal, request, openSource, announcer } = operation;
  // Another multus network may share the directory: its attachments are none of this GC's. Whose container it is that
  // something was plugged into is not always known: it goes with DEL then, or with its namespace.
  if (record.name !== request.name || isValid(record, valid)) {
    collection.kept.push(record);
    return;
  }
  log.info({ container: containerId, attachments: attachments.length }, 'collecting');
  collection.collected.push(...attachments);
  const runner = operation.runner(record.path);
  const options = { runner, trace: request.trace, signal, log, openSource, announcer };
  collection.errors.push(...(await undoRecord(record, journal, options)));
  if (record.attachments.length > 0) collection.kept.push(record);
}

/** Another program's file does not say under which interface the runtime knows the container: its ID decides. */
async function collectForeign(
  operation: Operation,
  journal: Journal,
  foreign: ForeignRecord,
  valid: readonly ValidAttachment[],
  collection: Collection,
): Promise<void> {
  const { containerId, program } = foreign;
  const known = valid.find(({ containerID }) => containerID === containerId);
  if (known !== undefined) {
    const { record, lost } = adopt(foreign, adopterOf(operation), { netns: NO_NETNS, ifName: known.ifname });
    collection.kept.push(record);
    if (lost.length === 0) return;
    const problem = `${program} attached container ${containerId}, and not all of it is known: ${lost.join('; ')}`;
    throw new CniError(CniCode.stateFailure, problem);
  }
  const { log, budget: signal, request, openSource, announcer } = operation;
  const adopted = adopt(foreign, adopterOf(operation), { netns: await netnsOfForeign(foreign) });
  const { record } = adopted;
  log.info({ container: containerId, program, attachments: record.attachments.length }, 'collecting');
  collection.collected.push(...record.attachments);
  const options = { runner: operation.runner(record.path), trace: request.trace, signal, log, openSource, announcer };
  collection.errors.push(...(await undoForeign(foreign, adopted, journal, options)));
  if (record.attachments.length > 0) collection.kept.push(record);
}

/** Goes on past failures, which are in `errors`. @throws CniError 105 when the state directory cannot be read */
export async function collectInvalid(
  operation: Operation,
  journal: Journal,
  valid: readonly ValidAttachment[],
): Promise<Collection> {
  const collection: Collection = { errors: [], kept: [], collected: [], unreadable: new Set() };
  for (const containerId of journal.list()) {
    try {
      const found = journal.find(containerId);
      if (found === undefined) continue;
      if (found instanceof ForeignRecord) await collectForeign(operation, journal, found, valid, collection);
      else await collectOwn(operation, journal, found, valid, collection);
    } catch (error) {
      // One damaged file must not keep the others from being collected.
      const isKnown = valid.some(({ containerID }) => containerID === containerId);
      const isDone = error instanceof DamagedRecordError && !isKnown;
      collection.errors.push(isDone ? putAside(operation, journal, containerId, error) : (error as Error));
      if (!isDone) collection.unreadable.add(containerId);
    }
  }
  return collection;
}

/** Nobody will ask for the container any more: it is told once, and keeps no later GC from its work. */
function putAside(operation: Operation, journal: Journal, containerId: string, damage: DamagedRecordError): Error {
  const aside = journal.setAside(containerId);
  operation.log.error({ container: containerId, error: damage.message, aside }, 'the journal file is damaged');
  const details = `the file is kept as ${aside}; what its plugins left is not detached by anybody`;
  return new CniError(damage.code, damage.message, { details, cause: damage });
}
