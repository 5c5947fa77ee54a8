/** What DEL says of a namespace that is gone, to a plugin that set up a VF. */
import { setTimeout as delay } from 'node:timers/promises';
import { bootId } from '../../node/boot-id.ts';
import type { Journal } from '../journal.ts';
import type { JournalAttachment, JournalRecord } from '../journal-record.ts';
import { isPathGone } from '../record-netns.ts';
import { THIS_NODE, type VfQuestions } from './attached-vf.ts';
import { isTakenAgain } from './taken-vf.ts';

/** The kernel takes devices out of a namespace that goes behind its last process's back (cleanup_net). */
const TRIES = 4;
const WAIT_MS = 100;

/**
 * CNI_NETNS where there is no namespace any more. Empty is what every plugin understands (CNI spec section 4, DEL); but
 * with that sriov-cni leaves the PF's settings as they are, and resets them when it gets the path where nothing is now.
 * It must not when another pod has the VF, or is about to get it: that one's settings are on the PF before the VF is in it.
 * @param journal undefined: there is none that could tell
 * @returns the path of ADD, or ''
 */
export async function goneNetnsPath(
  record: JournalRecord,
  { vf }: JournalAttachment,
  signal: AbortSignal,
  journal: Journal | undefined,
  questions: Pick<VfQuestions, 'netdevs'> = THIS_NODE,
): Promise<string> {
  if (vf === undefined || record.bootId !== bootId() || !isPathGone(record.netnsPath)) return '';
  for (let tries = 1; tries <= TRIES && !signal.aborted; tries += 1) {
    if (questions.netdevs(vf.address).length > 0) {
      const isTaken = journal !== undefined && isTakenAgain(journal, record.containerId, vf.address);
      return isTaken ? '' : record.netnsPath;
    }
    if (tries < TRIES) await delay(WAIT_MS, undefined, { signal }).catch(() => undefined);
  }
  return '';
}
