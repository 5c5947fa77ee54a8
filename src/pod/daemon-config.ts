/**
 * The daemon's own file, as Multus has it (daemon-config.json): settings of the server, settings for generating
 * 00-multus.conf, and keys for every request of the node. Keys match case-insensitively, unknown keys are ignored.
 */
import { isAbsolute } from 'node:path';
import { RawObject } from '../cni/raw-json.ts';
import { ConfigKeys } from './config-keys.ts';
import { type LogSettings, parseLogSettings } from './log-settings.ts';
import { parseMultusConfig } from './multus-config.ts';
import { type Overlay, overlayOf } from './overlay.ts';

/** Read when it is there and no other is named. */
export const DEFAULT_DAEMON_CONFIG = '/etc/cni/net.d/multus.d/daemon-config.json';

/** How the node gets a certificate of its own. */
export interface PerNodeCertificate {
  /** Allows to ask for one. */
  bootstrapKubeconfig: string;
  /** Where it is kept. */
  certDir: string;
  /** How long it is to hold. */
  seconds: number;
}

export interface DaemonConfig {
  /** The whole file: the generator copies some of its keys. */
  source: RawObject;
  /** Folder of the socket, as the daemon sees it. '' when unset. */
  socketDir: string;
  /** Operations at a time; Multus ends with exit code 3 when it is less than 1. */
  connectionLimit: number | undefined;
  log: LogSettings;
  /** State directory of every request. '' when unset. */
  cniDir: string;
  overlay: Overlay;
  /** Follow the annotations of pods that run. */
  hotplug: boolean;

  /** Of the generated file. '' when unset, which Multus refuses when it generates one. */
  cniVersion: string;
  /** File that the default network's own daemon makes once it is ready. '' when unset. */
  readinessIndicatorFile: string;
  /** Where 00-multus.conf is written. */
  cniConfigDir: string;
  /** "auto" = generate it; an absolute path = copy that file. */
  multusConfigFile: string;
  /** Folder of the default network's configuration. '' when unset. */
  multusAutoconfigDir: string;
  /** Its file name. '' = the first one in the folder. */
  multusMasterCNI: string;
  /** The default network's configuration is given `cniVersion`. */
  forceCNIVersion: boolean;
  /** The generated file takes the default network's name. */
  overrideNetworkName: boolean;

  /** The node's own certificate for the API server; undefined: none. */
  perNodeCertificate: PerNodeCertificate | undefined;
  /** Keys that are set and have no effect here, each with the reason; to be logged. */
  notes: string[];
}

function connectionLimitOf(keys: ConfigKeys, source: RawObject): number | undefined {
  const value = source.value('connectionLimit') ?? undefined;
  if (value === undefined || (typeof value === 'number' && Number.isSafeInteger(value))) return value;
  throw keys.refuse('connectionLimit', 'a whole number from 1', value);
}

function multusConfigFileOf(keys: ConfigKeys): string {
  const value = keys.text('multusConfigFile', 'auto');
  if (value !== 'auto' && !isAbsolute(value)) {
    throw keys.refuse('multusConfigFile', '"auto" or an absolute path', value);
  }
  return value;
}

/** As Go writes them, in seconds: "10m", "1h30m". */
function certDurationOf(keys: ConfigKeys): number {
  const text = keys.text('certDuration', '10m');
  if (!/^(\d+(\.\d+)?(h|m|s))+$/.test(text))
    throw keys.refuse('certDuration', 'a duration such as "10m" or "1h30m"', text);
  const parts = text.matchAll(/([\d.]+)(h|m|s)/g);
  const seconds = { h: 3600, m: 60, s: 1 };
  return Math.round(
    [...parts].reduce((sum, [, amount, unit]) => sum + Number(amount) * seconds[unit as 'h' | 'm' | 's'], 0),
  );
}

function perNodeCertificateOf(source: RawObject, what: string): PerNodeCertificate | undefined {
  const inner = `${what}, key "perNodeCertificate"`;
  const value = source.object('perNodeCertificate', inner);
  if (value === undefined) return undefined;
  const keys = new ConfigKeys(value, inner);
  const settings = {
    bootstrapKubeconfig: keys.path('bootstrapKubeconfig', ''),
    certDir: keys.path('certDir', ''),
    seconds: certDurationOf(keys),
  };
  if (!keys.flag('enabled', false)) return undefined;
  for (const key of ['bootstrapKubeconfig', 'certDir'] as const) {
    if (settings[key] === '') throw keys.refuse(key, 'an absolute path, as "enabled" is true', '');
  }
  return settings;
}

function notesOf(keys: ConfigKeys): string[] {
  const reasons = {
    chrootDir: 'plugins run where the container runtime runs them, not in the file system of the daemon',
    metricsPort: 'this version serves no metrics; nothing listens on a port',
    enablePprof: 'there is no profiling endpoint; nothing listens on a port',
  };
  const isSet = {
    chrootDir: keys.path('chrootDir', '') !== '',
    metricsPort: keys.number('metricsPort', 0, 0) !== 0,
    enablePprof: keys.flag('enablePprof', false),
  };
  const set = (Object.keys(reasons) as (keyof typeof reasons)[]).filter((key) => isSet[key]);
  return set.map((key) => `"${key}" has no effect: ${reasons[key]}`);
}

/** What every request would be refused for is told when the daemon starts. @returns keys that nobody knows */
function unknownKeysOf(overlay: Overlay, what: string): string[] {
  return parseMultusConfig(RawObject.parse('{"kubeconfig":"/"}', what).with(overlay), what).unknownKeys;
}

/**
 * @param what names the file in errors, e.g. 'daemon configuration /etc/…/daemon-config.json'
 * @throws CniError 6 or 7 naming file, key, value and what is wanted
 */
export function parseDaemonConfig(source: RawObject, what: string): DaemonConfig {
  const keys = new ConfigKeys(source, what);
  const multusConfigFile = multusConfigFileOf(keys);
  const others = overlayOf(source, multusConfigFile === 'auto');
  const unknown = unknownKeysOf(others, what);
  const overlay = Object.fromEntries(Object.entries(others).filter(([key]) => !unknown.includes(key)));
  // Only the shim and the generated file have a use for them.
  keys.path('daemonSocketDir', '');
  keys.text('type', '');
  return {
    source,
    socketDir: keys.path('socketDir', ''),
    connectionLimit: connectionLimitOf(keys, source),
    log: parseLogSettings(keys),
    cniDir: keys.path('cniDir', ''),
    overlay,
    hotplug: keys.flag('hotplug', false),
    cniVersion: keys.text('cniVersion', ''),
    readinessIndicatorFile: keys.path('readinessindicatorfile', ''),
    cniConfigDir: keys.path('cniConfigDir', '/etc/cni/net.d'),
    multusConfigFile,
    multusAutoconfigDir: keys.path('multusAutoconfigDir', ''),
    multusMasterCNI: keys.text('multusMasterCNI', ''),
    forceCNIVersion: keys.flag('forceCNIVersion', false),
    overrideNetworkName: keys.flag('overrideNetworkName', false),
    perNodeCertificate: perNodeCertificateOf(source, what),
    notes: [...notesOf(keys), ...(unknown.length === 0 ? [] : [`unknown keys, without effect: ${unknown.join(', ')}`])],
  };
}
