/** Detach everything that the journal has of one container, and keep or remove its record accordingly. */
import { type DetachOptions, detachAll } from './detach.ts';
import type { Journal } from './journal.ts';
import type { JournalRecord } from './journal-record.ts';
import { openRecordNetns } from './record-netns.ts';

/** @returns errors of delegates; when there are any, their attachments stay in the journal. @throws CniError 105 */
export async function undoRecord(
  record: JournalRecord,
  journal: Journal,
  options: Omit<DetachOptions, 'netns'>,
): Promise<Error[]> {
  const netns = openRecordNetns(record);
  try {
    const errors = await detachAll(record, record.attachments, { ...options, netns });
    if (record.attachments.length === 0) journal.remove(record.containerId);
    else await journal.write(record);
    return errors;
  } finally {
    netns?.close();
  }
}
