/** `multus forget`: drop a container from the journal, for an attachment whose plugin can never detach it. */
import { ForeignRecord } from '../attach/foreign/foreign-state.ts';
import { Journal } from '../attach/journal.ts';
import { withContainerLock } from '../attach/locks.ts';
import { CniError } from '../cni/errors.ts';

export interface ForgetOptions {
  cniDir: string;
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

/** What another program left of the container; a file that cannot be read is forgotten all the same. */
function foreignRecord(journal: Journal, containerId: string): ForeignRecord | undefined {
  try {
    const found = journal.find(containerId);
    return found instanceof ForeignRecord ? found : undefined;
  } catch (error) {
    if (error instanceof CniError) return undefined;
    throw error;
  }
}

/**
 * @param prefix of the container's ID, as `multus ps` shows it
 * @returns what to print
 */
export async function forget(prefix: string, options: ForgetOptions): Promise<string> {
  const journal = new Journal(options.cniDir);
  const containerId = findContainer(journal, prefix);
  const signal = AbortSignal.timeout(WAIT_MS);
  const lock = { cniDir: options.cniDir, command: 'forget', door: 'standalone', signal } as const;
  await withContainerLock(containerId, lock, async () => {
    foreignRecord(journal, containerId)?.remove();
    journal.remove(containerId);
  });
  return `forgot ${containerId}; what its plugins left, links or addresses, is not detached by anybody now\n`;
}
