/** Which default route of a pod counts where nobody asks for one: the default network's. */
import { CniCode, CniError } from '../../cni/errors.ts';
import type { NativeRoute } from '../../node/native.ts';
import type { Netns } from '../../node/netns.ts';
import type { FamilyRoutes } from '../../pod/plan.ts';
import type { JournalAttachment } from '../journal-record.ts';
import { METRIC_STEP, RTN_UNICAST } from './default-routes.ts';

/** A default route behind the default network's, with its new metric. */
export interface YieldedRoute {
  network: string;
  ifName: string;
  gateway: string;
  metric: number;
}

/** Router advertisements: the kernel keeps these routes up by itself, and ranks them by the routers' preference. */
const RTPROT_RA = 9;

function mayYield({ type, protocol }: NativeRoute): boolean {
  return type === RTN_UNICAST && protocol !== RTPROT_RA;
}

/**
 * Where a pod asks for no default route, the default network's comes first. IPAM plugins put theirs before those that
 * are there (IPv4), or make the kernel share traffic between both (IPv6): a network attached for its subnet alone, as
 * the examples of Multus have them with "routes": [{"dst": "0.0.0.0/0"}], would cut the pod off the cluster.
 *
 * Routes of other networks get a metric behind it, so that they are still there for who binds to their interface. When
 * the default network has no default route of a family, those of the others stay as they are.
 * @param replaced families that the plan decides
 * @throws CniError 102 naming gateway and interface
 */
export async function keepDefaultNetworkFirst(
  netns: Netns,
  attachments: readonly JournalAttachment[],
  replaced: readonly FamilyRoutes[],
): Promise<YieldedRoute[]> {
  const others = attachments.filter(({ isDefault }) => !isDefault);
  const first = attachments.find(({ isDefault }) => isDefault)?.link;
  if (first === undefined || others.length === 0) return [];
  const { routes } = await netns.snapshot();
  const yielded: YieldedRoute[] = [];
  for (const family of [4, 6] as const) {
    const all = routes.filter((route) => route.family === family && route.dst.endsWith('/0'));
    const own = all.filter(({ index }) => index === first.index).map(({ priority }) => priority);
    if (own.length === 0 || replaced.some((one) => one.family === family)) continue;
    const best = Math.min(...own);
    const taken = new Set(all.map(({ priority }) => priority));
    for (const { network, ifName, route } of routesBefore(best, all, others)) {
      const metric = freeMetric(best, taken);
      await setMetric(netns, route, ifName, metric);
      yielded.push({ network, ifName, gateway: route.gateway, metric });
    }
  }
  return yielded;
}

/** What comes before a metric, or beside it, in the order of the networks. */
function routesBefore(metric: number, routes: readonly NativeRoute[], networks: readonly JournalAttachment[]) {
  return networks.flatMap(({ network, ifName, link }) =>
    routes
      .filter((route) => route.index === link?.index && route.priority <= metric && mayYield(route))
      .map((route) => ({ network, ifName, route })),
  );
}

/** The next metric behind `best` that no default route has; takes it. */
function freeMetric(best: number, taken: Set<number>): number {
  let metric = best + METRIC_STEP;
  while (taken.has(metric)) metric += METRIC_STEP;
  taken.add(metric);
  return metric;
}

async function setMetric(netns: Netns, route: NativeRoute, ifName: string, metric: number): Promise<void> {
  try {
    await netns.setRouteMetric(route, metric);
  } catch (error) {
    throw new CniError(
      CniCode.verificationFailed,
      `Cannot put the default route via ${route.gateway || 'no gateway'} on interface "${ifName}" behind that of the default network: ${(error as Error).message}`,
      { cause: error, details: 'remove it from the "routes" of the network, or ask for it by "default-route"' },
    );
  }
}
