/** Hot-plug DEL: one network leaves a running pod, with the bytes of its ADD; idempotent. */
import { CniCode, CniError } from '../cni/errors.ts';
import { delChain } from '../delegate/run-chain.ts';
import type { Netns } from '../node/netns.ts';
import type { PlannedAttachment } from '../pod/plan.ts';
import { type Hotplug, planHotplug } from './hotplug-plan.ts';
import { hotplugLock, requireSamePod } from './hotplug-record.ts';
import { Journal } from './journal.ts';
import { withContainerLock } from './locks.ts';
import { delegateBudget, searchPath } from './operation.ts';
import { joinedErrors, openIfThere, undoRecord } from './undo-record.ts';

/**
 * The attachment that an interface in no record would be. What cannot be planned was not plugged in by us: where there is
 * no such interface either, nothing is left to do.
 */
async function planStranger(hotplug: Hotplug, netns: Netns | undefined): Promise<PlannedAttachment | undefined> {
  try {
    return await planHotplug(hotplug);
  } catch (error) {
    const { ifName } = hotplug.request;
    const links = (await netns?.links()) ?? [];
    if (links.some(({ name }) => name === ifName)) throw error;
    hotplug.log.warn({ ifName, error: (error as Error).message }, 'nothing to detach; the plugins were not run');
    return undefined;
  }
}

/** An interface in no record: Multus plugged it in before us, or it is gone already. Its plugins know what to do. */
async function detachStranger(hotplug: Hotplug): Promise<void> {
  const { containerId, netns: netnsPath, ifName, trace } = hotplug.request;
  const netns = openIfThere(netnsPath);
  try {
    const planned = await planStranger(hotplug, netns);
    if (planned === undefined) return;
    const { steps, network, args } = planned;
    const path = searchPath(hotplug);
    const invocation = { network, containerId, netns: netns?.path ?? '', ifName, args, path, trace };
    await delChain(steps, invocation, undefined, {
      runner: hotplug.runner(path),
      deadlineMs: delegateBudget(hotplug),
      signal: hotplug.budget,
    });
  } finally {
    netns?.close();
  }
}

/**
 * @throws CniError 4 for the default network or another pod's container, or of what could not be detached: that stays
 *   in the journal for the next try
 */
export async function hotplugDel(hotplug: Hotplug): Promise<void> {
  const { request, config, log, budget: signal } = hotplug;
  const { containerId, ifName, trace } = request;
  const journal = new Journal(config.cniDir);
  await withContainerLock(containerId, hotplugLock(hotplug), async () => {
    const record = journal.read(containerId);
    if (record !== undefined) requireSamePod(record, hotplug);
    const attachment = record?.attachments.find((one) => one.ifName === ifName);
    if (record === undefined || attachment === undefined) return detachStranger(hotplug);
    if (attachment.isDefault) {
      throw new CniError(
        CniCode.invalidEnvironment,
        `Cannot detach interface "${ifName}" of container ${containerId}: it is of the default network "${attachment.network}", which goes with the container`,
      );
    }
    const runner = hotplug.runner(record.path);
    const errors = await undoRecord(record, journal, { runner, trace, signal, log }, [attachment]);
    if (errors.length > 0) throw joinedErrors(errors);
  });
}
