/** `multus sriov list`: the node's physical and virtual functions, what the kernel has of them, and who uses them. */
import { quote } from '../../cni/quote.ts';
import type { Claims } from '../../sriov/claims/claim.ts';
import { claimsOn, holdersOf, isNameOfPf } from '../../sriov/claims-of.ts';
import { type InventoryOptions, takeInventory } from '../../sriov/inventory.ts';
import { locateClaims } from '../../sriov/locate-claims.ts';
import type { Inventory, PfState } from '../../sriov/model.ts';
import { SYSFS } from '../../sriov/pci.ts';
import { collectUses } from './claims.ts';
import { listJson } from './list-json.ts';
import { type HoldersOf, listTables } from './list-table.ts';

export interface ListOptions {
  /** Name or PCI address of the only one to be listed. */
  pf?: string;
  /** @default 'table' */
  output?: 'table' | 'wide' | 'json';
  cniDir: string;
  /** sriov-cni's folder. */
  sriovDir?: string;
}

/** The kernel's answers are worth seeing without the names of the pods. */
async function usesOrProblem(options: ListOptions): Promise<Claims> {
  try {
    return await collectUses(options);
  } catch (error) {
    return { claims: [], problems: [(error as Error).message] };
  }
}

/** What the table of VFs cannot show. */
function remarks({ name, problem, list }: PfState): string[] {
  if (problem !== '') return [`PF ${name} cannot be asked for its VFs: ${problem}`];
  if (list?.queryable === false) return [`PF ${name}: its driver reports nothing of its VFs`];
  return list?.truncated === true ? [`PF ${name}: the kernel's list of its VFs is cut off, they are too many`] : [];
}

/** @throws Error when there is no such PF */
function select(inventory: Inventory, name: string | undefined): Inventory {
  if (name === undefined) return inventory;
  const pfs = inventory.pfs.filter((pf) => isNameOfPf(name, pf));
  if (pfs.length > 0) return { ...inventory, pfs };
  const there = inventory.pfs.map((pf) => `${pf.name} (${pf.device?.address})`).join(', ') || 'none';
  throw new Error(`Cannot list PF ${quote(name)}: this node has no such physical function; it has: ${there}`);
}

function nothing(sysfs: string): string {
  const where = `${sysfs}/bus/pci/devices (network controllers with sriov_totalvfs) and ${sysfs}/bus/netdevsim/devices`;
  return `This node has no physical function that can have VFs: looked in ${where}.`;
}

/**
 * @returns what to print, and what to tell beside it: what could not be looked at
 * @throws Error when --pf names none
 */
export async function list(
  options: ListOptions,
  where: InventoryOptions = {},
): Promise<{ output: string; errors: string }> {
  const uses = await usesOrProblem(options);
  const inventory = select(await takeInventory(where), options.pf);
  const problems = [...inventory.problems, ...uses.problems];
  const claims = locateClaims(uses.claims, inventory, problems);
  const holders: HoldersOf = (pf, vf) => holdersOf(pf, vf, claimsOn(pf, vf, claims));
  const lines = [...problems, ...inventory.pfs.flatMap(remarks)];
  if (inventory.pfs.length === 0) lines.push(nothing(where.sysfs ?? SYSFS));
  const errors = lines.map((line) => `${line}\n`).join('');
  if (options.output === 'json') return { output: listJson(inventory, holders, problems), errors };
  const isEmpty = inventory.pfs.length === 0;
  return { output: isEmpty ? '' : listTables(inventory, holders, options.output === 'wide'), errors };
}
