/** CNI configuration files of the node: by path, by folder, by network name. */
import { readdirSync, readFileSync, type Stats, statSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { type NetworkConfig, type PluginConfig, parseNetworkConfig, parsePluginConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { decodeUtf8 } from '../cni/raw-json.ts';

const EXTENSIONS = ['.conf', '.json', '.conflist'];

function ioError(path: string, error: unknown): CniError {
  return new CniError(CniCode.ioFailure, `Cannot read CNI configuration ${path}: ${(error as Error).message}`, {
    cause: error,
  });
}

const nameOf = (path: string): string => `CNI configuration file ${path}`;

function readText(path: string): string {
  try {
    return decodeUtf8(readFileSync(path), nameOf(path));
  } catch (error) {
    throw error instanceof CniError ? error : ioError(path, error);
  }
}

/** undefined when nothing is there. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw ioError(path, error);
  }
}

/** @throws CniError 5 when it cannot be told */
export function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() === true;
}

/**
 * A list gets the plugins of `<its folder>/<its name>/*.conf` behind its own, in name order (libcni's
 * loadOnlyInlinedPlugins=false). They become part of its text, so that who keeps the text keeps the whole network.
 */
function withFolderPlugins(network: NetworkConfig, path: string): NetworkConfig {
  if (!network.isList) return network;
  const folder = join(dirname(path), network.name);
  const behind = network.loadOnlyInlinedPlugins ? [] : folderPlugins(folder);
  const plugins = [...network.plugins, ...behind];
  if (plugins.length === 0) {
    const problem = network.loadOnlyInlinedPlugins ? '' : `, and there is no .conf file in ${folder}`;
    throw new CniError(
      CniCode.invalidConfig,
      `Cannot use ${nameOf(path)}: it has neither "type" nor "plugins"${problem}`,
    );
  }
  if (behind.length === 0) return network;
  return parseNetworkConfig(network.source.with({ plugins: arrayOf(plugins) }).text, nameOf(path));
}

function arrayOf(plugins: readonly PluginConfig[]): string {
  return `[${plugins.map(({ config }) => config.text).join(',')}]`;
}

/** Plugins of a folder's .conf files, in name order; none when there is no such folder. */
function folderPlugins(folder: string): PluginConfig[] {
  const files = isFolder(folder) ? confFiles(folder, ['.conf']) : [];
  return files.map((file) => parsePluginConfig(readText(file), nameOf(file)));
}

function confFiles(directory: string, extensions: readonly string[]): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && extensions.includes(extname(entry.name)))
      .map((entry) => join(directory, entry.name))
      .sort();
  } catch (error) {
    throw ioError(directory, error);
  }
}

/**
 * Load one file, conf or conflist by content; a conflist also gets the plugins of its folder.
 * @throws CniError 5 unreadable, 6 not JSON, 7 not a configuration.
 */
export function loadConfFile(path: string): NetworkConfig {
  return withFolderPlugins(parseNetworkConfig(readText(path), nameOf(path), { pluginsElsewhere: true }), path);
}

/**
 * A list made of a folder's .conf files; undefined when it has none.
 * @throws CniError 5 unreadable, 6 not JSON, 7 not a plugin's configuration, naming the file
 */
export function loadPluginFolder(folder: string, name: string, cniVersion: string): NetworkConfig | undefined {
  const plugins = folderPlugins(folder);
  if (plugins.length === 0) return undefined;
  const head = `"cniVersion":${JSON.stringify(cniVersion)},"name":${JSON.stringify(name)}`;
  return parseNetworkConfig(`{${head},"plugins":${arrayOf(plugins)}}`, `plugins of ${folder}`);
}

/** A path to a file, or to a folder whose first configuration file by name counts. @throws as loadConfFile. */
export function loadConfPath(path: string): NetworkConfig {
  const stat = statOf(path);
  if (stat === undefined) throw ioError(path, new Error('no such file or directory'));
  if (!stat.isDirectory()) return loadConfFile(path);
  const first = confFiles(path, EXTENSIONS)[0];
  if (first === undefined) throw ioError(path, new Error('the folder has no .conf, .json or .conflist file'));
  return loadConfFile(first);
}

/** Kinds of files in the order in which they are searched, each by file name. */
type ConfOrder = readonly (readonly string[])[];
/** NPWG section 3.4.1. */
export const LISTS_FIRST: ConfOrder = [['.conflist'], ['.conf', '.json']];
/** As the TKE fork searches: two files of one network must not change places on a node of its. */
export const BY_FILE_NAME: ConfOrder = [EXTENSIONS];

/**
 * Find a network by its `name` in a folder.
 * A file that cannot be used is passed over, and named when nothing is found.
 * @throws CniError 7 when no file has that name.
 */
export function findConfByName(directory: string, name: string, order: ConfOrder): NetworkConfig {
  const problems: string[] = [];
  let files: string[] = [];
  try {
    files = order.flatMap((extensions) => confFiles(directory, extensions));
  } catch (error) {
    problems.push((error as Error).message);
  }
  for (const path of files) {
    try {
      const network = loadConfFile(path);
      if (network.name === name) return network;
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot find network "${name}": no configuration file in ${directory} has that name`,
    { details: problems.join('; ') },
  );
}
