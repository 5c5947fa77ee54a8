/**
 * What an ADD achieved (CNI section 5, "Success"), in one internal form for all versions of the specification: that of
 * 1.1.0. Keys that no version knows are kept in every object.
 */
import { CniCode, CniError } from './errors.ts';
import { cidrFamily, type IpFamily } from './ip.ts';
import { RawObject } from './raw-json.ts';
import { Fields } from './result-fields.ts';
import { checkSupported, isAtLeast, normaliseVersion } from './versions.ts';

export interface CniInterface {
  name: string;
  mac?: string;
  mtu?: number;
  /** Path of the netns; absent for an interface of the host. */
  sandbox?: string;
  socketPath?: string;
  pciID?: string;
  [key: string]: unknown;
}

export interface CniIp {
  /** Address with prefix length, as the plugin wrote it. */
  address: string;
  gateway?: string;
  /** Index into `interfaces`; not checked against it, plugins are known to err here. */
  interface?: number;
  [key: string]: unknown;
}

export interface CniRoute {
  dst: string;
  gw?: string;
  mtu?: number;
  advmss?: number;
  priority?: number;
  table?: number;
  scope?: number;
  [key: string]: unknown;
}

export interface CniDns {
  nameservers?: string[];
  domain?: string;
  search?: string[];
  options?: string[];
  [key: string]: unknown;
}

export interface CniResult {
  /** The version in which the plugin answered; the form does not depend on it. */
  cniVersion: string;
  interfaces: CniInterface[];
  ips: CniIp[];
  routes: CniRoute[];
  dns: CniDns;
  [key: string]: unknown;
}

/** A result that says nothing. */
export function emptyResult(version: string): CniResult {
  return { cniVersion: version, interfaces: [], ips: [], routes: [], dns: {} };
}

/**
 * Reads a plugin's result of any version from 0.1.0 to 1.1.0.
 *
 * Before 0.3.0 `ip4` and `ip6` become entries of `ips` and their routes entries of `routes`, IPv4 first. Empty strings
 * and null read as absent. Integers beyond 2^53 in unknown keys lose precision here; pass a result on as its text where
 * that matters.
 * @param what names the result in errors, e.g. 'result of plugin bridge'
 * @param expectedVersion the version of a text without `cniVersion`, that is the configuration's. @default '0.1.0'
 * @throws CniError 6 when it is not a result, naming the key; 1 for an unsupported version
 */
export function parseResult(text: string, what: string, expectedVersion?: string): CniResult {
  const fields = new Fields(JSON.parse(RawObject.parse(text, what).text), what);
  const cniVersion = checkSupported(fields.text('cniVersion') ?? normaliseVersion(expectedVersion), what);
  const legacy = isAtLeast(cniVersion, '0.3.0') ? [] : [legacyIp(fields, 'ip4', 4), legacyIp(fields, 'ip6', 6)];
  const interfaces = fields.children('interfaces').map(parseInterface);
  const ips = fields.children('ips').map(parseIp);
  const routes = fields.children('routes').map(parseRoute);
  const dns = fields.child('dns');
  return {
    cniVersion,
    interfaces,
    ips: [...ips, ...legacy.flatMap((one) => one.ips)],
    routes: [...routes, ...legacy.flatMap((one) => one.routes)],
    dns: dns === undefined ? {} : parseDns(dns),
    ...fields.rest(),
  };
}

/**
 * Writes a result in the form of a version. What the version cannot express is left out, as libcni's types do:
 *
 * - below 1.1.0: an interface's `mtu`, `socketPath`, `pciID`; a route's `mtu`, `advmss`, `priority`, `table`, `scope`
 * - 0.3.0 to 0.4.0 have a `version` ("4" or "6") in each of `ips`
 * - below 0.3.0: `interfaces`; all but the first address of each family; routes of a family that has no address
 *
 * Empty lists and an empty `dns` are not written.
 * @throws CniError 1 for an unsupported version, 6 when an address or destination in the result is none
 */
export function convertResult(result: CniResult, version: string): string {
  const cniVersion = checkSupported(version, 'result');
  const { cniVersion: _, interfaces, ips, routes, dns, ...rest } = result;
  const written = { ...rest, cniVersion };
  if (isAtLeast(cniVersion, '1.1.0')) return write({ ...written, interfaces, ips, routes, dns });
  const plain = { interfaces: interfaces.map(plainInterface), routes: routes.map(plainRoute), dns };
  if (isAtLeast(cniVersion, '1.0.0')) return write({ ...written, ips, ...plain });
  if (!isAtLeast(cniVersion, '0.3.0')) return write({ ...written, dns, ...legacyIps(ips, plain.routes) });
  const versioned = ips.map((ip) => ({ version: String(familyOf(ip.address)), ...ip }));
  return write({ ...written, ips: versioned, ...plain });
}

