/** The emulated card with SR-IOV in the QEMU guest: a PF of 7 VFs with PCI devices, drivers and network devices. */
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { must, until } from '../../lab/process.ts';

const DEVICES = '/sys/bus/pci/devices';
/** QEMU puts the first card behind the first root port. */
const PF = '0000:01:00.0';
/** The card's link needs a second; an emulated processor that shares its own with others needs more. */
const CARRIER_MS = 60_000;

/** A file in a PCI device's folder. */
export const pciFile = (address: string, name: string): string => join(DEVICES, address, name);

export const readPci = (address: string, name: string): string => readFileSync(pciFile(address, name), 'utf8').trim();

/** Name of a PCI device's link where sysfs was mounted, i.e. on the guest itself; '' when it has none there. */
export function linkOf(address: string): string {
  const folder = pciFile(address, 'net');
  return existsSync(folder) ? (readdirSync(folder)[0] ?? '') : '';
}

/** The guest's card. A test that is in no such guest ends here. */
export class Igb {
  readonly address = PF;

  /** @param numVfs VFs to have, new ones: nothing is left of what earlier tests asked of theirs */
  constructor(numVfs = 0) {
    if (process.env['MULTUS_LAB'] !== 'igb') {
      throw new Error('This wants a card with SR-IOV: run it by "npm run lab -- igb".');
    }
    this.setNumVfs(0);
    if (numVfs > 0) this.setNumVfs(numVfs);
  }

  /** From 0 only, EBUSY from another number; ERANGE above 7. The VFs' links are there when it returns. */
  setNumVfs(count: number): void {
    writeFileSync(pciFile(PF, 'sriov_numvfs'), String(count));
  }

  /** Name of the PF's link, '' when it is in another namespace. */
  get link(): string {
    return linkOf(PF);
  }

  /** PCI address of a VF. */
  vf(index: number): string {
    return basename(readlinkSync(pciFile(PF, `virtfn${index}`)));
  }

  /** Up, and its own link too: before, it refuses rates. */
  async up(): Promise<void> {
    await must('ip', 'link', 'set', this.link, 'up');
    const carrier = `/sys/class/net/${this.link}/carrier`;
    await until(`${this.link} has a carrier`, () => readFileSync(carrier, 'utf8').trim() === '1', CARRIER_MS);
  }

  /** Back to what the guest started with. */
  async reset(): Promise<void> {
    this.setNumVfs(0);
    await must('ip', 'link', 'set', this.link, 'down');
  }
}
