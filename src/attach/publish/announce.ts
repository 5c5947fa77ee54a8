/** What of an operation the pod's users are told in events. Nothing of a container that belongs to no pod. */
import { sourceSettings } from '../../cluster/sources.ts';
import { toCniError } from '../../cni/errors.ts';
import { podIdentity } from '../../pod/identity.ts';
import type { JournalAttachment, JournalRecord } from '../journal-record.ts';
import type { Log, Operation } from '../operation.ts';
import { podOf } from '../pod-status.ts';
import { resultInPod } from '../result-in-pod.ts';
import { addedInterface, attachFailed, detachStuck, removedInterface, STUCK_AFTER, vfNotReset } from './events.ts';

/** Who is told can do without; the pod cannot do without its networks. */
function safely(log: Log, tell: () => void): void {
  try {
    tell();
  } catch (error) {
    log.error({ error: toCniError(error).message }, 'cannot tell an event');
  }
}

type Telling = Pick<Operation, 'announcer' | 'request' | 'log'>;

/** Of networks that are attached for good: what an ADD attaches and undoes is in its failure only. */
export function announceAdded(
  { announcer, request, log }: Telling,
  record: JournalRecord,
  attachments: readonly JournalAttachment[],
): void {
  const pod = podIdentity(request.args);
  if (pod === undefined) return;
  safely(log, () => {
    for (const attachment of attachments.filter(({ auxiliary }) => !auxiliary)) {
      const result = resultInPod(record, attachment);
      if (result.interfaces.length === 0 && result.ips.length === 0) continue;
      announcer.event(record.source, addedInterface(pod, attachment, result));
    }
  });
}

export function announceRemoved(
  { announcer, request, log }: Telling,
  { source }: JournalRecord,
  attachment: JournalAttachment,
): void {
  const pod = podIdentity(request.args);
  if (pod !== undefined) safely(log, () => announcer.event(source, removedInterface(pod, attachment)));
}

/** @param attachment that failed, where it is one */
export function announceFailure(
  { announcer, request, config, log }: Telling & Pick<Operation, 'config'>,
  thrown: unknown,
  attachment?: JournalAttachment,
): void {
  const pod = podIdentity(request.args);
  const event = pod === undefined ? undefined : attachFailed(pod, thrown, attachment);
  if (event !== undefined) safely(log, () => announcer.event(sourceSettings(config), event));
}

/** Of what is still there although it was to be detached, again and again. */
export function announceStuck(
  { announcer, log }: Pick<Operation, 'announcer' | 'log'>,
  record: JournalRecord,
  attachments: readonly JournalAttachment[],
): void {
  const pod = podOf(record);
  if (pod === undefined) return;
  for (const attachment of attachments) {
    const { network, ifName, state, lastError: error, detachFailures: failures } = attachment;
    if (state !== 'detaching' || failures < STUCK_AFTER || !record.attachments.includes(attachment)) continue;
    const event = detachStuck(pod, { network, ifName, failures, error });
    safely(log, () => announcer.event(record.source, event));
  }
}

/** @param problem of a VF that was detached, and what mends it */
export function announceVfNotReset(
  { announcer, log }: Pick<Operation, 'announcer' | 'log'>,
  record: JournalRecord,
  attachment: JournalAttachment,
  problem: string,
): void {
  const pod = podOf({ ...record, attachments: [attachment] }); // it has left the record
  if (pod !== undefined) safely(log, () => announcer.event(record.source, vfNotReset(pod, attachment, problem)));
}
