/** Hot-plug DEL: one network leaves a running pod, with the bytes of its ADD; idempotent. */
import { CniCode, CniError } from '../cni/errors.ts';
import { delChain } from '../delegate/run-chain.ts';
import { type Hotplug, planHotplug } from './hotplug-plan.ts';
import { hotplugLock, hotplugPath, requireSamePod } from './hotplug-record.ts';
import { Journal } from './journal.ts';
import type { JournalRecord } from './journal-record.ts';
import { withContainerLock } from './locks.ts';
import { delegateBudget } from './operation.ts';
import { joinedErrors, openIfThere, undoRecord } from './undo-record.ts';

/**
 * An interface in no record: Multus plugged it in before us, or it is gone already. The plugins that the request names
 * know what to do. When none of them can be run (the network is not allowed, not installed, wrong) they did not plug it in
 * either: where there is no such interface, nothing is left to do.
 * @throws CniError of a plugin, or why none was run
 */
async function detachStranger(hotplug: Hotplug, record: JournalRecord | undefined): Promise<void> {
  const { containerId, netns: netnsPath, ifName, trace } = hotplug.request;
  const netns = openIfThere(netnsPath);
  let isBegun = false;
  try {
    const { steps, network, args } = await planHotplug(hotplug, undefined);
    const path = hotplugPath(hotplug, record);
    const invocation = { network, containerId, netns: netns?.path ?? '', ifName, args, path, trace };
    await delChain(steps, invocation, undefined, {
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

/**
 * @throws CniError 4 for the default network or another pod's container, or of what could not be detached: that stays
 *   in the journal for the next try
 */
export async function hotplugDel(hotplug: Hotplug): Promise<void> {
  const { request, config, log, openSource, budget: signal } = hotplug;
  const { containerId, ifName, trace } = request;
  const journal = new Journal(config.cniDir);
  await withContainerLock(containerId, hotplugLock(hotplug), async () => {
    const record = journal.read(containerId);
    if (record !== undefined) requireSamePod(record, hotplug);
    const attachment = record?.attachments.find((one) => one.ifName === ifName);
    if (record === undefined || attachment === undefined) return detachStranger(hotplug, record);
    if (attachment.isDefault) {
      throw new CniError(
        CniCode.invalidEnvironment,
        `Cannot detach interface "${ifName}" of container ${containerId}: it is of the default network "${attachment.network}", which goes with the container`,
      );
    }
    attachment.state = 'detaching';
    await journal.write(record); // who finds this later goes on with it
    const runner = hotplug.runner(record.path);
    const errors = await undoRecord(record, journal, { runner, trace, signal, log, openSource }, [attachment]);
    if (errors.length > 0) throw joinedErrors(errors);
  });
}
