/**
 * The configuration by which the runtime finds us, made from the primary one: the node's own network configuration,
 * which becomes the default network. The keys, their order and the rules are those of Multus's thick plugin.
 */
import type { NetworkConfig, PluginConfig } from '../cni/config.ts';
import { parseNetworkConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { quote } from '../cni/quote.ts';
import { RawObject } from '../cni/raw-json.ts';
import { checkSupported, isAtLeast } from '../cni/versions.ts';
import { ConfigKeys } from './config-keys.ts';
import { POD_ANNOTATIONS_CAPABILITY, parseMultusConfig } from './multus-config.ts';

/**
 * A single plugin's `.conf` in every version, as Multus's thick plugin writes it: it takes the place of a file that
 * Multus left. Runtimes read a conf of any version; libcni makes a list of one plugin of it.
 */
export const NODE_CONFIG_NAME = '00-multus.conf';

/** What Multus's thin plugin writes for a primary from 1.0.0 on; a node must not have two of us. */
export const OTHER_NODE_CONFIG_NAME = '00-multus.conflist';

const DEFAULT_NETWORK_NAME = 'multus-cni-network';
export const DEFAULT_TYPE = 'multus';

/** Multus's keys in its order; `capabilities`, `cniVersion`, `name`, `clusterNetwork` and `type` are made here. */
const MULTUS_KEYS = [
  ...['binDir', 'capabilities', 'cniVersion', 'logFile', 'logLevel', 'logToStderr', 'logOptions', 'name'],
  ...['clusterNetwork', 'namespaceIsolation', 'globalNamespaces', 'type', 'cniDir', 'auxiliaryCNIChainName'],
  ...['daemonSocketDir', 'overrideNetworkName'],
];

/**
 * Multus only lays these over each request in its daemon. Here they are in the file, too: when the node has booted and
 * the daemon has not, the standalone program has nothing else to learn them from, and pods must not lack a network.
 */
const FURTHER_KEYS = [
  ...['confDir', 'multusNamespace', 'defaultNetworks', 'systemNamespaces', 'defaultDelegates', 'annotationPolicy'],
  ...['allowedPlugins', 'manifestsDir', 'kubeconfig', 'kubernetes', 'statusUpdate', 'kubeletDir', 'deviceInfoDir'],
  ...['retryDeleteOnError', 'verify', 'delegateTimeout', 'requestTimeout'],
];

/** Programs that wrap the primary; one of them as the primary would attach every network twice. */
export const WRAPPERS = ['multus', 'multus-shim'];

const OLDEST_WITH_CHECK = '0.4.0';

/**
 * The text of the file: one member a line, the daemon's values byte for byte, members that say nothing left out.
 *
 * `capabilities` has what one of the primary's plugins or the daemon's configuration takes, and the pod's annotations:
 * the runtime then hands them over, and an ADD needs no API server. `cniVersion` is the daemon's, else the primary's:
 * a higher one could make the runtime ask for commands that the primary's plugins do not know.
 * @param primary the configuration at `path`
 * @param path as ADD shall read it: absolute
 * @param daemonConfig the daemon's configuration as written
 * @param options.kubernetes the daemon has an API server: a pod of which nobody knows anything is no pod without networks
 * @throws CniError 7 when `primary` is one of us, too old for the daemon's `cniVersion`, or a key of the daemon's
 *   configuration cannot be used; 1 for a version that is not supported
 */
export function formatNodeConfig(
  primary: NetworkConfig,
  path: string,
  daemonConfig: RawObject,
  options: { kubernetes?: boolean } = {},
): string {
  const keys = new ConfigKeys(daemonConfig, "the daemon's configuration");
  const type = keys.text('type', DEFAULT_TYPE);
  const cniVersion = keys.text('cniVersion', primary.cniVersion);
  refuseWrapper(primary, path, type);
  checkVersion(primary, path, checkSupported(cniVersion, keys.what));
  const made: Record<string, unknown> = {
    capabilities: capabilitiesOf(primary, keys),
    cniVersion,
    name: keys.flag('overrideNetworkName', false) ? primary.name : DEFAULT_NETWORK_NAME,
    clusterNetwork: path,
    type,
    ...(options.kubernetes === true ? { kubernetes: true } : {}),
  };
  const members = [...MULTUS_KEYS, ...FURTHER_KEYS]
    .map((key) => [key, key in made ? JSON.stringify(made[key]) : daemonConfig.raw(key)] as const)
    .filter(([, raw]) => raw !== undefined && raw !== 'null' && raw !== '""')
    .map(([key, raw]) => `  ${JSON.stringify(key)}: ${raw}`);
  const text = `{\n${members.join(',\n')}\n}\n`;
  checkUsable(text);
  return text;
}

function wrapperIn({ plugins }: NetworkConfig, ownType: string): PluginConfig | undefined {
  return plugins.find(({ type }) => type === ownType || WRAPPERS.includes(type));
}

/** @param ownType the `type` under which the runtime knows us */
export function isWrapper(network: NetworkConfig, ownType: string): boolean {
  return wrapperIn(network, ownType) !== undefined;
}

function refuseWrapper(primary: NetworkConfig, path: string, ownType: string): void {
  const wrapper = wrapperIn(primary, ownType);
  if (wrapper === undefined) return;
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot use ${path} as the default network: its plugin ${quote(wrapper.type)} would wrap itself; ` +
      'remove the file, or name the right one in "multusMasterCNI"',
  );
}

/** Multus's rule: from 0.4.0 on the runtime may send CHECK, and the primary's plugins have to know it. */
function checkVersion(primary: NetworkConfig, path: string, cniVersion: string): void {
  if (!isAtLeast(cniVersion, OLDEST_WITH_CHECK) || isAtLeast(primary.cniVersion, OLDEST_WITH_CHECK)) return;
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot use ${path} as the default network: its "cniVersion" is ${quote(primary.cniVersion)}, but the daemon's is ` +
      `${quote(cniVersion)}; raise the first to ${OLDEST_WITH_CHECK} or above, or remove the second`,
  );
}

/** In the order of their names, as Go writes a map. */
function capabilitiesOf({ plugins }: NetworkConfig, keys: ConfigKeys): Record<string, true> {
  const own = keys.record('capabilities') ?? {};
  for (const [name, value] of Object.entries(own)) {
    if (typeof value !== 'boolean') throw keys.refuse(`capabilities["${name}"]`, 'true or false', value);
  }
  const declared = [own, ...plugins.map(({ capabilities }) => capabilities)];
  const names = declared.flatMap((one) => Object.keys(one).filter((name) => one[name] === true));
  const all = new Set([...names, POD_ANNOTATIONS_CAPABILITY]);
  return Object.fromEntries([...all].sort().map((name) => [name, true]));
}

/** What our own ADD would refuse must not become the node's configuration. */
function checkUsable(text: string): void {
  parseNetworkConfig(text, NODE_CONFIG_NAME);
  parseMultusConfig(RawObject.parse(text, NODE_CONFIG_NAME), NODE_CONFIG_NAME);
}
