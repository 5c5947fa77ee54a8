/** From names to configurations: the networks of the node, and those that a pod selected. */
import { dirname, join } from 'node:path';
import {
  BY_FILE_NAME,
  findConfByName,
  isFolder,
  LISTS_FIRST,
  loadConfPath,
  loadPluginFolder,
} from '../../cluster/conf-files.ts';
import type { ClusterSource, DefinitionRecord } from '../../cluster/source.ts';
import { type NetworkConfig, parseNetworkConfig } from '../../cni/config.ts';
import { CniCode, CniError, toCniError } from '../../cni/errors.ts';
import { normaliseVersion } from '../../cni/versions.ts';
import { authorisePlugins, authoriseReference, pluginTypes } from '../../pod/authorise.ts';
import { RESOURCE_ANNOTATION } from '../../pod/device-map.ts';
import type { MultusConfig } from '../../pod/multus-config.ts';
import { parseSelections } from '../../pod/parse-selections.ts';
import type { Network } from '../../pod/plan.ts';
import type { PodNetworks } from '../../pod/pod-networks.ts';
import { type NetworkSelection, type SelectionRequests, TKE_ANNOTATION } from '../../pod/selection.ts';
import { lookupSignal, type Operation } from '../operation.ts';
import { NetworkNotFoundError } from './network-not-found.ts';

/** A network before its device is known. */
export interface ResolvedNetwork extends Network {
  /** What the pod asked of it; undefined when it is the node's own. */
  requests: SelectionRequests | undefined;
  /** '' when it needs no device. */
  resourceName: string;
}

/** Everything that a pod is to get. */
export interface ResolvedNetworks {
  /** How `base` is named, and the default network in it found. */
  dialect: 'npwg' | 'tke';
  base: ResolvedNetwork[];
  additional: ResolvedNetwork[];
  auxiliary: Network | undefined;
}

/** What networks are looked up in. */
export interface Lookups {
  config: MultusConfig;
  source: ClusterSource | undefined;
  /** Ends the look-ups. */
  signal: AbortSignal;
}

/** Of an operation. */
export function lookupsOf(operation: Operation): Lookups {
  const { config } = operation;
  return { config, source: operation.openSource(config), signal: lookupSignal(operation) };
}

function nodeNetwork(config: NetworkConfig, requests?: SelectionRequests): ResolvedNetwork {
  return { label: config.name, config, requests, resourceName: '' };
}

/** NPWG section 3.4: spec.config, else a file of the node with that network name. */
function definedNetwork(
  definition: DefinitionRecord,
  { confDir }: MultusConfig,
  requests?: SelectionRequests,
): ResolvedNetwork {
  const { namespace, name, config, annotations } = definition;
  const label = `${namespace}/${name}`;
  const network =
    config.trim() === ''
      ? findConfByName(confDir, name, LISTS_FIRST)
      : parseNetworkConfig(config, `network attachment definition ${label}`, { name });
  return { label, config: network, requests, resourceName: annotations[RESOURCE_ANNOTATION] ?? '' };
}

/** A definition that a pod refers to. @throws CniError 7 not allowed, absent or wrong, 11 when it cannot be told */
export async function selectedNetwork(
  selection: NetworkSelection,
  podNamespace: string,
  { config, source, signal }: Lookups,
): Promise<ResolvedNetwork> {
  const { namespace, name } = selection;
  const label = `${namespace}/${name}`;
  authoriseReference({ podNamespace, namespace, name }, config);
  if (source === undefined) {
    throw new CniError(
      CniCode.invalidConfig,
      `Cannot find network "${label}": the configuration names no source of network attachment definitions; set "manifestsDir"`,
    );
  }
  const lookup = await source.definition(namespace, name, signal);
  if (lookup.outcome === 'absent') throw new NetworkNotFoundError(namespace, name, lookup.reason);
  if (lookup.outcome === 'unknown') {
    throw new CniError(CniCode.tryAgainLater, `Cannot find network "${label}": ${lookup.reason}`);
  }
  const network = definedNetwork(lookup.definition, config, selection);
  authorisePlugins(label, namespace, network.config, config);
  return network;
}

/** A definition of `multusNamespace`, else a network name in confDir. @param key of the configuration, for errors */
async function namedNetwork(key: string, name: string, { config, source, signal }: Lookups): Promise<ResolvedNetwork> {
  const lookup = await source?.definition(config.multusNamespace, name, signal);
  if (lookup?.outcome === 'found') return definedNetwork(lookup.definition, config);
  if (lookup?.outcome === 'unknown') {
    throw new CniError(CniCode.tryAgainLater, `Cannot find ${key} "${name}": ${lookup.reason}`);
  }
  try {
    return nodeNetwork(findConfByName(config.confDir, name, LISTS_FIRST));
  } catch (error) {
    const { code, message, details } = toCniError(error);
    const defined = `definition ${config.multusNamespace}/${name}`;
    throw new CniError(code, `Cannot find ${key} "${name}": there is no ${defined}, and: ${message}`, {
      details,
      cause: error,
    });
  }
}

