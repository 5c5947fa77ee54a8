/** `multus forget`: drop a container from the journal, for an attachment whose plugin can never detach it. */
import { ForeignRecord } from '../attach/foreign/foreign-state.ts';
import { Journal } from '../attach/journal.ts';
import type { JournalRecord } from '../attach/journal-record.ts';
import { withContainerLock } from '../attach/locks.ts';
import { isForeignNetnsGone, isNetnsGone } from '../attach/record-netns.ts';
import { CniError } from '../cni/errors.ts';

export interface ForgetOptions {
  cniDir: string;
  /** Also what is attached and in order. */
  force?: boolean;
}

/** How long to wait for an operation on the container that is under way. */
const WAIT_MS = 10_000;

/** The one container whose ID begins so. @throws Error when there is none, or more than one */
function findContainer(journal: Journal, prefix: string): string {
  const found = journal.list().filter((id) => id.startsWith(prefix));
  if (found[0] !== undefined && (found.length === 1 || found.includes(prefix))) {
    return found.includes(prefix) ? prefix : found[0];
  }
  const what = found.length === 0 ? 'no container has an ID that begins so' : `several do: ${found.join(', ')}`;
  throw new Error(`Cannot forget "${prefix}": in ${journal.directory} ${what}`);
}

/** What is known of the container; a file that cannot be read is forgotten all the same. */
function readRecord(journal: Journal, containerId: string): JournalRecord | ForeignRecord | undefined {
  try {
    return journal.find(containerId);
  } catch (error) {
    if (error instanceof CniError) return undefined;
    throw error;
  }
}

/** A pod that runs: its runtime would never detach it once it is forgotten. */
function isInOrder(record: JournalRecord | ForeignRecord | undefined): boolean {
  if (record === undefined) return false;
  if (record instanceof ForeignRecord) return !isForeignNetnsGone(record);
  return record.complete && record.attachments.every(({ state }) => state === 'attached') && !isNetnsGone(record);
}

async function forgetOne(journal: Journal, containerId: string, force: boolean): Promise<void> {
  const signal = AbortSignal.timeout(WAIT_MS);
  const lock = { cniDir: journal.directory, command: 'forget', signal };
  await withContainerLock(containerId, lock, async () => {
    const record = readRecord(journal, containerId);
    if (!force && isInOrder(record)) {
      throw new Error(
        `Cannot forget "${containerId}": it is attached and in order; to drop it all the same, add --force: nobody would detach it any more`,
      );
    }
    if (record instanceof ForeignRecord) record.remove();
    journal.remove(containerId);
  });
}

/**
 * @param prefixes of containers' IDs, as `multus ps` shows them
 * @returns what to print
 * @throws Error when one is none or several containers, or in order
 */
export async function forget(prefixes: readonly string[], { cniDir, force = false }: ForgetOptions): Promise<string> {
  const journal = new Journal(cniDir);
  const containers = prefixes.map((prefix) => findContainer(journal, prefix));
  for (const containerId of containers) await forgetOne(journal, containerId, force);
  return `forgot ${containers.join(', ')}; what the plugins left, links or addresses, is not detached by anybody now\n`;
}
