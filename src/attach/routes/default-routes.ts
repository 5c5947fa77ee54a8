/** The pod's default routes as the plan wants them: applied by netlink, looked at again, and told in the answer. */
import { CniCode, CniError } from '../../cni/errors.ts';
import { canonicalAddress } from '../../cni/ip.ts';
import type { CniResult, CniRoute } from '../../cni/result.ts';
import type { NativeRoute, NativeSnapshot } from '../../node/native.ts';
import type { Netns } from '../../node/netns.ts';
import type { FamilyRoutes } from '../../pod/plan.ts';

/** What the kernel gives a route without a metric, as the first gateway's is; further ones come after it. */
const KERNEL_METRIC = { 4: 0, 6: 1024 } as const;
/** Between the metrics of a family's default routes. */
export const METRIC_STEP = 100;

const DESTINATION = { 4: '0.0.0.0/0', 6: '::/0' } as const;

/** In order: the gateway that is listed first is the preferred one. */
function metricOf(family: 4 | 6, position: number): { priority?: number } {
  return position === 0 ? {} : { priority: KERNEL_METRIC[family] + position * METRIC_STEP };
}

/** What the kernel says of a gateway that no subnet of the interface has, of IPv4 and of IPv6. */
function isUnreachable(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENETUNREACH' || code === 'EHOSTUNREACH';
}

async function applyFamily(netns: Netns, { family, gateways }: FamilyRoutes): Promise<void> {
  const links = new Map((await netns.links()).map((link) => [link.name, link.index]));
  await netns.deleteDefaultRoutes(family);
  for (const [i, { gateway, ifName }] of gateways.entries()) {
    const index = links.get(ifName);
    if (index === undefined) {
      throw new CniError(
        CniCode.verificationFailed,
        `Cannot set default route via ${gateway}: interface "${ifName}" is not in the pod`,
      );
    }
    try {
      await netns.addRoute({ family, dst: DESTINATION[family], gateway, index, ...metricOf(family, i) });
    } catch (error) {
      throw new CniError(
        CniCode.verificationFailed,
        `Cannot set default route via ${gateway} on interface "${ifName}": ${(error as Error).message}`,
        { cause: error, details: isUnreachable(error) ? 'the gateway must be in a subnet of that interface' : '' },
      );
    }
  }
}

/** A default route that the pod has. */
export interface DefaultRoute {
  family: 4 | 6;
  /** In the kernel's canonical text, '' = none. */
  gateway: string;
  ifName: string;
}

/** Packets leave by such a route, they are not refused by it. */
export const RTN_UNICAST = 1;

/** The pod's default routes, IPv4 before IPv6, the preferred ones first. */
export function presentDefaultRoutes({ links, routes }: NativeSnapshot): DefaultRoute[] {
  const names = new Map(links.map(({ index, name }) => [index, name]));
  const isDefault = ({ dst, family, type }: NativeRoute): boolean =>
    dst === DESTINATION[family] && type === RTN_UNICAST;
  return routes
    .filter(isDefault)
    .sort((a, b) => a.family - b.family || a.priority - b.priority)
    .map(({ family, gateway, index }) => ({ family, gateway, ifName: names.get(index) ?? '' }));
}

function textOf(routes: readonly { gateway: string; ifName: string }[]): string {
  const parts = routes.map(({ gateway, ifName }) => `${canonicalAddress(gateway) || 'no gateway'} on "${ifName}"`);
  return parts.length === 0 ? 'none' : `via ${parts.join(', then ')}`;
}

/** Where the pod's default routes are not those of the plan, a line per family. */
export function differingDefaultRoutes(snapshot: NativeSnapshot, plan: readonly FamilyRoutes[]): string[] {
  const present = presentDefaultRoutes(snapshot);
  return plan.flatMap(({ family, gateways }) => {
    const wanted = textOf(gateways);
    const found = textOf(present.filter((route) => route.family === family));
    return found === wanted ? [] : [`IPv${family} default routes of the pod must be ${wanted}; found: ${found}`];
  });
}

/**
 * Replace the pod's default routes, family by family, and make sure that the kernel has them, in their order.
 * @throws CniError 102 naming gateway and interface
 */
export async function applyDefaultRoutes(netns: Netns, plan: readonly FamilyRoutes[]): Promise<void> {
  for (const family of plan) await applyFamily(netns, family);
  if (plan.length === 0) return;
  const [difference] = differingDefaultRoutes(await netns.snapshot(), plan);
  if (difference === undefined) return;
  throw new CniError(CniCode.verificationFailed, difference, {
    details: 'something else in the pod changes default routes',
  });
}

/** RT_TABLE_MAIN: routes of other tables are the plugin's own affair. */
const MAIN_TABLE = 254;

/** "::0/0" and "1.2.3.4/0" are default routes, too: the length alone says it. */
export function isDefaultRoute({ dst, table = MAIN_TABLE }: CniRoute, family: 4 | 6): boolean {
  return /\/0+$/.test(dst) && dst.includes(':') === (family === 6) && table === MAIN_TABLE;
}

/**
 * An attachment's result as it is after the route plan: without the default routes that went, with those that the plan
 * put on its own interface.
 */
export function withPlannedRoutes(result: CniResult, ifName: string, plan: readonly FamilyRoutes[]): CniResult {
  const kept = result.routes.filter((route) => !plan.some(({ family }) => isDefaultRoute(route, family)));
  const planned = plan.flatMap(({ family, gateways }) =>
    gateways.flatMap((one, i): CniRoute[] => {
      if (one.ifName !== ifName) return [];
      return [{ dst: DESTINATION[family], gw: canonicalAddress(one.gateway), ...metricOf(family, i) }];
    }),
  );
  return { ...result, routes: [...kept, ...planned] };
}
