/** What an attachment's VF was before its plugin had it: kept in the journal, for who looks at it after DEL. */
import type { FoundVf } from '../../sriov/find-vf.ts';
import { unseenVf, vfBefore } from '../../sriov/vf-before.ts';
import type { JournalAttachment } from '../journal-record.ts';
import type { Operation } from '../operation.ts';
import { askedOf, plannedVf, THIS_NODE } from './attached-vf.ts';

/** Before the journal is written and any plugin runs. Nothing is asked for attachments without a VF; fails nothing. */
export async function rememberVfs(
  { log, budget }: Pick<Operation, 'log' | 'budget'>,
  attachments: readonly JournalAttachment[],
  questions = THIS_NODE,
): Promise<void> {
  for (const attachment of attachments) {
    const { network, ifName } = attachment;
    try {
      const device = plannedVf(attachment, questions);
      if (device === undefined) continue;
      const report = await questions.ask(device, { signal: budget });
      attachment.vf = vfBefore(report, questions.netdevs(device.address));
    } catch (error) {
      log.warn(
        { network, ifName, error: (error as Error).message },
        'cannot tell what its VF is before it is attached',
      );
    }
  }
}

/** A VF that its plugin chose: it is known only now that it is in the pod. */
export function rememberChosenVf(attachment: JournalAttachment, device: FoundVf): void {
  if (attachment.vf?.address === device.address) return;
  attachment.vf = unseenVf(device, askedOf(attachment) ?? {});
}
