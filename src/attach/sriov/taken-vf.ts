/** Device plugins give a VF to the next pod as soon as the containers of the one before have ended: maybe before its DEL. */
import type { Journal } from '../journal.ts';

/**
 * Has another container the VF by now, or is it about to get it? Then what is on it is for that one.
 * @param containerId of the container that had it
 */
export function isTakenAgain(journal: Journal, containerId: string, address: string): boolean {
  return journal.list().some((id) => {
    if (id === containerId) return false;
    try {
      const found = journal.find(id);
      const attachments = found !== undefined && 'attachments' in found ? found.attachments : [];
      return attachments.some(({ vf, state }) => vf?.address === address && state !== 'detaching');
    } catch {
      return false; // damaged: it says nothing
    }
  });
}
