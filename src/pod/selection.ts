/**
 * Which networks a pod asks for: the value of `k8s.v1.cni.cncf.io/networks`
 * (Network Custom Resource Definition De-facto Standard 1.3, section 4.1.2), in its short and its JSON form.
 */
import { CniCode, CniError } from '../cni/errors.ts';
import { cidrFamily, ipFamily } from '../cni/ip.ts';
import { scanDocument, scanElements } from '../cni/json-scan.ts';
import { checkIfName } from '../cni/names.ts';
import { RawObject } from '../cni/raw-json.ts';

/** Annotation that lists a pod's additional networks. */
export const NETWORKS_ANNOTATION = 'k8s.v1.cni.cncf.io/networks';

/** More entries are refused: the annotation is written by any pod author. */
const MAX_SELECTIONS = 64;

/** One requested attachment. */
export interface NetworkSelection {
  namespace: string;
  name: string;
  /** '' = let us choose. */
  ifName: string;
  /** IP addresses or CIDRs, as written. */
  ips: string[];
  /** Lower-case, '' = none requested. */
  mac: string;
  /** Merged into the delegate's args.cni. */
  cniArgs: Record<string, unknown> | undefined;
  /** Gateways; undefined = not set, [] = this pod gets no default route. */
  defaultRoute: string[] | undefined;
}

/** Where errors say the value came from, e.g. `annotation k8s.v1.cni.cncf.io/networks of pod default/web`. */
type Origin = string;

