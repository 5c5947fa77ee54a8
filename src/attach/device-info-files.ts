/**
 * The device information of attachments. Networks work without it: what goes wrong with it is told, and keeps no pod
 * from starting or ending.
 */
import { copyDeviceInfo, pluginDeviceInfoPath, readDeviceInfo, removeDeviceInfo } from '../node/device-info.ts';
import type { PlannedAttachment } from '../pod/plan.ts';
import type { Log } from './operation.ts';

function unlessItFails<T>(attachment: PlannedAttachment, log: Log, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    const { network, ifName } = attachment;
    log.warn({ network, ifName, error: (error as Error).message }, 'device information');
    return undefined;
  }
}

/** Give the attachment's plugins what the device plugin wrote of its device. @param directory `deviceInfoDir` */
export function placeDeviceInfo(attachment: PlannedAttachment, directory: string, log: Log): void {
  const { device, deviceInfoFile } = attachment;
  if (device === undefined) return;
  unlessItFails(attachment, log, () => {
    copyDeviceInfo(pluginDeviceInfoPath(directory, device.resourceName, device.id), deviceInfoFile);
  });
}

/** What is known of the attachment's device, after its plugins have run; undefined when nothing is. */
export function deviceInfoOf(attachment: PlannedAttachment, log: Log): Record<string, unknown> | undefined {
  const { deviceInfoFile } = attachment;
  return deviceInfoFile ? unlessItFails(attachment, log, () => readDeviceInfo(deviceInfoFile)) : undefined;
}

/** Remove what was placed for the attachment, or written by its plugins. */
export function dropDeviceInfo(attachment: PlannedAttachment, log: Log): void {
  const { deviceInfoFile } = attachment;
  if (!deviceInfoFile) return; // undefined in records from before there were devices
  unlessItFails(attachment, log, () => removeDeviceInfo(deviceInfoFile));
}
