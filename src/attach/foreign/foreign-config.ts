/** The configuration that ADD ran with, of a delegate that another program attached: from the best source there is. */
import { BY_FILE_NAME, findConfByName, loadConfPath } from '../../cluster/conf-files.ts';
import { type NetworkConfig, parseNetworkConfig } from '../../cni/config.ts';
import { CniError } from '../../cni/errors.ts';
import type { MultusConfig } from '../../pod/multus-config.ts';
import type { ForeignDelegate } from './foreign-record.ts';
import type { CachedAttachment } from './libcni-cache.ts';

/** Where the configuration of the node's networks may be read anew. */
export type NodeNetworks = Pick<MultusConfig, 'delegates' | 'clusterNetwork' | 'defaultNetworks' | 'confDir'>;

export interface RecoveredConfig {
  config: NetworkConfig;
  /** '' when it is what ADD ran with; else what is to be told of it. */
  doubt: string;
}

function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CniError) return undefined;
    throw error;
  }
}

/** Configurations of that name that the node has now: static ones, those named by path, those in confDir. */
function onDisk(name: string, node: NodeNetworks): NetworkConfig[] {
  const paths = [node.clusterNetwork, ...node.defaultNetworks].filter((reference) => reference.includes('/'));
  const loaded = paths.map((path) => unlessRefused(() => loadConfPath(path)));
  const found = unlessRefused(() => findConfByName(node.confDir, name, BY_FILE_NAME));
  return [...node.delegates, ...loaded, found].filter((config) => config?.name === name) as NetworkConfig[];
}

/**
 * In this order: libcni's cache, the other program's file, the node's configuration files, and what is left in the other
 * program's file. A text without all the plugins that ran is passed over while another source may have them.
 * @param node undefined when nobody knows the configuration of the node
 * @throws CniError when no source can be used
 */
export function recoverConfig(
  delegate: ForeignDelegate,
  cached: CachedAttachment | undefined,
  node: NodeNetworks | undefined,
): RecoveredConfig {
  const { configName: name, network, types } = delegate;
  const what = `configuration of network "${network}" that another program left`;
  const read = (text: string): NetworkConfig | undefined =>
    unlessRefused(() => parseNetworkConfig(text, what, { name }));
  const isWhole = ({ plugins }: NetworkConfig): boolean =>
    types.length === 0 || (plugins.length === types.length && plugins.every(({ type }, i) => type === types[i]));

  const exact = [cached?.config ?? '', ...delegate.texts].map(read).filter((config) => config !== undefined);
  const ran = exact.find(isWhole);
  if (ran !== undefined) return { config: ran, doubt: '' };
  const present = (node === undefined ? [] : onDisk(name, node)).find(isWhole);
  if (present !== undefined) {
    return { config: present, doubt: 'its configuration was not kept whole and is taken from the node as it is now' };
  }
  const rest = exact[0] ?? parseNetworkConfig(delegate.reduced, what, { name });
  const kept = exact[0] === undefined ? 'the names of its plugins are' : 'a part of its plugins is';
  return { config: rest, doubt: `only ${kept} known: what they keep outside the pod may stay, addresses above all` };
}
