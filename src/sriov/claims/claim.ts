/** What is common to all who say something of a VF. */
import type { ClaimSource, VfClaim } from '../model.ts';

/** What was found, and what could not be used: each problem names the file and what is wrong with it. */
export interface Claims {
  claims: VfClaim[];
  problems: string[];
}

/** A claim with what its source knows; all else is unknown. */
export function claimOf(source: ClaimSource, origin: string, known: Partial<VfClaim>): VfClaim {
  const nothing = { address: '', pf: '', vf: undefined, containerId: '', pod: '', network: '', ifName: '' };
  const noState = { netnsPath: '', netns: undefined, settings: undefined, original: undefined, isEnded: false };
  return { source, origin, ...nothing, ...noState, ...known };
}

const PCI_ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i;

/** "0000:01:10.0" as the kernel writes it; '' for what is none: device plugins have other IDs, too. */
export function pciAddress(value: unknown): string {
  return typeof value === 'string' && PCI_ADDRESS.test(value) ? value.toLowerCase() : '';
}

/** Put the claims and problems of several sources together. */
export function joined(parts: readonly Claims[]): Claims {
  return { claims: parts.flatMap(({ claims }) => claims), problems: parts.flatMap(({ problems }) => problems) };
}
