/** The pod's default routes as the plan wants them: applied by netlink, looked at again, and told in the answer. */
import { CniCode, CniError } from '../cni/errors.ts';
import type { CniResult } from '../cni/result.ts';
import type { Netns } from '../node/netns.ts';
import type { FamilyRoutes } from '../pod/plan.ts';
import { canonicalAddress } from './verify.ts';

/** What the kernel gives a route without a metric, as the first gateway's is; further ones come after it. */
const KERNEL_METRIC = { 4: 0, 6: 1024 } as const;
const METRIC_STEP = 100;

async function applyFamily(netns: Netns, routes: FamilyRoutes): Promise<void> {
  const links = new Map((await netns.links()).map((link) => [link.name, link.index]));
  await netns.deleteDefaultRoutes(routes.family);
  const dst = routes.family === 4 ? '0.0.0.0/0' : '::/0';
  for (const [i, { gateway, ifName }] of routes.gateways.entries()) {
    const index = links.get(ifName);
    if (index === undefined) {
      throw new CniError(
        CniCode.verificationFailed,
        `Cannot set default route via ${gateway}: interface "${ifName}" is not in the pod`,
      );
    }
    try {
      // In order: the first gateway listed is preferred.
      await netns.addRoute({
        family: routes.family,
        dst,
        gateway,
        index,
        ...(i > 0 ? { priority: KERNEL_METRIC[routes.family] + i * METRIC_STEP } : {}),
      });
    } catch (error) {
      throw new CniError(
        CniCode.verificationFailed,
        `Cannot set default route via ${gateway} on interface "${ifName}": ${(error as Error).message}`,
        { cause: error, details: 'the gateway must be in a subnet of that interface' },
      );
    }
  }
}

function sortedText(gateways: readonly string[]): string {
  return gateways.map(canonicalAddress).sort().join(', ') || 'none';
}

/**
 * Replace the pod's default routes, family by family, and make sure that the kernel has them.
 * @throws CniError 102 naming gateway and interface
 */
export async function applyDefaultRoutes(netns: Netns, plan: readonly FamilyRoutes[]): Promise<void> {
  for (const family of plan) await applyFamily(netns, family);
  if (plan.length === 0) return;
  const { routes } = await netns.snapshot();
  for (const { family, gateways } of plan) {
    const present = routes.filter((route) => route.family === family && route.dst.endsWith('/0'));
    const found = sortedText(present.map(({ gateway }) => gateway));
    const wanted = sortedText(gateways.map(({ gateway }) => gateway));
    if (found !== wanted) {
      throw new CniError(
        CniCode.verificationFailed,
        `IPv${family} default routes of the pod must be via ${wanted}, found: ${found}`,
        { details: 'something else in the pod changes default routes' },
      );
    }
  }
}

function isDefaultRoute(dst: string, family: 4 | 6): boolean {
  return dst.endsWith('/0') && dst.includes(':') === (family === 6);
}

/** The default attachment's result without the default routes that the plan replaced. */
export function withoutReplacedRoutes(result: CniResult, plan: readonly FamilyRoutes[]): CniResult {
  const replaced = (dst: string): boolean => plan.some(({ family }) => isDefaultRoute(dst, family));
  return { ...result, routes: result.routes.filter(({ dst }) => !replaced(dst)) };
}
