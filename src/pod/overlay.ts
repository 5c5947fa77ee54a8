/**
 * The part of the daemon's configuration that counts for every request of its node.
 *
 * As with Multus, a key of the daemon's file replaces the request's, byte for byte. These do not:
 * - what only the server and the generator of 00-multus.conf read;
 * - what says which request this is. `cniVersion` is the version that the runtime expects the answer in (Multus's shim
 *   converts to it as well), `name` is the network whose attachments DEL and GC look for, `type` is the program that
 *   was run; another value would answer another question;
 * - what the runtime says of this one container or this one GC. A daemon-wide `runtimeConfig` would take the pod's
 *   annotations away, and is the only key here that plugins would get to see;
 * - `readinessindicatorfile` while the daemon generates 00-multus.conf: it watches the file itself then.
 *
 * A value of null is no value, as in Go.
 */
import { foldKey } from '../cni/fold.ts';
import type { RawObject } from '../cni/raw-json.ts';

/** Key → value as raw JSON. */
export type Overlay = Readonly<Record<string, string>>;

const SERVER_KEYS = [
  'chrootDir',
  'socketDir',
  'metricsPort',
  'enablePprof',
  'connectionLimit',
  'perNodeCertificate',
  'hotplug',
];

const GENERATOR_KEYS = [
  'cniConfigDir',
  'multusConfigFile',
  'multusAutoconfigDir',
  'multusMasterCNI',
  'forceCNIVersion',
  'overrideNetworkName',
];

const REQUEST_KEYS = [
  'cniVersion',
  'name',
  'type',
  'runtimeConfig',
  'prevResult',
  'cni.dev/valid-attachments',
  'cni.dev/attachments',
];

const NOT_OVERLAID = new Set([...SERVER_KEYS, ...GENERATOR_KEYS, ...REQUEST_KEYS].map(foldKey));

/**
 * The overlay that a daemon's configuration contains.
 * @param generates the daemon generates 00-multus.conf (`multusConfigFile` is "auto")
 */
export function overlayOf(config: RawObject, generates: boolean): Overlay {
  const isTheDaemons = (key: string): boolean =>
    NOT_OVERLAID.has(foldKey(key)) || (generates && foldKey(key) === 'readinessindicatorfile');
  const entries = config.keys().map((key) => [key, config.raw(key) ?? 'null'] as const);
  return Object.fromEntries(entries.filter(([key, raw]) => raw !== 'null' && !isTheDaemons(key)));
}

/** A request's configuration with the node's keys in it. */
export function overlaid(config: RawObject, overlay: Overlay): RawObject {
  return Object.keys(overlay).length === 0 ? config : config.with(overlay);
}
