/** From names to configurations: the default network, and the definitions that a pod selected. */

import { findConfByName, loadConfPath } from '../cluster/conf-files.ts';
import type { ClusterSource, DefinitionRecord } from '../cluster/source.ts';
import type { NetworkConfig } from '../cni/config.ts';
import { parseNetworkConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import type { MultusConfig } from '../pod/multus-config.ts';
import type { Network, SelectedNetwork } from '../pod/plan.ts';
import type { NetworkSelection } from '../pod/selection.ts';

/** NPWG section 3.4: spec.config, else a file of the node with that network name. */
function definitionConfig(definition: DefinitionRecord, confDir: string): NetworkConfig {
  const { namespace, name, config } = definition;
  if (config.trim() === '') return findConfByName(confDir, name);
  return parseNetworkConfig(config, `network attachment definition ${namespace}/${name}`, { name });
}

async function selectedNetwork(
  selection: NetworkSelection,
  source: ClusterSource | undefined,
  confDir: string,
): Promise<SelectedNetwork> {
  const label = `${selection.namespace}/${selection.name}`;
  if (source === undefined) {
    throw new CniError(
      CniCode.invalidConfig,
      `Cannot find network "${label}": the configuration names no source of network attachment definitions; set "manifestsDir"`,
    );
  }
  const lookup = await source.definition(selection.namespace, selection.name);
  if (lookup.outcome !== 'found') {
    const code = lookup.outcome === 'unknown' ? CniCode.tryAgainLater : CniCode.invalidConfig;
    throw new CniError(code, `Cannot find network "${label}": ${lookup.reason}`);
  }
  return { label, config: definitionConfig(lookup.definition, confDir), selection };
}

/** The definitions of all selections, in their order. @throws CniError 7 absent or wrong, 11 when it cannot be told */
export async function selectedNetworks(
  selections: readonly NetworkSelection[],
  source: ClusterSource | undefined,
  config: MultusConfig,
): Promise<SelectedNetwork[]> {
  return Promise.all(selections.map((selection) => selectedNetwork(selection, source, config.confDir)));
}

/** `clusterNetwork` as a definition of `multusNamespace`, else as a network name in confDir. */
async function namedClusterNetwork(config: MultusConfig, source: ClusterSource | undefined): Promise<Network> {
  const { clusterNetwork: name, multusNamespace: namespace, confDir } = config;
  const lookup = await source?.definition(namespace, name);
  if (lookup?.outcome === 'found') {
    return { label: `${namespace}/${name}`, config: definitionConfig(lookup.definition, confDir) };
  }
  if (lookup?.outcome === 'unknown') {
    throw new CniError(CniCode.tryAgainLater, `Cannot find clusterNetwork "${name}": ${lookup.reason}`);
  }
  const found = findConfByName(confDir, name);
  return { label: found.name, config: found };
}

/** The node's own networks, the default one first. @throws as selectedNetworks, and errors of configuration files */
export async function defaultNetworks(config: MultusConfig, source: ClusterSource | undefined): Promise<Network[]> {
  if (config.clusterNetwork === '')
    return config.delegates.map((delegate) => ({ label: delegate.name, config: delegate }));
  if (!config.clusterNetwork.includes('/')) return [await namedClusterNetwork(config, source)];
  const network = loadConfPath(config.clusterNetwork);
  return [{ label: network.name, config: network }];
}