/** `clusterNetwork` or one of `defaultNetworks`: a name, a file, or a folder whose first file counts. */
async function nodeReference(key: string, reference: string, lookups: Lookups): Promise<ResolvedNetwork> {
  return reference.includes('/') ? nodeNetwork(loadConfPath(reference)) : namedNetwork(key, reference, lookups);
}

/** Configurations of the node by their names, as the TKE fork finds them. */
function tkeNetworks(selections: readonly NetworkSelection[], { confDir }: MultusConfig): ResolvedNetwork[] {
  return selections.map((selection) => nodeNetwork(findConfByName(confDir, selection.name, BY_FILE_NAME), selection));
}

function tkeDefaults(config: MultusConfig): ResolvedNetwork[] {
  const context = { origin: 'CNI configuration, key "defaultDelegates"', namespace: undefined };
  return tkeNetworks(parseSelections(config.defaultDelegates, context), config);
}

/**
 * The networks of the node that each of its pods gets, the default one first.
 * @throws as selectedNetwork, and errors of configuration files
 */
export async function nodeNetworks(lookups: Lookups): Promise<ResolvedNetwork[]> {
  const { config } = lookups;
  if (config.dialect === 'tke') return tkeDefaults(config);
  if (config.clusterNetwork === '') return config.delegates.map((delegate) => nodeNetwork(delegate));
  return Promise.all([
    nodeReference('clusterNetwork', config.clusterNetwork, lookups),
    ...config.defaultNetworks.map((reference) => nodeReference('defaultNetworks', reference, lookups)),
  ]);
}

/** The node's networks for one pod: `defaultNetworks` are not for system namespaces, and the first may be its own choice. */
async function baseNetworks(wanted: PodNetworks, podNamespace: string, lookups: Lookups): Promise<ResolvedNetwork[]> {
  const { config } = lookups;
  if (wanted.tke !== undefined) {
    const chosen = tkeNetworks(wanted.tke, config);
    // The node's owner wrote these configurations; that a pod may have them is for the rules of its namespace.
    for (const { label, config: network } of chosen) authorisePlugins(label, podNamespace, network, config);
    return chosen;
  }
  const isSystem = config.systemNamespaces.includes(podNamespace);
  const own = await nodeNetworks({ ...lookups, config: isSystem ? { ...config, defaultNetworks: [] } : config });
  if (wanted.defaultNetwork !== undefined) {
    return [await selectedNetwork(wanted.defaultNetwork, podNamespace, lookups), ...own.slice(1)];
  }
  if (own.length > 0) return own;
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot tell the default network: the pod has no annotation ${TKE_ANNOTATION}, and the configuration names none; set "defaultDelegates", "clusterNetwork" or "delegates"`,
  );
}

/** The folder of the file that `clusterNetwork` names, or in which it is found; confDir when it names none. */
function defaultNetworkFolder({ clusterNetwork, confDir }: MultusConfig): string {
  if (!clusterNetwork.includes('/')) return confDir;
  return isFolder(clusterNetwork) ? clusterNetwork : dirname(clusterNetwork);
}

/** Plugins of folder `<auxiliaryCNIChainName>` beside the default network's file, else in confDir; none = no chain. */
function auxiliaryNetwork(config: MultusConfig): Network | undefined {
  const { auxiliaryCNIChainName: name, cniVersion } = config;
  if (name === '') return undefined;
  const network = loadPluginFolder(join(defaultNetworkFolder(config), name), name, normaliseVersion(cniVersion));
  return network === undefined ? undefined : { label: network.name, config: network };
}

/** A plugin that is ourselves, an IPAM one too, would wait for the lock that its own ADD holds. @throws CniError 7 */
export function refuseOurselves({ label, config }: Network, ownType: string): void {
  if (ownType === '' || !pluginTypes(config).includes(ownType)) return;
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot attach network "${label}": its plugin "${ownType}" is the one that attaches it; name another plugin`,
  );
}

/**
 * The configuration of everything that the pod wants and the node gives.
 * @param podNamespace '' outside Kubernetes
 * @throws CniError 7 absent, wrong or not allowed, 11 when it cannot be told, 5 and 6 for files
 */
export async function resolveNetworks(
  wanted: PodNetworks,
  podNamespace: string,
  lookups: Lookups,
): Promise<ResolvedNetworks> {
  const { config } = lookups;
  const [base, additional] = await Promise.all([
    baseNetworks(wanted, podNamespace, lookups),
    Promise.all(wanted.additional.map((selection) => selectedNetwork(selection, podNamespace, lookups))),
  ]);
  const auxiliary = auxiliaryNetwork(config);
  const all: Network[] = [...base, ...additional, ...(auxiliary === undefined ? [] : [auxiliary])];
  for (const network of all) refuseOurselves(network, config.type);
  const isTke = wanted.tke !== undefined || config.dialect === 'tke';
  return { dialect: isTke ? 'tke' : 'npwg', base, additional, auxiliary };
}
