/** Which VFs `multus sriov verify` is to look at, from its options. */
import { statSync } from 'node:fs';
import type { Selection } from '../../sriov/audit-report.ts';

export interface SelectionOptions {
  pod?: string;
  network?: string;
  netns?: string;
  ifname?: string;
  pf?: string;
  vf?: number;
  pci?: string;
  node?: boolean;
}

/** The options are at odds with each other, or their values are none. */
export class UsageError extends Error {}

const SELECTORS = ['pod', 'netns', 'pf', 'pci', 'node'] as const;

/** What narrows a selection → the selector that it goes with. */
const NARROWER = { network: 'pod', ifname: 'netns', vf: 'pf' } as const;

/** "0000:01:10.0" also for "01:10.0", as lspci(8) prints it. */
function fullAddress(text: string): string | undefined {
  const [, domain = '0000', rest] =
    /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/.exec(text.toLowerCase()) ?? [];
  return rest === undefined ? undefined : `${domain}:${rest}`;
}

function podName(text: string): string {
  const [first = '', second, ...others] = text.split('/');
  if (first === '' || second === '' || others.length > 0) {
    throw new UsageError(`option '--pod' must be [namespace/]name, got ${JSON.stringify(text)}`);
  }
  return second === undefined ? `default/${first}` : text;
}

/** @returns what is there under the path, undefined when that is no namespace */
function netnsOf(path: string): { dev: string; ino: string } | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined || stat.dev !== statSync('/proc/self/ns/net', { bigint: true }).dev) return undefined;
  return { dev: String(stat.dev), ino: String(stat.ino) };
}

/** A process's, a path, or a name in /run/netns, as ip-netns(8) takes them. */
function netnsPath(text: string): string {
  if (/^\d+$/.test(text)) return `/proc/${text}/ns/net`;
  return text.includes('/') ? text : `/run/netns/${text}`;
}

/**
 * @throws UsageError unless exactly one selector is given, with only what goes with it
 * @throws Error of the system when a namespace may not be looked at
 */
export function selectionOf(options: SelectionOptions): Selection {
  const given = SELECTORS.filter((key) => options[key] !== undefined);
  const [kind, ...others] = given;
  if (kind === undefined || others.length > 0) {
    const got = given.length === 0 ? 'none' : given.map((key) => `--${key}`).join(' and ');
    throw new UsageError(`exactly one of ${SELECTORS.map((key) => `--${key}`).join(', ')} must be given, got ${got}`);
  }
  for (const [key, selector] of Object.entries(NARROWER)) {
    if (options[key as keyof typeof NARROWER] !== undefined && kind !== selector) {
      throw new UsageError(`option '--${key}' goes with --${selector} only`);
    }
  }
  const { pod, network, netns, ifname, pf, vf, pci = '' } = options;
  if (pod !== undefined) {
    return { kind: 'pod', pod: podName(pod), ...(network === undefined ? {} : { network }) };
  }
  if (netns !== undefined) {
    const path = netnsPath(netns);
    return { kind: 'netns', path, netns: netnsOf(path), ...(ifname === undefined ? {} : { ifName: ifname }) };
  }
  if (pf !== undefined) return { kind: 'pf', pf: fullAddress(pf) ?? pf, ...(vf === undefined ? {} : { vf }) };
  if (kind === 'node') return { kind };
  const address = fullAddress(pci);
  if (address !== undefined) return { kind: 'pci', address };
  throw new UsageError(`option '--pci' must be a PCI address such as 0000:01:10.0, got ${JSON.stringify(pci)}`);
}
