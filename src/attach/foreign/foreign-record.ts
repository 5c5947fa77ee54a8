/**
 * The file that Multus 4.x and its TKE fork keep of a container, under the name that our journal has too: a JSON array,
 * one object per delegate, written in place before the first of them runs (pure parsing).
 *
 * What such a file says and leaves out:
 * - `Bytes` is the configuration in base64. For a list that Multus 4.3.0 read from a path it is a reduced one, the same
 *   as `ConfList`: `name`, `type`, `capabilities` and `ipam.type`. `CNINetworkConfigList` has the whole list then.
 * - The fork has neither `Name` nor requests, and always the interface's name.
 * - Port mappings, bandwidth and the runtime's capability arguments are in none of them.
 */
import { isDeepStrictEqual } from 'node:util';
import { CniCode, CniError } from '../../cni/errors.ts';
import { decodeUtf8, RawObject } from '../../cni/raw-json.ts';
import { ConfigKeys, isRecord } from '../../pod/config-keys.ts';
import { DamagedRecordError } from '../journal-record.ts';

/** One attachment as the other program remembers it. */
export interface ForeignDelegate {
  /** As users know it: `namespace/name`, or the configuration's own name. */
  network: string;
  /** `name` of the CNI configuration. */
  configName: string;
  /** '' when its position decides: CNI_IFNAME for the first, else `net<position>`. */
  ifName: string;
  /** In the file, from 0; entries that cannot be used count. */
  position: number;
  /** Its plugins in order; empty when the file does not say. */
  types: string[];
  /** Texts of the whole configuration, best first. */
  texts: string[];
  /** What is left of the configuration when `texts` is empty. */
  reduced: string;
  /** '' = none requested, as for the next three. */
  mac: string;
  infinibandGuid: string;
  deviceId: string;
  resourceName: string;
  ips: string[];
}

export interface ForeignFile {
  /** The TKE fork: its result cache is another. */
  isTke: boolean;
  delegates: ForeignDelegate[];
  /** Entries that cannot be used, each with its reason. */
  problems: string[];
}

function damaged(path: string, problem: string, cause?: unknown): DamagedRecordError {
  return new DamagedRecordError(CniCode.stateFailure, `Cannot use journal file ${path}: ${problem}`, { cause });
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A configuration may hold secrets: the error tells its length, not the text. */
function refuseBytes(keys: ConfigKeys, key: string, expected: string, text: string): CniError {
  const got = `got ${text.length} characters that are not`;
  return new CniError(CniCode.invalidConfig, `Cannot use ${keys.what}: key "${key}" must be ${expected}, ${got}`);
}

/** @throws CniError 7 when it is not base64, 6 when what it encodes is not UTF-8 */
function decodeBase64(keys: ConfigKeys, key: string): string {
  const value = keys.text(key, '');
  if (!BASE64.test(value)) throw refuseBytes(keys, key, 'base64', value);
  return decodeUtf8(Buffer.from(value, 'base64'), `${keys.what}, key "${key}"`);
}

/** The list that Multus 4.3.0 read from a path: the plugins of its folder are in it. '' when there is none. */
function wholeList(entry: RawObject, what: string): string {
  const list = entry.object('CNINetworkConfigList', what);
  const plugins = list?.array('Plugins') ?? [];
  if (list === undefined || plugins.length === 0) return '';
  const texts = plugins.map((plugin, i) =>
    decodeBase64(new ConfigKeys(RawObject.parse(plugin, what), `${what}, plugin ${i + 1}`), 'Bytes'),
  );
  const {
    Name: name,
    CNIVersion: cniVersion,
    DisableCheck: disableCheck,
    DisableGC: disableGC,
  } = JSON.parse(list.text);
  return `{${JSON.stringify({ cniVersion, name, disableCheck, disableGC }).slice(1, -1)},"plugins":[${texts.join(',')}]}`;
}

function typesOf(conf: Record<string, unknown>, plugins: unknown): string[] {
  const types = Array.isArray(plugins) ? plugins.map((plugin) => plugin?.type) : [conf['type']];
  return types.filter((type) => typeof type === 'string' && type !== '');
}

/** A text that does not parse is none: what is wrong with it is told when no other source is left. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws CniError 6 or 7 naming what cannot be used */
function parseDelegate(text: string, position: number, what: string): ForeignDelegate {
  const entry = RawObject.parse(text, what);
  const keys = new ConfigKeys(entry, what);
  const conf = keys.record('Conf') ?? {};
  const confList = keys.record('ConfList') ?? {};
  const bytes = decodeBase64(keys, 'Bytes');
  const content = parsed(bytes);
  if (!isRecord(content)) throw refuseBytes(keys, 'Bytes', 'a JSON object in base64', bytes);
  const isReduced = isDeepStrictEqual(content, confList);
  const whole = wholeList(entry, what);
  const configName = [content['name'], conf['name'], confList['name']].find((name) => typeof name === 'string') ?? '';
  return {
    network: keys.text('Name', String(configName)),
    configName: String(configName),
    ifName: keys.text('ifnameRequest', ''),
    position,
    types: typesOf(conf, confList['plugins']),
    texts: [whole, isReduced ? '' : bytes].filter((one) => one !== ''),
    reduced: bytes,
    mac: keys.text('macRequest', '').toLowerCase(),
    infinibandGuid: keys.text('infinibandGUIDRequest', ''),
    deviceId: keys.text('deviceID', ''),
    resourceName: keys.text('resourceName', ''),
    ips: keys.texts('ipRequest', []),
  };
}

/** Go writes `Conf` first, and our own entries begin with `multusNative`. */
function isForeign(entries: unknown): entries is unknown[] {
  if (!Array.isArray(entries) || entries.some((entry) => isRecord(entry) && 'multusNative' in entry)) return false;
  return entries.some((entry) => isRecord(entry) && Object.keys(entry)[0] === 'Conf');
}

/**
 * Read a file's text.
 * @returns undefined when it is not a file of Multus or its fork
 * @throws DamagedRecordError (105) when it is one of which no entry can be used
 */
export function parseForeignRecord(text: string, path: string): ForeignFile | undefined {
  const entries = text.startsWith('[{"multusNative"') ? undefined : parsed(text);
  if (!isForeign(entries)) return undefined;
  const delegates: ForeignDelegate[] = [];
  const problems: string[] = [];
  for (const [position, entry] of entries.entries()) {
    try {
      delegates.push(parseDelegate(JSON.stringify(entry), position, `entry ${position + 1} of ${path}`));
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
      problems.push(error.message);
    }
  }
  if (delegates.length === 0) throw damaged(path, `none of its entries can be used: ${problems.join('; ')}`);
  return { isTke: !entries.some((entry) => isRecord(entry) && 'Name' in entry), delegates, problems };
}
