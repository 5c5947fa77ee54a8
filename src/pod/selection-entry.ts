/** One entry of an annotation's JSON form, with every field of the specification (NPWG 1.3, section 4.1.2.1). */
import { canonicalAddress, cidrFamily, ipFamily } from '../cni/ip.ts';
import { checkIfName } from '../cni/names.ts';
import { describe, kindOf, show } from '../cni/quote.ts';
import { RawObject, type RawValue } from '../cni/raw-json.ts';
import {
  type Bandwidth,
  checkReference,
  type NetworkSelection,
  type PortMapping,
  refuseSelection,
  type SelectionContext,
  type SelectionRequests,
} from './selection.ts';

/** Reads the fields of one JSON object, and refuses wrong values by field name. */
class EntryReader {
  private readonly entry: RawObject;
  private readonly context: SelectionContext;
  private readonly where: string;

  /** @param where names the object, e.g. "entry 1" */
  constructor(entry: RawObject, where: string, context: SelectionContext) {
    this.entry = entry;
    this.context = context;
    this.where = where;
  }

  /** Fields as spelled that are none of `known`, which are in lower case. */
  unknown(known: ReadonlySet<string>): string[] {
    return this.entry.keys().filter((key) => !known.has(key.toLowerCase()));
  }

  /** undefined when absent or null. */
  get(field: string): unknown {
    return this.entry.value(field) ?? undefined;
  }

  label(field: string): string {
    return `field "${field}" of ${this.where}`;
  }

  fail(field: string, problem: string) {
    return refuseSelection(this.context, `${this.label(field)} ${problem}`);
  }

  string(field: string): string {
    const value = this.get(field) ?? '';
    if (typeof value !== 'string') throw this.fail(field, `must be a string, got ${show(value)}`);
    return value;
  }

  strings(field: string): string[] | undefined {
    const value = this.get(field);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
      throw this.fail(field, `must be a list of strings, got ${show(value)}`);
    }
    return value as string[];
  }

  /** A whole number from `min` to `max`; undefined when absent. */
  number(field: string, min: number, max: number): number | undefined {
    const value = this.get(field);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw this.fail(field, `must be a whole number from ${min} to ${max}, got ${show(value)}`);
    }
    return value;
  }

  object(field: string): RawObject | undefined {
    const value = this.get(field);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) {
      throw this.fail(field, `must be an object, got ${kindOf(value)}`);
    }
    return this.entry.object(field, `${this.label(field)} of ${this.context.origin}`);
  }

  child(field: string): EntryReader | undefined {
    const object = this.object(field);
    return object === undefined ? undefined : new EntryReader(object, `"${field}" of ${this.where}`, this.context);
  }

  children(field: string): EntryReader[] | undefined {
    const value = this.get(field);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw this.fail(field, `must be a list of objects, got ${show(value)}`);
    return (this.entry.array(field) ?? []).map((raw, i) => {
      const where = `"${field}[${i}]" of ${this.where}`;
      if (!raw.startsWith('{')) throw this.fail(`${field}[${i}]`, `must be an object, got ${show(JSON.parse(raw))}`);
      return new EntryReader(RawObject.parse(raw, `${where} of ${this.context.origin}`), where, this.context);
    });
  }
}

function ipsOf(entry: EntryReader): string[] {
  const ips = entry.strings('ips');
  // What the TKE fork parses, and never used.
  const single = entry.string('ipRequest');
  if (ips === undefined) {
    if (single !== '' && !isAddressOrCidr(single)) {
      throw entry.fail('ipRequest', `must be an IP address or CIDR, got ${show(single)}`);
    }
    return single === '' ? [] : [single];
  }
  if (ips.length === 0) throw entry.fail('ips', 'must have at least one address; remove the empty list');
  const bad = ips.find((ip) => !isAddressOrCidr(ip));
  if (bad !== undefined) throw entry.fail('ips', `must be IP addresses or CIDRs, got ${show(bad)}`);
  return ips;
}

