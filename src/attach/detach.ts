/** Undo attachments by the journal: for DEL, for the rollback of an ADD, for GC and the reconciler. */
import { CniCode, CniError } from '../cni/errors.ts';
import { delChain } from '../delegate/run-chain.ts';
import type { DelegateRunner } from '../delegate/runner.ts';
import type { Netns } from '../node/netns.ts';
import { dropDeviceInfo } from './device-info-files.ts';
import { invocationOf } from './invocations.ts';
import type { Journal } from './journal.ts';
import { type JournalAttachment, type JournalRecord, resultForDel } from './journal-record.ts';
import type { Log } from './operation.ts';
import { goneNetnsPath } from './sriov/gone-netns.ts';

export interface DetachOptions {
  runner: DelegateRunner;
  /** The container's namespace when it still exists and is the one that the ADD worked on. */
  netns: Netns | undefined;
  trace: Readonly<Record<string, string>>;
  signal: AbortSignal;
  log: Log;
  /** Tells whether another container has a VF by now; none where the record is of no journal. */
  journal?: Journal;
  /** This operation ran the ADDs: what has no result failed. A record only says what was known when it was written. */
  isWitness?: boolean;
}

/**
 * A delegate that misnamed its link finds it on DEL under the name that it knows. So does one whose VF was renamed in the
 * pod: a virtual link that it does not find is removed all the same, a VF would be lost to the node.
 */
async function giveBackName(netns: Netns, attachment: JournalAttachment, log: Log): Promise<void> {
  const { link, ifName, vf } = attachment;
  if (link === undefined || (link.delegateName === ifName && vf === undefined)) return;
  try {
    const present = (await netns.links()).find(({ index }) => index === link.index);
    if (present === undefined || present.name === link.delegateName) return;
    if (present.name === ifName || vf !== undefined) await netns.rename(link.index, link.delegateName);
  } catch (error) {
    log.warn(
      { network: attachment.network, ifName, error: (error as Error).message },
      'cannot give the link its first name back',
    );
  }
}

/** A plugin that reports success for DEL and leaves its virtual link behind: remove it. Devices are never removed. */
async function removeLeftover(netns: Netns, attachment: JournalAttachment, log: Log): Promise<void> {
  const { link } = attachment;
  if (link === undefined) return;
  const left = (await netns.links()).find(({ index, mac }) => index === link.index && mac === link.mac);
  if (left === undefined) return;
  const fields = { network: attachment.network, ifName: left.name, kind: left.kind };
  if (left.kind === '') {
    log.warn(fields, 'the plugin reported success for DEL but its device is still in the pod');
    return;
  }
  await netns.deleteLink(left.index);
  log.warn(fields, 'the plugin reported success for DEL but left its link; it was removed');
}

async function detachOne(record: JournalRecord, attachment: JournalAttachment, options: DetachOptions): Promise<void> {
  const { netns, runner, signal, log, trace } = options;
  if (netns !== undefined) await giveBackName(netns, attachment, log);
  const runPlugins = (path: string): Promise<void> =>
    delChain(attachment.steps, invocationOf(record, attachment, path, trace), resultForDel(attachment), {
      runner,
      signal,
      deadlineMs: record.delegateTimeoutMs,
    });
  if (netns !== undefined) {
    await runPlugins(netns.path);
    await removeLeftover(netns, attachment, log);
    return;
  }
  const gone = await goneNetnsPath(record, attachment, signal, options.journal);
  try {
    await runPlugins(gone);
  } catch (error) {
    if (gone === '' || signal.aborted) throw error;
    const { network, ifName } = attachment;
    log.warn({ network, ifName, error: (error as Error).message }, 'the plugin does not take a namespace that is gone');
    await runPlugins('');
  }
}

/** With these codes a plugin refuses a request before it does anything (CNI spec section 5, well-known codes). */
const REFUSALS: readonly number[] = [
  CniCode.incompatibleVersion,
  CniCode.unsupportedField,
  CniCode.invalidEnvironment,
  CniCode.decodingFailure,
  CniCode.invalidConfig,
];

/** So often a plugin has to refuse, or to be missing, of which a record does not say whether it ran. */
const REFUSALS_OF_RECORD = 3;

/**
 * Has an attachment without a result nothing that could be detached? A plugin that refuses the bytes of ADD for DEL refused
 * them for ADD. After a crash nobody knows whether it ran: its result may be lost that it wants to see, or its program be
 * away for a moment; that is tried again, and given up when the pod's namespace is gone, too.
 */
function neverRan(attachment: JournalAttachment, error: unknown, { isWitness, netns }: DetachOptions): boolean {
  if (!(error instanceof CniError) || attachment.state === 'attached' || attachment.result !== '') return false;
  if (isWitness) return REFUSALS.includes(error.code);
  if (!REFUSALS.includes(error.code) && error.code !== CniCode.pluginNotFound) return false;
  return netns === undefined && attachment.detachFailures + 1 >= REFUSALS_OF_RECORD;
}

function forget(record: JournalRecord, attachment: JournalAttachment, log: Log): void {
  dropDeviceInfo(attachment, log);
  record.attachments.splice(record.attachments.indexOf(attachment), 1);
}

/**
 * Detach in reverse order, going on past failures. What could not be detached stays in `record.attachments`,
 * with state `detaching` and its error; the rest is taken out.
 *
 * A plugin whose ADD failed often fails DEL for the same reason (a `master` that does not exist). That is kept and tried
 * again, but is no error: it must not keep a container from ever being deleted.
 * @returns the errors of attachments that had been attached, in the order in which they happened
 */
export async function detachAll(
  record: JournalRecord,
  attachments: readonly JournalAttachment[],
  options: DetachOptions,
): Promise<Error[]> {
  const errors: Error[] = [];
  for (const attachment of [...attachments].reverse()) {
    // Another program's attachment has a state, but its result may be lost.
    const wasAttached = attachment.state === 'attached' || attachment.result !== '';
    const fields = { network: attachment.network, ifName: attachment.ifName };
    try {
      // In reverse and one after the other: the specification wants it so.
      await detachOne(record, attachment, options);
      forget(record, attachment, options.log);
      options.log.info(fields, 'detached');
    } catch (error) {
      if (neverRan(attachment, error, options)) {
        forget(record, attachment, options.log);
        options.log.warn({ ...fields, error: (error as Error).message }, 'nothing to detach: its plugin never ran');
        continue;
      }
      attachment.state = 'detaching';
      attachment.lastError = (error as Error).message;
      attachment.detachFailures += 1;
      if (wasAttached) errors.push(error as Error);
      options.log.error({ ...fields, error: attachment.lastError }, 'cannot detach; it stays in the journal');
    }
  }
  return errors;
}
