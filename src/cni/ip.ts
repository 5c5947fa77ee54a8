/** IP addresses as texts: told apart, checked, and made comparable. */
import { isIP } from 'node:net';

export type IpFamily = 4 | 6;

const PREFIX = /^[0-9]{1,3}$/;
const LONGEST_PREFIX = { 4: 32, 6: 128 } as const;

/** The family of a plain address; undefined when it is none. Zones ("fe80::1%eth0") are none: Go refuses them. */
export function ipFamily(text: string): IpFamily | undefined {
  const family = text.includes('%') ? 0 : isIP(text);
  return family === 4 || family === 6 ? family : undefined;
}

/** The family of an address with its prefix length ("10.1.0.5/16"); undefined when it is none. */
export function cidrFamily(text: string): IpFamily | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const family = ipFamily(text.slice(0, slash));
  const prefix = text.slice(slash + 1);
  if (family === undefined || !PREFIX.test(prefix) || Number(prefix) > LONGEST_PREFIX[family]) return undefined;
  return family;
}

/** Canonical text, so that equal addresses are equal strings ("::1" for "0:0:0:0:0:0:0:1"). */
export function canonicalAddress(address: string): string {
  if (!address.includes(':')) return address;
  return new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1);
}
