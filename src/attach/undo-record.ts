/** Detach everything that the journal has of one container, and keep or remove its record accordingly. */
import { statSync } from 'node:fs';
import { parse } from 'node:path';
import { bootId } from '../node/boot-id.ts';
import { Netns, sameNetns } from '../node/netns.ts';
import { type DetachOptions, detachAll } from './detach.ts';
import type { Journal } from './journal.ts';
import type { JournalRecord } from './journal-record.ts';

/**
 * The record's namespace, when it still is the one that the ADD worked on. A path that is gone, belongs to another
 * namespace by now or to the host is none: delegates then get an empty CNI_NETNS (CNI spec, DEL), so that none of
 * them ever works on a namespace that is not the container's.
 */
export function openRecordNetns(record: JournalRecord): Netns | undefined {
  if (record.bootId !== bootId()) return undefined;
  try {
    const netns = Netns.open(record.netnsPath);
    if (sameNetns(netns.identity, record.netns)) return netns;
    netns.close();
  } catch {
    // gone, or not usable: the same for us
  }
  return undefined;
}

/**
 * Is the record's namespace certainly gone? Only when its folder is there and the path is not, or leads elsewhere: a
 * daemon that does not see the node's namespaces (a missing mount) must not take every pod for dead.
 */
export function isNetnsGone(record: JournalRecord): boolean {
  if (record.bootId !== bootId()) return true;
  const { dir } = parse(record.netnsPath);
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
  const present = statSync(record.netnsPath, { bigint: true, throwIfNoEntry: false });
  if (present === undefined) return true;
  return !sameNetns({ dev: String(present.dev), ino: String(present.ino) }, record.netns);
}

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
