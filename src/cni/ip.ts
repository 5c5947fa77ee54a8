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

/** The same of an address with its prefix length. */
export function canonicalCidr(cidr: string): string {
  const [address = '', prefix] = cidr.split('/');
  return `${canonicalAddress(address)}/${Number(prefix)}`;
}

/** A route's destination as the kernel keeps it: canonical, host bits cleared ("10.1.2.0/24" for "10.1.2.3/24"). */
export function canonicalDestination(cidr: string): string {
  const [address = '', prefixText] = cidr.split('/');
  const isV6 = address.includes(':');
  const width = isV6 ? 128 : 32;
  const prefix = prefixText === undefined ? width : Number(prefixText);
  const kept = (toBigInt(address) >> BigInt(width - prefix)) << BigInt(width - prefix);
  return `${fromBigInt(kept, isV6)}/${prefix}`;
}

function toBigInt(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [left = '', right] = canonicalAddress(address).split('::');
  const groups = (text: string | undefined): string[] => (text === undefined || text === '' ? [] : text.split(':'));
  const head = groups(left);
  const tail = groups(right);
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...zeros, ...tail].reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n);
}

function fromBigInt(value: bigint, isV6: boolean): string {
  const part = (shift: number, mask: bigint): bigint => (value >> BigInt(shift)) & mask;
  if (!isV6) return [24, 16, 8, 0].map((shift) => part(shift, 255n)).join('.');
  const groups = [112, 96, 80, 64, 48, 32, 16, 0].map((shift) => part(shift, 65535n).toString(16));
  return canonicalAddress(groups.join(':'));
}