function isAddressOrCidr(text: string): boolean {
  return (ipFamily(text) ?? cidrFamily(text)) !== undefined;
}

/** @returns lower-case octets separated by ":", '' when absent */
function octets(entry: EntryReader, field: string, count: number, example: string): string {
  const value = entry.string(field);
  const text = value.toLowerCase().replaceAll('-', ':');
  if (text !== '' && !new RegExp(`^([0-9a-f]{2}:){${count - 1}}[0-9a-f]{2}$`).test(text)) {
    const words = { 6: 'six', 8: 'eight' }[count];
    throw entry.fail(field, `must be ${words} octets such as "${example}", got ${show(value)}`);
  }
  return text;
}

function macOf(entry: EntryReader): string {
  const example = '02:00:00:00:00:01';
  return octets(entry, 'mac', 6, example) || octets(entry, 'macRequest', 6, example);
}

/** `interfaceRequest` is the old name of the field. */
function ifNameOf(entry: EntryReader, { origin }: SelectionContext): string {
  const field = entry.string('interface') === '' ? 'interfaceRequest' : 'interface';
  const ifName = entry.string(field);
  return ifName === '' ? '' : checkIfName(ifName, `${entry.label(field)} of ${origin}`);
}

/** No gateway, for the kernel. */
const UNSPECIFIED = ['0.0.0.0', '::'];

/** NPWG section 4.1.2.1.9; `gateway` is what Multus called it in its first versions. */
function defaultRouteOf(entry: EntryReader): string[] | undefined {
  const field = entry.get('default-route') === undefined ? 'gateway' : 'default-route';
  const gateways = entry.strings(field);
  const seen = new Set<string>();
  for (const gateway of gateways ?? []) {
    const address = ipFamily(gateway) === undefined ? '' : canonicalAddress(gateway);
    if (address === '' || UNSPECIFIED.includes(address)) {
      throw entry.fail(field, `must be a list of gateway addresses, got ${show(gateway)}`);
    }
    if (seen.has(address)) throw entry.fail(field, `has gateway ${show(gateway)} twice`);
    seen.add(address);
  }
  return gateways;
}

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;

function portMappingOf(entry: EntryReader): PortMapping {
  const port = (field: string): number => {
    const value = entry.number(field, 1, 65535);
    if (value === undefined) throw entry.fail(field, 'is missing; it must be a whole number from 1 to 65535');
    return value;
  };
  const word = entry.string('protocol') || 'tcp';
  const protocol = PROTOCOLS.find((one) => one === word.toLowerCase());
  if (protocol === undefined) throw entry.fail('protocol', `must be TCP, UDP or SCTP, got ${show(word)}`);
  const hostIP = entry.string('hostIP');
  if (hostIP !== '' && ipFamily(hostIP) === undefined) {
    throw entry.fail('hostIP', `must be an IP address, got ${show(hostIP)}`);
  }
  const ports = { hostPort: port('hostPort'), containerPort: port('containerPort'), protocol };
  return hostIP === '' ? ports : { ...ports, hostIP };
}

function portMappingsOf(entry: EntryReader): PortMapping[] {
  const mappings = entry.children('portMappings')?.map(portMappingOf) ?? [];
  const seen = new Set<string>();
  for (const { hostPort, protocol, hostIP } of mappings) {
    const key = `${hostIP ?? ''} ${hostPort}/${protocol}`;
    if (seen.has(key)) throw entry.fail('portMappings', `maps host port ${key.trim()} twice`);
    seen.add(key);
  }
  return mappings;
}

const LARGEST_BURST = 2 ** 32 - 1;

/** Bits that pass at once where only a rate is given: a tenth of a second's, and never less than a few large packets. */
function defaultBurst(rate: number): number {
  return Math.min(Math.max(Math.round(rate / 10), 1_000_000), LARGEST_BURST);
}

