/** Detach everything that the journal has of one container, and keep or remove its record accordingly. */
import { statSync } from 'node:fs';
import { parse } from 'node:path';
import type { OpenSource } from '../cluster/sources.ts';
import { bootId } from '../node/boot-id.ts';
import { Netns, sameNetns } from '../node/netns.ts';
import { type DetachOptions, detachAll } from './detach.ts';
import type { Journal } from './journal.ts';
import type { JournalRecord } from './journal-record.ts';
import { clearStatus } from './pod-status.ts';

/** System errors that say what lies at the path; any other (EMFILE, EACCES, …) says nothing of the namespace. */
const TELLING = ['ENOENT', 'ENOTDIR', 'EINVAL'];

/**
 * The record's namespace, when it still is the one that the ADD worked on. A path that is gone, belongs to another
 * namespace by now or to the host is none: delegates then get an empty CNI_NETNS (CNI spec, DEL), so that none of
 * them ever works on a namespace that is not the container's.
 * @throws CniError 8 when it cannot be told
 */
export function openRecordNetns(record: JournalRecord): Netns | undefined {
  if (record.bootId !== bootId()) return undefined;
  try {
    const netns = Netns.open(record.netnsPath);
    if (sameNetns(netns.identity, record.netns)) return netns;
    netns.close();
  } catch (error) {
    const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code;
    if (code !== undefined && !TELLING.includes(code)) throw error;
  }
  return undefined;
}

/**
 * Is the record's namespace certainly gone? Only when its folder is there and the path is not, or when another network
 * namespace lies there: a daemon that does not see the node's namespaces (a missing mount, an empty file in its place)
 * must not take every pod for dead.
 */
export function isNetnsGone(record: JournalRecord): boolean {
  if (record.bootId !== bootId()) return true;
  if (statSync(parse(record.netnsPath).dir, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
  try {
    const netns = Netns.open(record.netnsPath);
    netns.close();
    return !sameNetns(netns.identity, record.netns);
  } catch (error) {
    return ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
  }
}

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
