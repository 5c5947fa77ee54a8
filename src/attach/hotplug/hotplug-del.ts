/** Hot-plug DEL: one network leaves a running pod, with the bytes of its ADD; idempotent. */
import { CniCode, CniError } from '../../cni/errors.ts';
import { delChain } from '../../delegate/run-chain.ts';
import { ForeignRecord } from '../foreign/foreign-state.ts';
import { journalOf } from '../journal.ts';
import { type JournalAttachment, type JournalRecord, resultForDel } from '../journal-record.ts';
import { withContainerLock } from '../locks.ts';
import { delegateBudget } from '../operation.ts';
import { oweChange } from '../pod-status.ts';
import { announceRemoved } from '../publish/announce.ts';
import { openIfThere } from '../record-netns.ts';
import { joinedErrors, undoRecord } from '../undo-record.ts';
import { type Hotplug, planHotplug } from './hotplug-plan.ts';
import { adoptFor, hotplugLock, hotplugPath, requireSamePod } from './hotplug-record.ts';

/** What is known of an interface that is not in the journal. */
interface Stranger {
  /** The container's record, which does not have it. */
  record: JournalRecord | undefined;
  /** The attachment as Multus kept it. */
  kept: JournalAttachment | undefined;
  /** '' when it is not known. */
  netnsPath: string;
}

/**
 * An interface that is not in the journal: Multus plugged it in before us, or it is gone already. Its plugins know what to
 * do: those that Multus ran, else those that the request names. When none can be run (the network is not allowed, not
 * installed, wrong) they did not plug it in either: where there is no such interface, nothing is left to do.
 * @throws CniError of a plugin, or why none was run
 */
async function detachStranger(hotplug: Hotplug, { record, kept, netnsPath }: Stranger): Promise<void> {
  const { containerId, ifName, trace } = hotplug.request;
  const netns = await openIfThere(netnsPath);
  let isBegun = false;
  try {
    const { steps, network, args } = kept ?? (await planHotplug(hotplug, undefined));
    const path = hotplugPath(hotplug, record);
    const invocation = { network, containerId, netns: netns?.path ?? '', ifName, args, path, trace };
    await delChain(steps, invocation, kept && resultForDel(kept), {
      runner: hotplug.runner(path),
      deadlineMs: delegateBudget(hotplug),
      signal: hotplug.budget,
      onStart: () => {
        isBegun = true;
      },
    });
  } catch (error) {
    const links = (await netns?.links()) ?? [];
    if (isBegun || links.some(({ name }) => name === ifName)) throw error;
    hotplug.log.warn({ ifName, error: (error as Error).message }, 'nothing to detach; no plugin was run');
  } finally {
    netns?.close();
  }
}

/** The default network goes with its container. @throws CniError 4 */
function requireNotDefault({ isDefault, ifName, network }: JournalAttachment, containerId: string): void {
  if (!isDefault) return;
  throw new CniError(
    CniCode.invalidEnvironment,
    `Cannot detach interface "${ifName}" of container ${containerId}: it is of the default network "${network}", which goes with the container`,
  );
}

/** What another program attached stays in its own files, without the interface that leaves. */
async function detachForeign(hotplug: Hotplug, foreign: ForeignRecord): Promise<void> {
  const { containerId, netns, ifName } = hotplug.request;
  const { record } = await adoptFor(hotplug, foreign);
  requireSamePod(record, hotplug);
  const kept = record.attachments.find((one) => one.ifName === ifName);
  if (kept !== undefined) requireNotDefault(kept, containerId);
  await detachStranger(hotplug, { record, kept, netnsPath: kept === undefined ? netns : record.netnsPath });
  foreign.forget(ifName);
}

function isInRecord(record: JournalRecord | ForeignRecord | undefined, ifName: string): boolean {
  if (record === undefined || record instanceof ForeignRecord) return false;
  return record.attachments.some((one) => one.ifName === ifName);
}

/**
 * @throws CniError 4 for the default network or another pod's container, or of what could not be detached: that stays
 *   in the journal for the next try
 */
export async function hotplugDel(hotplug: Hotplug): Promise<void> {
  const { request, config, log, openSource, announcer, budget: signal } = hotplug;
  const { containerId, ifName, trace } = request;
  const journal = journalOf(config);
  await withContainerLock(containerId, hotplugLock(hotplug), async () => {
    const record = journal.find(containerId);
    if (request.isOwn && !isInRecord(record, ifName)) return; // gone meanwhile
    if (record instanceof ForeignRecord) return detachForeign(hotplug, record);
    if (record !== undefined) requireSamePod(record, hotplug);
    const attachment = record?.attachments.find((one) => one.ifName === ifName);
    if (record === undefined || attachment === undefined) {
      return detachStranger(hotplug, { record, kept: undefined, netnsPath: request.netns });
    }
    requireNotDefault(attachment, containerId);
    attachment.state = 'detaching';
    await journal.write(record); // who finds this later goes on with it
    const runner = hotplug.runner(record.path);
    const options = { runner, trace, signal, log, openSource, announcer };
    const errors = await undoRecord(record, journal, options, [attachment]);
    if (request.isOwn) await oweChange(hotplug, record);
    if (errors.length > 0) throw joinedErrors(errors);
    announceRemoved(hotplug, record, attachment);
  });
}