function bandwidthOf(entry: EntryReader): Bandwidth | undefined {
  const limits = entry.child('bandwidth');
  if (limits === undefined) return undefined;
  const direction = (name: 'ingress' | 'egress'): Bandwidth => {
    const rate = limits.number(`${name}Rate`, 1, Number.MAX_SAFE_INTEGER);
    const burst = limits.number(`${name}Burst`, 1, LARGEST_BURST);
    if (rate === undefined && burst !== undefined) {
      throw limits.fail(`${name}Burst`, `needs "${name}Rate" beside it`);
    }
    return rate === undefined ? {} : { [`${name}Rate`]: rate, [`${name}Burst`]: burst ?? defaultBurst(rate) };
  };
  const bandwidth = { ...direction('ingress'), ...direction('egress') };
  if (Object.keys(bandwidth).length > 0) return bandwidth;
  throw entry.fail('bandwidth', 'has no rate; give "ingressRate" or "egressRate" in bits per second, or remove it');
}

function ipamClaimOf(entry: EntryReader, ips: readonly string[]): string {
  const claim = entry.string('ipam-claim-reference');
  if (claim === '') return '';
  if (ips.length > 0) {
    throw entry.fail('ipam-claim-reference', 'cannot stand beside "ips": the claim has the addresses; remove one');
  }
  if (claim.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(claim)) return claim;
  throw entry.fail('ipam-claim-reference', `must be the name of an IPAMClaim, got ${show(claim)}`);
}

function cniArgsOf(entry: EntryReader): Record<string, RawValue> | undefined {
  return entry.object('cni-args')?.entries();
}

const KNOWN_FIELDS = new Set([
  ...['name', 'namespace', 'interface', 'interfacerequest', 'ips', 'iprequest', 'mac', 'macrequest', 'infiniband-guid'],
  ...['portmappings', 'bandwidth', 'deviceid', 'cni-args', 'default-route', 'gateway', 'ipam-claim-reference'],
]);

/** @throws CniError 6 or 7 naming entry, field and value */
export function parseJsonEntry(text: string, position: number, context: SelectionContext): NetworkSelection {
  const where = `entry ${position}`;
  if (!text.startsWith('{')) {
    throw refuseSelection(context, `${where} must be an object with a "name", got ${describe(JSON.parse(text))}`);
  }
  const entry = new EntryReader(RawObject.parse(text, `${where} of ${context.origin}`), where, context);
  const name = entry.string('name');
  if (name === '') throw entry.fail('name', 'must be the name of a network, it is missing');
  const reference = { namespace: entry.string('namespace'), name };
  const labels = { namespace: entry.label('namespace'), name: entry.label('name') };
  const ips = ipsOf(entry);
  return {
    ...checkReference(context, reference, labels),
    ifName: ifNameOf(entry, context),
    ips,
    mac: macOf(entry),
    infinibandGuid: octets(entry, 'infiniband-guid', 8, 'c2:11:22:33:44:55:66:77'),
    portMappings: portMappingsOf(entry),
    bandwidth: bandwidthOf(entry),
    deviceId: entry.string('deviceID'),
    ipamClaim: ipamClaimOf(entry, ips),
    cniArgs: cniArgsOf(entry),
    defaultRoute: defaultRouteOf(entry),
    unknownFields: entry.unknown(KNOWN_FIELDS),
  };
}

/** What whoever plugs a network into a running pod asks for beside the pod's annotation. */
export type InterfaceAttributes = Pick<SelectionRequests, 'ips' | 'mac' | 'cniArgs'>;

/**
 * `interfaceAttributes` of a hot-plug request: three fields of an annotation's entry, which empty lists and texts do not ask
 * for. Unknown fields are ignored.
 * @throws CniError 7 naming field and value
 */
export function parseInterfaceAttributes(attributes: RawObject): InterfaceAttributes {
  const context: SelectionContext = { origin: 'the request', namespace: undefined };
  const entry = new EntryReader(attributes, '"interfaceAttributes"', context);
  const ips = entry.strings('ips')?.length === 0 ? [] : ipsOf(entry);
  return { ips, mac: macOf(entry), cniArgs: cniArgsOf(entry) };
}
