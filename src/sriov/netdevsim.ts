/** The kernel's simulated network devices (netdevsim): VFs that netlink knows, without devices of their own. */
import { join } from 'node:path';
import type { PfDevice } from './model.ts';
import { entriesOf, linkName, numberOf, SYSFS } from './pci.ts';

/**
 * Those that have VFs: any of them could.
 * @throws Error of the system when sysfs may not be read
 */
export function readSimulatedPfs(sysfs = SYSFS): PfDevice[] {
  const devices = join(sysfs, 'bus/netdevsim/devices');
  return entriesOf(devices)
    .sort()
    .map((address) => ({
      address,
      driver: linkName(devices, address, 'driver') || 'netdevsim',
      totalVfs: undefined,
      numVfs: numberOf(devices, address, 'sriov_numvfs') ?? 0,
      offset: undefined,
      stride: undefined,
      vfs: [],
    }))
    .filter(({ numVfs }) => numVfs > 0);
}
