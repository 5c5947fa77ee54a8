/** The folder of configurations as a runtime reads it, and which files of it are ours. */
import { existsSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { loadConfFile } from '../cluster/conf-files.ts';
import type { NetworkConfig, PluginConfig } from '../cni/config.ts';
import type { InstallRecord } from '../node-config/install-record.ts';
import { CILIUM_SUFFIX } from '../node-config/primary-candidates.ts';
import { POD_ANNOTATIONS_CAPABILITY } from '../pod/multus-config.ts';
import { WRAPPERS } from '../pod/node-config.ts';
import { sha256OfFile } from './install-file.ts';

const EXTENSIONS = ['.conf', '.conflist', '.json'];
const OWN_PREFIX = '00-multus.';

/** Paths of the files that containerd and CRI-O read, in their order. @throws system errors of readdir */
export function runtimeFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  const names = entries.filter((entry) => !entry.isDirectory() && EXTENSIONS.includes(extname(entry.name)));
  return names.map(({ name }) => join(folder, name)).sort();
}

/** What our configuration at `path` says about a folder; empty when it says nothing. */
export function namedFolders(path: string, key: 'cniDir' | 'binDir'): string[] {
  const named: unknown[] = pluginsIn(path).map(({ config }) => config.value(key));
  return named.filter((one) => typeof one === 'string' && one !== '') as string[];
}

/** Does the file make a runtime run us, or Multus? */
export function isWrapper(path: string): boolean {
  return pluginsIn(path).some(({ type }) => WRAPPERS.includes(type));
}

function pluginsIn(path: string): readonly PluginConfig[] {
  try {
    return loadConfFile(path).plugins;
  } catch {
    return []; // no runtime can use it either
  }
}

/**
 * Multus writes files of the same name, with the same `type`: whose it is, the program behind it tells. One that is not
 * what was installed belongs to whoever installed it since.
 */
function isOthers(types: readonly string[], binDir: string, { files }: InstallRecord): boolean {
  return types.some((type) => {
    const path = join(binDir, type);
    const installed = files.filter((file) => file.path === path).map(({ sha256 }) => sha256);
    const found = sha256OfFile(path);
    return installed.length > 0 && found !== undefined && !installed.includes(found);
  });
}

/** Multus's programs may be behind a file of ours already; without our keys they attach the primary network only. */
function isMadeByUs(plugins: readonly PluginConfig[]): boolean {
  return plugins.some(({ capabilities }) => capabilities[POD_ANNOTATIONS_CAPABILITY] === true);
}

/** Paths of the files that make the runtime run us, and of those that Cilium put out of the way. */
export function ownConfigs(folder: string, binDir: string, record: InstallRecord): string[] {
  const own = runtimeFiles(folder).filter((path) => {
    const plugins = pluginsIn(path);
    const types = plugins.map(({ type }) => type);
    const isNamedSo = path.startsWith(join(folder, OWN_PREFIX));
    if (!isNamedSo && !types.some((type) => WRAPPERS.includes(type))) return false;
    return isMadeByUs(plugins) || !isOthers(types, binDir, record);
  });
  const renamed = existsSync(folder) ? readdirSync(folder) : [];
  const away = renamed.filter((name) => name.startsWith(OWN_PREFIX) && name.endsWith(CILIUM_SUFFIX));
  return [...own, ...away.map((name) => join(folder, name))];
}

/** Names of the programs that a network needs, the ones for addresses among them. */
export function programsOf({ plugins }: NetworkConfig): string[] {
  const types = plugins.flatMap(({ type, config }) => {
    const ipam: unknown = Object(config.value('ipam')).type;
    return typeof ipam === 'string' && ipam !== '' ? [type, ipam] : [type];
  });
  return [...new Set(types)];
}
