/** DEL: by the journal, with the bytes of ADD, in reverse; idempotent; a missing namespace is normal. */
import { CniCode, CniError, toCniError } from '../cni/errors.ts';
import { podLabel } from '../pod/identity.ts';
import { delWithoutRecord } from './damaged-record.ts';
import { Journal } from './journal.ts';
import { DamagedRecordError, isRecordOf, type JournalRecord } from './journal-record.ts';
import { withContainerLock } from './locks.ts';
import { lockRequest, type Operation } from './operation.ts';
import { clearStatus } from './pod-status.ts';
import { undoRecord } from './undo-record.ts';

/** All delegates' errors as one; the first one's code is the answer's. */
function joined(errors: readonly Error[]): CniError {
  const all = errors.map(toCniError);
  const first = all[0] ?? new CniError(CniCode.internal, 'DEL failed');
  if (all.length === 1) return first;
  return new CniError(first.code, all.map(({ message }) => message).join('; '), {
    details: first.details,
    cause: first,
  });
}

function readRecord(journal: Journal, containerId: string): JournalRecord | DamagedRecordError | undefined {
  try {
    return journal.read(containerId);
  } catch (error) {
    if (error instanceof DamagedRecordError) return error;
    throw error;
  }
}

/** @throws CniError when a delegate fails; its attachment is kept for the next try. */
export async function del(operation: Operation): Promise<void> {
  const { request, config } = operation;
  const journal = new Journal(config.cniDir);
  await withContainerLock(request.containerId, lockRequest(operation), async () => {
    const record = readRecord(journal, request.containerId);
    if (record === undefined || record instanceof DamagedRecordError) {
      const { containerId, args } = request;
      await clearStatus({ containerId, pod: podLabel(args), source: config }, operation);
    }
    if (record instanceof DamagedRecordError) return delWithoutRecord(operation, journal, record);
    if (record === undefined) journal.remove(request.containerId); // what a write that was cut off may have left
    if (record === undefined || !isRecordOf(record, request)) {
      return operation.log.debug({}, 'nothing is attached');
    }
    const errors = await undoRecord(record, journal, {
      runner: operation.runner(record.path),
      trace: request.trace,
      signal: operation.budget,
      log: operation.log,
      openSource: operation.openSource,
    });
    if (errors.length > 0) throw joined(errors);
  });
}
