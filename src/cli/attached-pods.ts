/** Who is attached by us, as people know them, and of whom it is known that nobody can detach it. */
import { ForeignRecord } from '../attach/foreign/foreign-state.ts';
import { Journal } from '../attach/journal.ts';
import { reasonToDetach } from '../attach/reconcile.ts';
import { DEFAULT_CNI_DIR } from '../pod/multus-config.ts';

export interface AttachedPod {
  containerId: string;
  /** "pod default/web, container 0123456789abc" */
  who: string;
  /** Why it should be gone: its namespace is, or an earlier DEL failed; undefined while its pod runs. */
  goneFor?: string;
  /** What was wrong the last time that plugins were to detach it; '' when that was not tried. */
  problem: string;
}

function describe(journal: Journal, containerId: string): AttachedPod {
  const container = `container ${containerId.slice(0, 13)}`;
  try {
    const record = journal.find(containerId);
    if (record === undefined) return { containerId, who: container, problem: '' };
    const goneFor = reasonToDetach(record)?.reason;
    const gone = goneFor === undefined ? {} : { goneFor };
    if (record instanceof ForeignRecord) {
      const problem = `only the configuration of ${record.program}, which attached it, says how`;
      return { containerId, who: `${container} (of ${record.program})`, ...gone, problem };
    }
    const who = record.pod === '' ? `${container} (no pod)` : `pod ${record.pod}, ${container}`;
    const errors = record.attachments.map(({ lastError }) => lastError).filter((error) => error !== '');
    return { containerId, who, ...gone, problem: [...new Set(errors)].join('; ') };
  } catch {
    return { containerId, who: `${container}, whose journal file cannot be read`, problem: '' };
  }
}

/** @throws CniError 105 when the journal cannot be listed */
export function attachedPods(cniDir: string): AttachedPod[] {
  const journal = new Journal(cniDir);
  return journal.list().map((containerId) => describe(journal, containerId));
}

/** Is there anything to wait for? What failed fails again until somebody does something about it. */
export function isStuck({ goneFor, problem }: AttachedPod): boolean {
  return goneFor !== undefined && problem !== '';
}

/** What an operator can do about one that is stuck. */
export function stuckText({ containerId, who, goneFor, problem }: AttachedPod, cniDir: string): string {
  const where = cniDir === DEFAULT_CNI_DIR ? '' : `--cni-dir ${cniDir} `;
  const way = `Correct that and run this again, or drop it: multus forget ${where}${containerId.slice(0, 13)}`;
  return `cannot detach ${who} (${goneFor}): ${problem}. ${way}`;
}

/** Drop one from the journal, whatever is left of it on the node. */
export function dropAttached({ containerId }: AttachedPod, cniDir: string): void {
  const journal = new Journal(cniDir);
  const record = journal.find(containerId);
  if (record instanceof ForeignRecord) record.remove();
  journal.remove(containerId);
}