function refuse(origin: Origin, problem: string): CniError {
  return new CniError(CniCode.invalidConfig, `Cannot use ${origin}: ${problem}`);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** RFC 1123 label or subdomain: what Kubernetes accepts as the name of a namespace or a definition. */
const DNS_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

function checkDnsName(origin: Origin, where: string, value: string): string {
  if (value.length > 253 || !DNS_NAME.test(value)) {
    throw refuse(origin, `${where} must be a DNS-1123 name (lower-case letters, digits, "-", "."), got ${show(value)}`);
  }
  return value;
}

/** `[namespace/]name[@interface]` */
function parseShortItem(item: string, position: number, podNamespace: string, origin: Origin): NetworkSelection {
  const where = `item ${position} (${show(item)})`;
  const [reference = '', ifName, ...moreAt] = item.split('@').map((part) => part.trim());
  if (moreAt.length > 0) throw refuse(origin, `${where} has more than one "@"; write [namespace/]name[@interface]`);
  const path = reference.split('/').map((part) => part.trim());
  if (path.length > 2) throw refuse(origin, `${where} has more than one "/"; write [namespace/]name[@interface]`);
  const [namespace, name] = path.length === 2 ? path : [podNamespace, path[0]];
  if (name === undefined || name === '') throw refuse(origin, `${where} names no network; remove the empty item`);
  return {
    namespace: checkDnsName(origin, `namespace of ${where}`, namespace ?? ''),
    name: checkDnsName(origin, `name of ${where}`, name),
    ifName: ifName === undefined || ifName === '' ? '' : checkIfName(ifName, `interface of ${where} of ${origin}`),
    ips: [],
    mac: '',
    cniArgs: undefined,
    defaultRoute: undefined,
  };
}

/** Reads the fields of one JSON entry, and refuses wrong types by field name. */
class EntryReader {
  private readonly entry: RawObject;
  private readonly origin: Origin;
  private readonly where: string;

  constructor(entry: RawObject, position: number, origin: Origin) {
    this.entry = entry;
    this.origin = origin;
    this.where = `entry ${position}`;
  }

  /** undefined when absent or null. */
  get(field: string): unknown {
    return this.entry.value(field) ?? undefined;
  }

  label(field: string): string {
    return `field "${field}" of ${this.where}`;
  }

  fail(field: string, problem: string): CniError {
    return refuse(this.origin, `${this.label(field)} ${problem}`);
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

  object(field: string): Record<string, unknown> | undefined {
    const value = this.get(field);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.fail(field, `must be an object, got ${show(value)}`);
    }
    return value as Record<string, unknown>;
  }
}

function isAddressOrCidr(text: string): boolean {
  return (ipFamily(text) ?? cidrFamily(text)) !== undefined;
}

/** Fields of the specification that this version does not act on: refused, never silently ignored. */
const UNSUPPORTED_FIELDS = ['infiniband-guid', 'portMappings', 'bandwidth', 'deviceID', 'ipam-claim-reference'];

function parseJsonEntry(text: string, position: number, podNamespace: string, origin: Origin): NetworkSelection {
  if (!text.startsWith('{')) {
    throw refuse(origin, `entry ${position} must be an object with a "name", got ${show(JSON.parse(text))}`);
  }
  const entry = new EntryReader(RawObject.parse(text, `entry ${position} of ${origin}`), position, origin);
  const name = entry.string('name');
  if (name === '') throw entry.fail('name', 'must be the name of a network attachment definition, it is missing');
  for (const field of UNSUPPORTED_FIELDS) {
    if (entry.get(field) !== undefined) throw entry.fail(field, 'is not supported by this version; remove it');
  }
  const ifName = entry.string('interface') || entry.string('interfaceRequest');
  const ips = entry.strings('ips');
  if (ips?.length === 0) throw entry.fail('ips', 'must have at least one address; remove the empty list');
  const badIp = ips?.find((ip) => !isAddressOrCidr(ip));
  if (badIp !== undefined) throw entry.fail('ips', `must be IP addresses or CIDRs, got ${show(badIp)}`);
  const mac = entry.string('mac').toLowerCase().replaceAll('-', ':');
  if (mac !== '' && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) {
    throw entry.fail('mac', `must be six octets such as "02:00:00:00:00:01", got ${show(entry.get('mac'))}`);
  }
  const defaultRoute = entry.strings('default-route');
  const badGateway = defaultRoute?.find((gateway) => ipFamily(gateway) === undefined);
  if (badGateway !== undefined) {
    throw entry.fail('default-route', `must be a list of gateway addresses, got ${show(badGateway)}`);
  }
  return {
    namespace: checkDnsName(origin, entry.label('namespace'), entry.string('namespace') || podNamespace),
    name: checkDnsName(origin, entry.label('name'), name),
    ifName: ifName === '' ? '' : checkIfName(ifName, `${entry.label('interface')} of ${origin}`),
    ips: ips ?? [],
    mac,
    cniArgs: entry.object('cni-args'),
    defaultRoute,
  };
}

function parseJsonForm(text: string, podNamespace: string, origin: Origin): NetworkSelection[] {
  const { start } = scanDocument(text, origin);
  if (text[start] !== '[') {
    throw refuse(origin, `the JSON form must be a list of objects, got ${show(JSON.parse(text))}`);
  }
  return scanElements(text, start).map((element, i) =>
    parseJsonEntry(text.slice(element.start, element.end), i + 1, podNamespace, origin),
  );
}

/**
 * Parse the annotation's value. Absent or blank means no additional network.
 * A value that contains `[`, `{` or `"` is JSON, anything else the comma-separated short form.
 * @throws CniError 6 naming the place where JSON ends to be JSON, 7 naming origin, entry, field and value.
 */
export function parseSelections(text: string | undefined, podNamespace: string, origin: Origin): NetworkSelection[] {
  if (text === undefined || text.trim() === '') return [];
  const selections = /[[{"]/.test(text)
    ? parseJsonForm(text, podNamespace, origin)
    : text.split(',').map((item, i) => parseShortItem(item.trim(), i + 1, podNamespace, origin));
  if (selections.length > MAX_SELECTIONS) {
    throw refuse(origin, `it asks for ${selections.length} networks, at most ${MAX_SELECTIONS} are allowed`);
  }
  return selections;
}
