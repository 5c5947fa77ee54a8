/** The default routes of a pod once a network was attached: those of the plan, else the default network's first. */
import type { Netns } from '../../node/netns.ts';
import type { FamilyRoutes } from '../../pod/plan.ts';
import type { JournalRecord } from '../journal-record.ts';
import type { Log } from '../operation.ts';
import { keepDefaultNetworkFirst } from './default-network-first.ts';
import { applyDefaultRoutes, differingDefaultRoutes } from './default-routes.ts';

/**
 * Set the default routes of a plan where they are not as planned: those that are right are not taken from a pod that runs,
 * not even for a moment.
 * @throws CniError 102 naming gateway and interface
 */
export async function ensureDefaultRoutes(netns: Netns, plan: readonly FamilyRoutes[]): Promise<void> {
  if (plan.length === 0) return;
  const snapshot = await netns.snapshot();
  const wrong = plan.filter((family) => differingDefaultRoutes(snapshot, [family]).length > 0);
  await applyDefaultRoutes(netns, wrong);
}

/** @throws CniError 102 naming gateway and interface */
export async function settleDefaultRoutes(record: JournalRecord, netns: Netns, log: Log): Promise<void> {
  await ensureDefaultRoutes(netns, record.defaultRoutes);
  for (const yielded of await keepDefaultNetworkFirst(netns, record.attachments, record.defaultRoutes)) {
    log.info(yielded, 'default route comes after that of the default network');
  }
}
