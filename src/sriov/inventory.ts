/** The node's SR-IOV devices at one moment: sysfs and every network namespace, joined. */
import { hostname, release } from 'node:os';
import type { Inventory } from './model.ts';
import { findNamespaces, type NamespaceOptions } from './namespaces.ts';

export interface InventoryOptions extends NamespaceOptions {
  /** @default '/sys' */
  sysfs?: string;
  /** @default the system's */
  hostname?: string;
  /** @default the running kernel's */
  kernel?: string;
}

export async function takeInventory(options: InventoryOptions = {}): Promise<Inventory> {
  const { problems } = findNamespaces(options);
  return {
    hostname: options.hostname ?? hostname(),
    kernel: options.kernel ?? release(),
    pfs: [],
    namespaces: [],
    problems,
  };
}