function parseInterface(fields: Fields): CniInterface {
  const name = fields.text('name');
  if (name === undefined) throw fields.mistyped('name', 'a string that is not empty', name);
  const known = {
    mac: fields.text('mac'),
    mtu: fields.size('mtu'),
    sandbox: fields.text('sandbox'),
    socketPath: fields.text('socketPath'),
    pciID: fields.text('pciID'),
  };
  return { name, ...present(known), ...fields.rest() };
}

function parseIp(fields: Fields): CniIp {
  const address = fields.cidr('address');
  const known = { gateway: fields.ip('gateway'), interface: fields.integer('interface') };
  // 0.3.0 to 0.4.0 say the family beside the address; the address itself decides, and conversion writes it anew.
  fields.drop('version');
  return { address, ...present(known), ...fields.rest() };
}

function parseRoute(fields: Fields): CniRoute {
  const dst = fields.cidr('dst');
  const known = {
    gw: fields.ip('gw'),
    mtu: fields.size('mtu'),
    advmss: fields.size('advmss'),
    priority: fields.size('priority'),
    table: fields.integer('table'),
    scope: fields.integer('scope'),
  };
  return { dst, ...present(known), ...fields.rest() };
}

function parseDns(fields: Fields): CniDns {
  const known = {
    nameservers: fields.texts('nameservers'),
    domain: fields.text('domain'),
    search: fields.texts('search'),
    options: fields.texts('options'),
  };
  return { ...filled(known), ...fields.rest() };
}

/** `ip4` or `ip6` of CNI 0.1.0 and 0.2.0: one address per family, with the routes of that family inside. */
function legacyIp(fields: Fields, key: 'ip4' | 'ip6', family: IpFamily): { ips: CniIp[]; routes: CniRoute[] } {
  const config = fields.child(key);
  if (config === undefined) return { ips: [], routes: [] };
  const address = config.cidr('ip');
  if (cidrFamily(address) !== family) throw config.mistyped('ip', `an IPv${family} address`, address);
  const known = { gateway: config.ip('gateway') };
  const routes = config.children('routes').map(parseRoute);
  config.drop('address', 'interface');
  return { ips: [{ address, ...present(known), ...config.rest() }], routes };
}

function legacyIps(ips: readonly CniIp[], routes: readonly CniRoute[]): Record<'ip4' | 'ip6', object | undefined> {
  return { ip4: legacyIpOf(4, ips, routes), ip6: legacyIpOf(6, ips, routes) };
}

function legacyIpOf(family: IpFamily, ips: readonly CniIp[], routes: readonly CniRoute[]): object | undefined {
  const first = ips.find((ip) => familyOf(ip.address) === family);
  if (first === undefined) return undefined;
  const { address, interface: _, ...rest } = first;
  return filled({ ip: address, ...rest, routes: routes.filter((route) => familyOf(route.dst) === family) });
}

function plainInterface({ mtu: _mtu, socketPath: _path, pciID: _id, ...kept }: CniInterface): object {
  return kept;
}

function plainRoute(route: CniRoute): CniRoute {
  const { mtu: _mtu, advmss: _mss, priority: _priority, table: _table, scope: _scope, ...kept } = route;
  return kept;
}

function familyOf(cidr: string): IpFamily {
  const family = cidrFamily(cidr);
  if (family !== undefined) return family;
  throw new CniError(
    CniCode.decodingFailure,
    `Cannot write a result: "${cidr}" is not an IP address with prefix length`,
  );
}

/** cniVersion first, then the known keys in the specification's order, then the others. */
function write(result: Record<string, unknown>): string {
  const { cniVersion, interfaces, ip4, ip6, ips, routes, dns, ...rest } = result;
  return JSON.stringify({ cniVersion, ...filled({ interfaces, ip4, ip6, ips, routes, dns }), ...rest });
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Drops the fields that are undefined. */
function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}

/** Drops the fields that are undefined, an empty array or an empty object. */
function filled<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value))) as Present<T>;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}
