/**
 * DEL: by the journal or by what Multus left, with the bytes of ADD, in reverse; idempotent; a missing namespace is
 * normal.
 */
import type { Netns } from '../node/netns.ts';
import { podLabel } from '../pod/identity.ts';
import { releaseDefaultNetwork } from './damaged-record.ts';
import { adopt } from './foreign/adopt.ts';
import { ForeignRecord } from './foreign/foreign-state.ts';
import { undoForeign } from './foreign/undo-foreign.ts';
import { type Journal, journalOf } from './journal.ts';
import { DamagedRecordError, isRecordOf } from './journal-record.ts';
import { withContainerLock } from './locks.ts';
import { adopterOf, lockRequest, type Operation } from './operation.ts';
import { clearStatus } from './pod-status.ts';
import { netnsOfForeign, openIfThere } from './record-netns.ts';
import { joinedErrors, undoRecord } from './undo-record.ts';
import { recordOfPrimary } from './unrecorded.ts';

/** Nothing says what the status of the container's pod is, so that only the request can. */
function clearStatusOfRequest(operation: Operation): Promise<void> {
  const { request, config } = operation;
  const { containerId, args } = request;
  return clearStatus({ containerId, pod: podLabel(args), source: config }, config.cniDir, operation);
}

/** @returns errors of delegates; their attachments are kept for the next try */
async function delContainer(
  operation: Operation,
  journal: Journal,
  opened: Promise<Netns | undefined>,
): Promise<Error[]> {
  const { request, log, openSource, announcer } = operation;
  const { containerId, trace } = request;
  const options = { trace, signal: operation.budget, log, openSource, announcer };
  try {
    const found = journal.find(containerId);
    if (found instanceof ForeignRecord) {
      const container = { ...request, netns: await netnsOfForeign(found, request.netns) };
      const adopted = adopt(found, adopterOf(operation), container);
      const runner = operation.runner(adopted.record.path);
      return await undoForeign(found, adopted, journal, { ...options, runner });
    }
    if (found !== undefined && isRecordOf(found, request)) {
      return await undoRecord(found, journal, { ...options, opened, runner: operation.runner(found.path) });
    }
    if (found === undefined) {
      await clearStatusOfRequest(operation);
      journal.remove(containerId); // what a write that was cut off may have left
      const unrecorded = await recordOfPrimary(operation, journal);
      if (unrecorded !== undefined) {
        return await undoRecord(unrecorded, journal, { ...options, runner: operation.runner(unrecorded.path) });
      }
    }
    log.debug({}, 'nothing is attached');
  } catch (error) {
    if (!(error instanceof DamagedRecordError)) throw error;
    const begun = journal.readBegun(containerId);
    if (begun !== undefined && isRecordOf(begun, request)) {
      log.error({ error: error.message }, 'the journal file is damaged: detaching what its ADD was about to attach');
      return await undoRecord(begun, journal, { ...options, opened, runner: operation.runner(begun.path) });
    }
    const aside = journal.setAside(containerId);
    log.error({ error: error.message, aside }, 'the journal file is damaged: releasing the default network only');
    await clearStatusOfRequest(operation);
    await releaseDefaultNetwork(operation);
  }
  return [];
}

/** @throws CniError when a delegate fails; its attachment is kept for the next try. */
export async function del(operation: Operation): Promise<void> {
  const { containerId, netns } = operation.request;
  // While the record is looked for. What cannot be opened is told when it is needed.
  const opened = openIfThere(netns).catch(() => undefined);
  try {
    await withContainerLock(containerId, lockRequest(operation), async () => {
      const errors = await delContainer(operation, journalOf(operation.config), opened);
      if (errors.length > 0) throw joinedErrors(errors);
    });
  } finally {
    void opened.then((one) => one?.close());
  }
}
