/** The default routes of a running pod when an attachment comes or goes. */
import { cidrFamily, ipFamily } from '../../cni/ip.ts';
import { parseResult } from '../../cni/result.ts';
import type { Netns } from '../../node/netns.ts';
import { type FamilyRoutes, planDefaultRoutes } from '../../pod/plan.ts';
import type { JournalAttachment, JournalRecord } from '../journal-record.ts';
import { isDefaultRoute } from './default-routes.ts';
import { ensureDefaultRoutes } from './settle-routes.ts';

/**
 * The gateways that the default network brought by itself, before another one was asked to have the pod's default
 * routes. A route without gateway goes by that of the address (CNI section 5, `routes`: "gw … a default gateway").
 */
function ownRoutes(attachments: readonly JournalAttachment[], family: 4 | 6): FamilyRoutes {
  const own = attachments.find(({ isDefault }) => isDefault);
  if (own === undefined) return { family, gateways: [] };
  const { ips, routes } = parseResult(own.result, `result of network "${own.network}"`, own.cniVersion);
  const fallback = ips.find(({ address }) => cidrFamily(address) === family)?.gateway;
  const gateways = routes
    .filter((route) => isDefaultRoute(route, family))
    .flatMap(({ gw = fallback }) => (gw === undefined || ipFamily(gw) !== family ? [] : [gw]));
  return { family, gateways: [...new Set(gateways)].map((gateway) => ({ gateway, ifName: own.ifName })) };
}

const same = (a: readonly FamilyRoutes[], b: readonly FamilyRoutes[]): boolean =>
  JSON.stringify(a) === JSON.stringify(b);

/**
 * Plan the pod's default routes anew for the attachments that it is left with, and set them where that changes
 * anything. A family that nobody asks for any more gets back what its default network brought, as far as the journal
 * tells: routes that came by router advertisements or other hands are gone.
 * @param netns undefined when the pod's namespace is gone
 * @throws CniError 102 naming gateway and interface; the plan is in the record all the same
 */
export async function replanDefaultRoutes(
  record: JournalRecord,
  attachments: readonly JournalAttachment[],
  netns: Netns | undefined,
): Promise<void> {
  const before = record.defaultRoutes;
  const plan = planDefaultRoutes(attachments);
  if (same(before, plan)) return;
  record.defaultRoutes = plan;
  const given = before.filter(({ family }) => plan.every((one) => one.family !== family));
  const back = given.map(({ family }) => ownRoutes(attachments, family));
  if (netns !== undefined) await ensureDefaultRoutes(netns, [...plan, ...back]);
}
