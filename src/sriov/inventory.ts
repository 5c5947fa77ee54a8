/** The node's SR-IOV devices at one moment: what sysfs and every network namespace have of them. */
import { hostname, release } from 'node:os';
import { systemReason } from '../node/system-reason.ts';
import { joinDevices } from './join.ts';
import type { Inventory, PfDevice } from './model.ts';
import { findNamespaces, type NamespaceOptions } from './namespaces.ts';
import { readSimulatedPfs } from './netdevsim.ts';
import { readPfs, SYSFS } from './pci.ts';
import { surveyNamespaces } from './survey.ts';

export interface InventoryOptions extends NamespaceOptions {
  /** @default '/sys' */
  sysfs?: string;
  /** @default the system's */
  hostname?: string;
  /** @default the running kernel's */
  kernel?: string;
}

function readDevices(sysfs: string, problems: string[]): PfDevice[] {
  return [readPfs, readSimulatedPfs].flatMap((read) => {
    try {
      return read(sysfs);
    } catch (error) {
      problems.push(`Cannot look for devices in ${sysfs}: ${systemReason(error)}`);
      return [];
    }
  });
}

/**
 * Look at the whole node: its PFs, also those that have no VFs at present (but of netdevsims those that have), and all
 * network namespaces, each of which is asked once. Changes nothing.
 * @returns what could be seen; `problems` say what could not
 * @throws Error of the system when there is no /proc
 */
export async function takeInventory(options: InventoryOptions = {}): Promise<Inventory> {
  const { sysfs = SYSFS } = options;
  const problems: string[] = [];
  const devices = readDevices(sysfs, problems);
  const found = findNamespaces(options);
  const { surveys, problems: unseen } = await surveyNamespaces(found.namespaces, devices, sysfs);
  return {
    hostname: options.hostname ?? hostname(),
    kernel: options.kernel ?? release(),
    pfs: joinDevices(devices, surveys),
    namespaces: surveys.map(({ netns, links }) => ({ netns, links })),
    problems: [...problems, ...found.problems, ...unseen],
  };
}
