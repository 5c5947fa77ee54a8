/** One VF by its PCI address, without looking at the rest of the node: for ADD and DEL. */
import { closeSync } from 'node:fs';
import { CniCode, CniError } from '../cni/errors.ts';
import { type NativeLink, type NativeVfList, native } from '../node/native.ts';
import { inNetns } from './in-netns.ts';
import type { VfDevice } from './model.ts';
import { findNamespaces, type NamespaceOptions } from './namespaces.ts';
import { entriesOf, linkName, netdevsOf, pciFolder, portNameOf, SYSFS } from './pci.ts';
import { isRepresentor, isUplink } from './uplink.ts';

export interface FindOptions extends NamespaceOptions {
  /** @default '/sys' */
  sysfs?: string;
}

export interface FoundVf extends VfDevice {
  pfAddress: string;
  /** The PF's network devices in our namespace, with those of its switch; none when the PF is in another one. */
  pfNetdevs: string[];
}

const PCI_ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;

/**
 * By sysfs alone.
 * @param address "0000:01:10.0"
 * @returns undefined when it is no PCI address, or no virtual function lies there
 * @throws Error of the system when sysfs may not be read
 */
export function lookUpVf(address: string, { sysfs = SYSFS }: FindOptions = {}): FoundVf | undefined {
  const name = address.toLowerCase();
  if (!PCI_ADDRESS.test(name)) return undefined;
  const folder = pciFolder(sysfs, name);
  const pfAddress = linkName(folder, 'physfn');
  if (pfAddress === '') return undefined;
  const pfFolder = pciFolder(sysfs, pfAddress);
  const link = entriesOf(pfFolder).find((entry) => /^virtfn\d+$/.test(entry) && linkName(pfFolder, entry) === name);
  if (link === undefined) return undefined;
  const index = Number(link.slice('virtfn'.length));
  const pfNetdevs = netdevsOf(pfAddress, sysfs);
  return { index, address: name, driver: linkName(folder, 'driver'), physfn: pfAddress, pfAddress, pfNetdevs };
}

/** What a PF says of its VFs. */
export interface PfAnswer {
  link: NativeLink;
  /** Of the namespace that it is in; '' = ours. */
  netnsPath: string;
  list: NativeVfList;
  /** '' when none is bound. */
  driver: string;
  isSwitchdev: boolean;
}

/** undefined when our namespace has no network device of the PF. */
async function askHere(pfAddress: string, sysfs: string): Promise<PfAnswer | undefined> {
  const names = netdevsOf(pfAddress, sysfs);
  const own = names.filter((name) => !isRepresentor(portNameOf(pfAddress, name, sysfs)));
  const [name] = own;
  if (name === undefined) return undefined;
  const socket = native().openSocket(-1);
  try {
    const link = await native().getLink(socket, name);
    // Whoever mounted this sysfs may be in another namespace: a link of the same name is here by chance.
    if (link.parentBus === 'pci' && link.parentDevice !== pfAddress) return undefined;
    const driver = linkName(pciFolder(sysfs, pfAddress), 'driver');
    const list = await native().getVfs(socket, link.index);
    return { link, netnsPath: '', list, driver, isSwitchdev: own.length < names.length };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENODEV') return undefined; // renamed, or moved, since
    throw error;
  } finally {
    closeSync(socket);
  }
}

/** In every namespace, one after the other; those that may not be looked into have nothing to tell. */
async function askElsewhere(pfAddress: string, options: FindOptions): Promise<PfAnswer | undefined> {
  for (const found of findNamespaces(options).namespaces) {
    let hasPf = false;
    try {
      const answer = await inNetns(found, async ({ links, vfs }) => {
        const ofPf = (await links()).filter(({ parentDevice }) => parentDevice === pfAddress);
        const link = ofPf.find(isUplink);
        if (link === undefined) return undefined;
        hasPf = true;
        const driver = linkName(pciFolder(options.sysfs ?? SYSFS, pfAddress), 'driver');
        const isSwitchdev = ofPf.some(({ portName }) => isRepresentor(portName));
        return { link, netnsPath: found.isHost ? '' : found.path, list: await vfs(link.index), driver, isSwitchdev };
      });
      if (answer !== undefined) return answer;
    } catch (error) {
      if (hasPf) throw error;
    }
  }
  return undefined;
}

/**
 * Ask a PF for its VFs: in our namespace, else, which takes longer, wherever its network device is.
 * @throws CniError 102 when no namespace that can be looked into has a network device of it; the kernel's error when it
 *   cannot answer
 */
export async function askPf(pfAddress: string, options: FindOptions = {}): Promise<PfAnswer> {
  const answer = (await askHere(pfAddress, options.sysfs ?? SYSFS)) ?? (await askElsewhere(pfAddress, options));
  if (answer !== undefined) return answer;
  const driver = linkName(pciFolder(options.sysfs ?? SYSFS, pfAddress), 'driver') || 'none';
  throw new CniError(
    CniCode.verificationFailed,
    `Cannot ask physical function ${pfAddress} (driver: ${driver}) for its virtual functions: ` +
      'no network namespace that can be looked into has its network device',
  );
}
