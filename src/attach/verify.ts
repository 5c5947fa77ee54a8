/** Verify, then believe: what a delegate says it did against what the kernel has (pure comparison). */
import { canonicalAddress, canonicalCidr, canonicalDestination } from '../cni/ip.ts';
import { podInterfaceIndex } from '../cni/pod-interface.ts';
import type { CniResult } from '../cni/result.ts';
import type { NativeLink, NativeSnapshot } from '../node/native.ts';
import type { VerifyFact } from '../pod/multus-config.ts';

/** A fact that is not as claimed. `message` says what was expected and what was found. */
export interface Discrepancy {
  fact: VerifyFact;
  message: string;
}

/** What the delegate claims of the pod's side, and what was asked of it. */
export interface Claim {
  /** The name that the interface must have. */
  ifName: string;
  result: CniResult;
  requestedMac: string;
  requestedIps: readonly string[];
}

function compareAddresses(claim: Claim, link: NativeLink, snapshot: NativeSnapshot): Discrepancy[] {
  const { result, ifName } = claim;
  const pod = podInterfaceIndex(result, ifName);
  const present = snapshot.addresses
    .filter(({ index }) => index === link.index)
    .map(({ address, prefixLength }) => `${canonicalAddress(address)}/${prefixLength}`);
  const claimed = result.ips
    .filter((ip) => ip.interface === undefined || ip.interface === pod)
    .map((ip) => canonicalCidr(ip.address));
  const missing = claimed.filter((address) => !present.includes(address));
  const unmet = claim.requestedIps.filter((ip) => {
    const bare = canonicalAddress(ip.split('/')[0] ?? '');
    return !present.some((address) =>
      ip.includes('/') ? address === canonicalCidr(ip) : address.startsWith(`${bare}/`),
    );
  });
  const found = present.length > 0 ? present.join(', ') : 'no address';
  return [
    ...missing.map((address) => `interface "${ifName}" must have address ${address} as reported, it has ${found}`),
    ...unmet.map((address) => `interface "${ifName}" must have the requested address ${address}, it has ${found}`),
  ].map((message) => ({ fact: 'addresses' as const, message }));
}

function compareRoutes(claim: Claim, snapshot: NativeSnapshot): Discrepancy[] {
  return claim.result.routes.flatMap((route) => {
    const dst = canonicalDestination(route.dst);
    const gateway = route.gw === undefined ? undefined : canonicalAddress(route.gw);
    // Other tables are the plugin's own affair; the snapshot has the main one.
    if (route.table !== undefined && route.table !== 254) return [];
    const same = snapshot.routes.filter((present) => canonicalDestination(present.dst) === dst);
    if (same.some((present) => gateway === undefined || canonicalAddress(present.gateway) === gateway)) return [];
    const found = same.map((present) => `via ${present.gateway || 'no gateway'}`).join(', ') || 'none';
    const message = `route ${dst}${gateway === undefined ? '' : ` via ${gateway}`} must be there as reported, found: ${found}`;
    return [{ fact: 'routes' as const, message }];
  });
}

function compareLink(claim: Claim, link: NativeLink): Discrepancy[] {
  const reported = claim.result.interfaces[podInterfaceIndex(claim.result, claim.ifName)];
  const discrepancies: Discrepancy[] = [];
  const reportedMac = reported?.mac?.toLowerCase() ?? '';
  if (reportedMac !== '' && reportedMac !== link.mac) {
    const message = `interface "${link.name}" must have MAC ${reportedMac} as reported, it has ${link.mac || 'none'}`;
    discrepancies.push({ fact: 'mac', message });
  }
  if (claim.requestedMac !== '' && claim.requestedMac !== link.mac) {
    const message = `interface "${link.name}" must have the requested MAC ${claim.requestedMac}, it has ${link.mac || 'none'}`;
    discrepancies.push({ fact: 'mac', message });
  }
  if (reported?.mtu !== undefined && reported.mtu !== 0 && reported.mtu !== link.mtu) {
    const message = `interface "${link.name}" must have MTU ${reported.mtu} as reported, it has ${link.mtu}`;
    discrepancies.push({ fact: 'mtu', message });
  }
  return discrepancies;
}

/** Everything claimed of an interface that exists under its requested name. */
export function compareClaim(claim: Claim, link: NativeLink, snapshot: NativeSnapshot): Discrepancy[] {
  return [...compareLink(claim, link), ...compareAddresses(claim, link, snapshot), ...compareRoutes(claim, snapshot)];
}
