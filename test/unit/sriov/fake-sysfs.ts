/** Folders of PCI devices and netdevsims, as the kernel has them, in a folder of a test. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Folder } from '../folder.ts';

const DEVICES = 'bus/pci/devices';

export function addLink(folder: Folder, name: string, target: string): void {
  mkdirSync(dirname(folder.at(name)), { recursive: true });
  symlinkSync(target, folder.at(name));
}

export interface FakePf {
  driver?: string;
  total?: number;
  /** @default as many as there are `vfs` */
  numVfs?: number;
  class?: string;
  /** Name of a network device → its phys_port_name. */
  netdevs?: Record<string, string>;
  /** Addresses, by index. */
  vfs?: string[];
}

export function addPf(folder: Folder, address: string, pf: FakePf): void {
  const { driver = 'igb', total = 7, vfs = [], netdevs = {} } = pf;
  const files = { class: pf.class ?? '0x020000', sriov_totalvfs: total, sriov_numvfs: pf.numVfs ?? vfs.length };
  const all = { ...files, sriov_offset: 128, sriov_stride: 2 };
  for (const [name, value] of Object.entries(all)) folder.write(`${DEVICES}/${address}/${name}`, `${value}\n`);
  if (driver !== '') addLink(folder, `${DEVICES}/${address}/driver`, `../../../../bus/pci/drivers/${driver}`);
  for (const [name, port] of Object.entries(netdevs)) {
    folder.write(`${DEVICES}/${address}/net/${name}/phys_port_name`, `${port}\n`);
  }
  for (const [index, vf] of vfs.entries()) addLink(folder, `${DEVICES}/${address}/virtfn${index}`, `../${vf}`);
}

/** @param driver '' for none */
export function addVf(folder: Folder, address: string, pf: string, driver = 'igbvf'): void {
  folder.write(`${DEVICES}/${address}/class`, '0x020000\n');
  addLink(folder, `${DEVICES}/${address}/physfn`, `../${pf}`);
  if (driver !== '') addLink(folder, `${DEVICES}/${address}/driver`, `../../../../bus/pci/drivers/${driver}`);
}

export function addNetdevsim(folder: Folder, name: string, numVfs: number): void {
  folder.write(`bus/netdevsim/devices/${name}/sriov_numvfs`, `${numVfs}\n`);
}
