/**
 * Networks that come to a running pod and go (`POST /delegate`). They are attachments of the container's record like those
 * of its ADD: in the journal before a plugin runs, verified, undone alone when they fail, and detached by the pod's DEL.
 */
import { CniCode, CniError } from '../../cni/errors.ts';
import { Netns, sameNetns } from '../../node/netns.ts';
import { checkAttachment } from '../check.ts';
import { ForeignRecord } from '../foreign/foreign-state.ts';
import { journalOf } from '../journal.ts';
import { withContainerLock } from '../locks.ts';
import { networkStatus } from '../status.ts';
import { hotplugAdd } from './hotplug-add.ts';
import { hotplugDel } from './hotplug-del.ts';
import { type Hotplug, hotplugNetwork } from './hotplug-plan.ts';
import { adoptFor, hotplugLock, requireSamePod } from './hotplug-record.ts';

/** @throws CniError 3 when there is no such interface in the journal, else as CHECK */
async function hotplugCheck(hotplug: Hotplug): Promise<void> {
  const { containerId, ifName, netns: path } = hotplug.request;
  const netns = await Netns.open(path);
  try {
    await withContainerLock(containerId, hotplugLock(hotplug), async () => {
      const found = journalOf(hotplug.config).find(containerId);
      const record = found instanceof ForeignRecord ? (await adoptFor(hotplug, found)).record : found;
      const attachment = record?.attachments.find((one) => one.ifName === ifName);
      if (record === undefined || attachment === undefined || !sameNetns(record.netns, netns.identity)) {
        throw new CniError(
          CniCode.unknownContainer,
          `Cannot CHECK interface "${ifName}" of container ${containerId}: it was not attached in namespace ${path}`,
        );
      }
      requireSamePod(record, hotplug);
      await checkAttachment(hotplug, record, attachment, netns);
    });
  } finally {
    netns.close();
  }
}

/** @returns what to answer: the result of ADD, nothing else. @throws CniError */
export async function hotplug(operation: Hotplug): Promise<string> {
  switch (operation.request.command) {
    case 'ADD':
      return hotplugAdd(operation);
    case 'DEL':
      await hotplugDel(operation);
      return '';
    case 'CHECK':
      await hotplugCheck(operation);
      return '';
    case 'STATUS':
      await networkStatus(operation, hotplugNetwork(operation.request.config));
      return '';
  }
}
