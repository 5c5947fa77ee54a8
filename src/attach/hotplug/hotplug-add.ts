/** Hot-plug ADD: one network joins a running pod, or leaves no trace; the pod's others are not touched. */
import { CniCode, CniError } from '../../cni/errors.ts';
import { convertResult } from '../../cni/result.ts';
import { Netns } from '../../node/netns.ts';
import { type PlannedAttachment, planDefaultRoutes } from '../../pod/plan.ts';
import { attachNetwork, requireFreeName } from '../attach-network.ts';
import { ForeignRecord } from '../foreign/foreign-state.ts';
import { type Journal, journalOf } from '../journal.ts';
import type { JournalAttachment, JournalRecord } from '../journal-record.ts';
import { withContainerLock } from '../locks.ts';
import { NEVER_ABORTED, UNDO_BUDGET_MS, withinBudget } from '../operation.ts';
import { oweChange, republishStatus } from '../pod-status.ts';
import { announceAdded, announceFailure } from '../publish/announce.ts';
import { newAttachment } from '../resolve/make-plan.ts';
import { withPlannedRoutes } from '../routes/default-routes.ts';
import { settleDefaultRoutes } from '../routes/settle-routes.ts';
import { rememberVfs } from '../sriov/remember-vf.ts';
import { undoneFailure, undoRecord } from '../undo-record.ts';
import { type Hotplug, planHotplug } from './hotplug-plan.ts';
import { hotplugLock, recordToJoin } from './hotplug-record.ts';

/** Detach an attachment that never got ready, or a leftover of one. */
function takeBack(hotplug: Hotplug, record: JournalRecord, journal: Journal, attachment: JournalAttachment) {
  const { log, request, openSource, announcer } = hotplug;
  const runner = hotplug.runner(record.path);
  return withinBudget(NEVER_ABORTED, UNDO_BUDGET_MS, 'undoing the hot-plug', (signal) =>
    undoRecord(record, journal, { runner, trace: request.trace, signal, log, openSource, announcer, isWitness: true }, [
      attachment,
    ]),
  );
}

/**
 * An attachment of that name in the record: one that is attached is an error; what an earlier hot-plug or its DEL left
 * is undone first. What was never attached and cannot be detached must not keep the name for ever: it is forgotten.
 */
async function clearLeftover(hotplug: Hotplug, record: JournalRecord, journal: Journal): Promise<void> {
  const { containerId, ifName } = hotplug.request;
  const earlier = record.attachments.find((one) => one.ifName === ifName);
  if (earlier === undefined) return;
  if (earlier.state === 'attached') {
    throw new CniError(
      CniCode.alreadyAttached,
      `Cannot plug in interface "${ifName}": container ${containerId} has it already, for network "${earlier.network}"; DEL it first`,
    );
  }
  const [error] = await takeBack(hotplug, record, journal, earlier);
  if (error !== undefined) {
    throw new CniError(
      CniCode.tryAgainLater,
      `Cannot plug in interface "${ifName}": what is left of it cannot be undone: ${error.message}`,
      { cause: error },
    );
  }
  if (!record.attachments.includes(earlier)) return;
  record.attachments.splice(record.attachments.indexOf(earlier), 1);
  hotplug.log.warn({ network: earlier.network, ifName, error: earlier.lastError }, 'forgot what never was attached');
}

/** @throws CniError as planHotplug; the pod is told of it, where nobody else can tell */
async function plan(hotplug: Hotplug, record: JournalRecord): Promise<PlannedAttachment> {
  try {
    return await planHotplug(hotplug, record);
  } catch (error) {
    if (hotplug.request.isOwn) announceFailure(hotplug, error);
    throw error;
  }
}

/** Write down what is about to be done, also to the pod's routes: whoever undoes it puts them right. */
async function announce(hotplug: Hotplug, record: JournalRecord, planned: PlannedAttachment, journal: Journal) {
  const attachment = newAttachment(planned);
  await rememberVfs(hotplug, [attachment]);
  record.attachments.push(attachment);
  record.defaultRoutes = planDefaultRoutes(
    record.attachments.filter((one) => one === attachment || one.state === 'attached'),
  );
  await journal.write(record);
  return attachment;
}

/** @returns the result in the pod */
async function join(
  hotplug: Hotplug,
  record: JournalRecord,
  journal: Journal,
  attachment: JournalAttachment,
  netns: Netns,
  before: ReadonlySet<number>,
): Promise<string> {
  try {
    const { result } = await attachNetwork(hotplug, record, attachment, netns, before);
    await settleDefaultRoutes(record, netns, hotplug.log);
    attachment.state = 'attached';
    await journal.write(record);
    hotplug.budget.throwIfAborted();
    announceAdded(hotplug, record, [attachment]);
    await republishStatus(hotplug, record, netns);
    if (hotplug.request.isOwn) await oweChange(hotplug, record);
    const inPod = withPlannedRoutes(result, attachment.ifName, record.defaultRoutes);
    return convertResult(inPod, hotplug.request.cniVersion);
  } catch (error) {
    announceFailure(hotplug, error, attachment);
    throw undoneFailure(error, hotplug.budget, await takeBack(hotplug, record, journal, attachment));
  }
}

/**
 * @returns the answer's JSON text
 * @throws CniError; then nothing of the network is attached, or it is in the journal
 */
export async function hotplugAdd(hotplug: Hotplug): Promise<string> {
  const { request, config } = hotplug;
  const netns = await Netns.open(request.netns);
  try {
    const journal = journalOf(config);
    return await withContainerLock(request.containerId, hotplugLock(hotplug), async () => {
      const found = journal.find(request.containerId);
      const record = await recordToJoin(hotplug, found, netns);
      await clearLeftover(hotplug, record, journal);
      const planned = await plan(hotplug, record);
      const before = requireFreeName(await netns.links(), planned);
      const attachment = await announce(hotplug, record, planned, journal);
      if (found instanceof ForeignRecord) found.remove(journal.path(request.containerId)); // the record is ours now
      return join(hotplug, record, journal, attachment, netns, before);
    });
  } finally {
    netns.close();
  }
}
