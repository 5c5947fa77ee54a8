/** Who has a VF: the claims that name it, and those of them that are in force. */
import type { Inventory, LiveNetns, PfState, PlacedLink, VfClaim, VfState } from './model.ts';

/** In rising order of authority, as ClaimSource lists them. */
const AUTHORITY = ['pci-file', 'sriov-cache', 'journal', 'definition', 'conf', 'expect'];

/** By authority; those of one source stay in their order. */
function ranked(claims: readonly VfClaim[]): VfClaim[] {
  return [...claims].sort((a, b) => AUTHORITY.indexOf(a.source) - AUTHORITY.indexOf(b.source));
}

/** --conf and --expect say how a VF is to be, not who has it. */
export function saysWhoHasIt({ source }: VfClaim): boolean {
  return source !== 'conf' && source !== 'expect';
}

/** It names no VF: it is said of all that are selected. */
export function isForAll(claim: VfClaim): boolean {
  return !saysWhoHasIt(claim) && claim.address === '';
}

/** Is this what the PF is called: its interface's name, another name of it, its PCI address? */
export function isNameOfPf(name: string, { name: pfName, device, place }: PfState): boolean {
  return name === pfName || name === device?.address || (place?.link.altNames.includes(name) ?? false);
}

/** By PCI address; where the claim or the bus has none, by PF and index; an old plugin's, by what it made in the pod. */
function names({ address, pf: pfName, vf: index, netns, ifName }: VfClaim, pf: PfState, vf: VfState): boolean {
  if (address !== '' && vf.device !== undefined) return address === vf.device.address;
  if (index !== undefined) return index === vf.index && isNameOfPf(pfName, pf);
  if (address !== '' || netns === undefined || ifName === '') return false;
  return vf.places.some((place) => isSameNetns(place.netns, netns) && place.link.name === ifName);
}

/** The claims on one VF, in rising order of authority. */
export function claimsOn(pf: PfState, vf: VfState, claims: readonly VfClaim[]): VfClaim[] {
  return ranked(claims.filter((claim) => isForAll(claim) || names(claim, pf, vf)));
}

/** Does some PF have the VF that the claim names? */
export function hasVf(claim: VfClaim, { pfs }: Inventory): boolean {
  return isForAll(claim) || pfs.some((pf) => pf.vfs.some((vf) => names(claim, pf, vf)));
}

export function isSameNetns(a: { dev: string; ino: string }, b: { dev: string; ino: string }): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Where a VF is that no container has: the host's namespace, or that of a PF that was moved with its VFs. */
export function isHome({ netns }: PlacedLink, pf: PfState): boolean {
  return netns.isHost || (pf.place !== undefined && isSameNetns(netns, pf.place.netns));
}

/** Is a file of sriov-cni all that says so, and the VF is somewhere else? */
function isRefuted(claim: VfClaim, vf: VfState, all: readonly VfClaim[]): boolean {
  const { netns } = claim;
  if (claim.source !== 'pci-file' || netns === undefined || vf.places.length === 0) return false;
  if (all.some(({ source }) => source === 'sriov-cache')) return false;
  return !vf.places.some((place) => isSameNetns(place.netns, netns));
}

/**
 * Does its container still have the VF? By its namespace, which `netns` has when it lives (see `locateClaims`). Where the
 * source knows none (sriov-cni's caches), by what others say of the same VF, and at last by where the VF is.
 */
function isInForce(claim: VfClaim, pf: PfState, vf: VfState, all: readonly VfClaim[]): boolean {
  if (claim.isEnded || !saysWhoHasIt(claim) || isRefuted(claim, vf, all)) return false;
  if (claim.netns !== undefined) return true;
  if (claim.netnsPath !== '') return false;
  const others = all.filter((other) => other !== claim && other.netnsPath !== '');
  const own = others.filter((other) => claim.containerId !== '' && other.containerId === claim.containerId);
  const said = own.length > 0 ? own : others.filter((other) => other.source === 'pci-file');
  if (said.length > 0) return said.some((other) => !other.isEnded && other.netns !== undefined);
  return vf.places.some((place) => !isHome(place, pf));
}

/** Those of the claims on a VF by which a living container has it. */
export function holdersOf(pf: PfState, vf: VfState, claims: readonly VfClaim[]): VfClaim[] {
  return claims.filter((claim) => isInForce(claim, pf, vf, claims));
}

/** The namespace in which the VF is to be, by the last who knows one. */
export function expectedNetns(
  holders: readonly VfClaim[],
  { namespaces }: Inventory,
): { netns: LiveNetns | undefined; path: string } | undefined {
  const claim = holders.findLast(({ netns }) => netns !== undefined);
  if (claim?.netns === undefined) return undefined;
  const { netns: identity, netnsPath: path } = claim;
  return { netns: namespaces.find(({ netns }) => isSameNetns(netns, identity))?.netns, path };
}

/** The last word on something that claims may leave open. */
export function lastKnown(claims: readonly VfClaim[], key: 'ifName' | 'pod' | 'network' | 'containerId'): string {
  return claims.findLast((claim) => claim[key] !== '')?.[key] ?? '';
}

/** "sriov-cache /var/lib/cni/sriov/...", "journal /var/lib/cni/multus/...", "--expect". */
export function sourceOf({ source, origin }: VfClaim): string {
  return origin.startsWith('/') ? `${source} ${origin}` : origin || source;
}
