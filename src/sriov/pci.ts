/**
 * Physical and virtual functions as sysfs has them (Documentation/ABI/testing/sysfs-bus-pci). The folders of PCI devices
 * are the same in every network namespace; only what is in their `net/` is not.
 */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { PfDevice, VfDevice } from './model.ts';

export const SYSFS = '/sys';

/** Class of network controllers: Ethernet, InfiniBand and others. */
const NETWORK_CLASS = '0x02';

/** Somebody changes the number of VFs while we look, which takes a card a second: what is there then counts. */
const MOST_WALKS = 4;

/** Devices come and go: attributes of one that goes answer ENODEV, and those that a driver does not have ENOTSUP. */
const GONE = new Set(['ENOENT', 'ENODEV', 'ENXIO', 'ENOTDIR', 'EINVAL', 'ENOTSUP']);

/** Nothing where it is not, or not any more. @throws the system's error for anything else */
function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (GONE.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Names in a folder of sysfs, none where it is not. */
export function entriesOf(...path: string[]): string[] {
  return ifThere(() => readdirSync(join(...path))) ?? [];
}

function textOf(...path: string[]): string | undefined {
  return ifThere(() => readFileSync(join(...path), 'latin1').trim());
}

/** A number that sysfs tells, in decimal. */
export function numberOf(...path: string[]): number | undefined {
  const text = textOf(...path);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Last part of where a link leads, '' where there is no link; what it leads to need not be there. */
export function linkName(...path: string[]): string {
  return basename(ifThere(() => readlinkSync(join(...path))) ?? '');
}

/** Folder of a PCI device. */
export function pciFolder(sysfs: string, address: string): string {
  return join(sysfs, 'bus/pci/devices', address);
}

function readVf(sysfs: string, pfFolder: string, index: number): VfDevice | undefined {
  const address = linkName(pfFolder, `virtfn${index}`);
  if (address === '') return undefined; // gone since the folder was read
  const folder = pciFolder(sysfs, address);
  return { index, address, driver: linkName(folder, 'driver'), physfn: linkName(folder, 'physfn') };
}

function readVfs(sysfs: string, pfFolder: string): VfDevice[] {
  return entriesOf(pfFolder)
    .flatMap((name) => /^virtfn(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
    .flatMap((index) => readVf(sysfs, pfFolder, index) ?? []);
}

/**
 * @param address of a PCI device
 * @returns undefined when it is no physical function: it is not there, or can have no VFs
 * @throws Error of the system when it may not be read
 */
export function readPf(address: string, sysfs = SYSFS): PfDevice | undefined {
  const folder = pciFolder(sysfs, address);
  for (let walks = 1; ; walks += 1) {
    const numVfs = numberOf(folder, 'sriov_numvfs');
    const totalVfs = numberOf(folder, 'sriov_totalvfs');
    if (numVfs === undefined || (totalVfs === 0 && numVfs === 0)) return undefined;
    const vfs = readVfs(sysfs, folder);
    // As many links as VFs: the number alone may be the same again after it was another one, or not be changed yet.
    const isSettled = vfs.length === numVfs && numberOf(folder, 'sriov_numvfs') === numVfs;
    if (!isSettled && walks < MOST_WALKS) continue;
    const offset = numberOf(folder, 'sriov_offset');
    const stride = numberOf(folder, 'sriov_stride');
    return { address, driver: linkName(folder, 'driver'), totalVfs, numVfs, offset, stride, vfs };
  }
}

/**
 * The PCI network controllers that can have VFs, whether or not they have any, by address.
 * @throws Error of the system when sysfs may not be read
 */
export function readPfs(sysfs = SYSFS): PfDevice[] {
  return entriesOf(sysfs, 'bus/pci/devices')
    .sort()
    .filter((address) => textOf(pciFolder(sysfs, address), 'class')?.startsWith(NETWORK_CLASS) === true)
    .flatMap((address) => readPf(address, sysfs) ?? []);
}

/**
 * Names of a device's network devices in the namespace whose sysfs it is. virtio's are one folder deeper.
 * @throws Error of the system when it may not be read
 */
export function netdevsOf(address: string, sysfs = SYSFS): string[] {
  const folder = pciFolder(sysfs, address);
  const virtio = entriesOf(folder).filter((name) => /^virtio\d+$/.test(name));
  return ['.', ...virtio].flatMap((child) => entriesOf(folder, child, 'net')).sort();
}

/** Name of the port that a network device of a PCI device is (phys_port_name), '' where its driver gives none. */
export function portNameOf(address: string, netdev: string, sysfs = SYSFS): string {
  return textOf(pciFolder(sysfs, address), 'net', netdev, 'phys_port_name') ?? '';
}

/**
 * The PCI device to which a parent on another bus belongs: virtio's network devices are children of "virtio0".
 * @param parent a link's parentDevice
 * @param bus its parentBus
 * @returns the parent itself where it is no such thing
 */
export function pciParent(parent: string, bus: string, sysfs = SYSFS): string {
  if (bus !== 'virtio') return parent;
  const target = ifThere(() => realpathSync(join(sysfs, 'bus/virtio/devices', parent)));
  return target === undefined ? parent : basename(dirname(target));
}
