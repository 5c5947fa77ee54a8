/** `multus sriov list`: the node's physical and virtual functions, what the kernel has of them, and who uses them. */
import { takeInventory } from '../../sriov/inventory.ts';

export interface ListOptions {
  /** Name or PCI address of the only one to be listed. */
  pf?: string;
  json?: boolean;
  output?: 'wide';
}

/** @returns what to print */
export async function list(_options: ListOptions): Promise<{ output: string; errors: string }> {
  const inventory = await takeInventory();
  const errors = inventory.problems.map((problem) => `${problem}\n`).join('');
  return { output: '', errors };
}
