/** Detach everything that the journal has of one container, and keep or remove its record accordingly. */
import type { OpenSource } from '../cluster/sources.ts';
import { type DetachOptions, detachAll } from './detach.ts';
import type { Journal } from './journal.ts';
import type { JournalRecord } from './journal-record.ts';
import { clearStatus } from './pod-status.ts';
import { openRecordNetns } from './record-netns.ts';

export interface UndoOptions extends Omit<DetachOptions, 'netns'> {
  openSource: OpenSource;
}

/** @returns errors of delegates; when there are any, their attachments stay in the journal. @throws CniError 105 */
export async function undoRecord(record: JournalRecord, journal: Journal, options: UndoOptions): Promise<Error[]> {
  const netns = openRecordNetns(record);
  try {
    await clearStatus(record, options); // first: once the record is gone nobody knows of it
    const errors = await detachAll(record, record.attachments, { ...options, netns });
    if (record.attachments.length === 0) journal.remove(record.containerId);
    else await journal.write(record);
    return errors;
  } finally {
    netns?.close();
  }
}
