/** Detach what another program attached, and leave none of its files: what cannot be detached is in our journal then. */
import { CniCode } from '../../cni/errors.ts';
import type { Journal } from '../journal.ts';
import { DamagedRecordError } from '../journal-record.ts';
import { type UndoOptions, undoRecord } from '../undo-record.ts';
import type { Adopted } from './adopt.ts';
import type { ForeignRecord } from './foreign-state.ts';

/**
 * @param adopted the record of it; what stays attached stays in it
 * @returns errors of delegates, as undoRecord
 * @throws DamagedRecordError (105) when no plugin is known that could be run; CniError 105
 */
export async function undoForeign(
  foreign: ForeignRecord,
  { record, doubts, lost }: Adopted,
  journal: Journal,
  options: UndoOptions,
): Promise<Error[]> {
  const { containerId, program } = foreign;
  if (record.attachments.length === 0) {
    const problem = `${program} attached container ${containerId}, nobody can tell what: ${lost.join('; ')}`;
    throw new DamagedRecordError(CniCode.stateFailure, problem);
  }
  options.log.info({ program, attachments: record.attachments.length }, 'detaching what another program attached');
  for (const doubt of doubts) options.log.warn({ doubt }, 'detaching with less than ADD had');
  if (lost.length > 0) {
    const aside = journal.setAside(containerId);
    options.log.error({ lost, aside }, 'cannot detach what is not known; the file is set aside');
    await journal.write(record); // a crash from now on must not lose the rest
  }
  const errors = await undoRecord(record, journal, options);
  foreign.remove(journal.path(containerId));
  return errors;
}
