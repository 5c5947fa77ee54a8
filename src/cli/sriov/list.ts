/** `multus sriov list`: the node's physical and virtual functions, what the kernel has of them, and who uses them. */

import { type InventoryOptions, takeInventory } from '../../sriov/inventory.ts';
import type { Inventory, PfState } from '../../sriov/model.ts';
import { SYSFS } from '../../sriov/pci.ts';
import { listJson } from './list-json.ts';
import { listTables, type UserOf } from './list-table.ts';

export interface ListOptions {
  /** Name or PCI address of the only one to be listed. */
  pf?: string;
  json?: boolean;
  output?: 'wide';
  cniDir: string;
}

/** What cannot be shown in the tables. */
function remarks({ name, problem, list }: PfState): string[] {
  if (problem !== '') return [`${name}: cannot ask for its VFs: ${problem}`];
  if (list?.queryable === false) return [`${name}: its driver reports no settings of VFs`];
  return list?.truncated === true ? [`${name}: the kernel cut the list of its VFs off (too many)`] : [];
}

function isCalled(name: string, { name: pfName, device, place }: PfState): boolean {
  return [pfName, device?.address, ...(place?.link.altNames ?? [])].includes(name);
}

/** @throws Error when there is no such PF */
function select(inventory: Inventory, name: string | undefined): Inventory {
  if (name === undefined) return inventory;
  const pfs = inventory.pfs.filter((pf) => isCalled(name, pf));
  if (pfs.length > 0) return { ...inventory, pfs };
  const there = inventory.pfs.map((pf) => `${pf.name} (${pf.device?.address})`).join(', ') || 'none';
  throw new Error(`There is no physical function ${name} on this node; there are: ${there}`);
}

function nothing(sysfs: string): string {
  const where = `${sysfs}/bus/pci/devices (network controllers with sriov_totalvfs), ${sysfs}/bus/netdevsim/devices`;
  return `No physical function on this node: looked in ${where}`;
}

/**
 * @returns what to print, and what to tell beside it
 * @throws Error when --pf names none
 */
export async function list(
  options: ListOptions,
  inventoryOptions: InventoryOptions = {},
): Promise<{ output: string; errors: string }> {
  const inventory = select(await takeInventory(inventoryOptions), options.pf);
  const { pfs } = inventory;
  const userOf: UserOf = () => undefined;
  const lines = [...inventory.problems, ...pfs.flatMap(remarks)];
  if (pfs.length === 0) lines.push(nothing(inventoryOptions.sysfs ?? SYSFS));
  const errors = lines.map((line) => `${line}\n`).join('');
  if (options.json === true) return { output: listJson(inventory, userOf), errors };
  return { output: pfs.length === 0 ? '' : listTables(inventory, userOf, options.output === 'wide'), errors };
}
