/** CNI configuration files of the node: by path, by folder, by network name. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { type NetworkConfig, parseNetworkConfig, parsePluginConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { decodeUtf8 } from '../cni/raw-json.ts';

const EXTENSIONS = ['.conf', '.json', '.conflist'];

function ioError(path: string, error: unknown): CniError {
  return new CniError(CniCode.ioFailure, `Cannot read CNI configuration ${path}: ${(error as Error).message}`, {
    cause: error,
  });
}

function readText(path: string): string {
  try {
    return decodeUtf8(readFileSync(path), `CNI configuration file ${path}`);
  } catch (error) {
    throw error instanceof CniError ? error : ioError(path, error);
  }
}

/** Plugins of `<folder of the list>/<list name>/*.conf`, appended in name order (libcni's loadOnlyInlinedPlugins=false). */
function withFolderPlugins(network: NetworkConfig, directory: string): NetworkConfig {
  if (!network.isList || network.loadOnlyInlinedPlugins) return network;
  const folder = join(directory, network.name);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return network;
  const extra = confFiles(folder, ['.conf']).map((path) =>
    parsePluginConfig(readText(path), `CNI plugin file ${path}`),
  );
  return { ...network, plugins: [...network.plugins, ...extra] };
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
  const what = `CNI configuration file ${path}`;
  const pluginsElsewhere = extname(path) === '.conflist';
  const network = withFolderPlugins(parseNetworkConfig(readText(path), what, { pluginsElsewhere }), dirname(path));
  if (network.plugins.length > 0) return network;
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot use ${what}: neither it nor its folder "${network.name}" has a plugin`,
  );
}

/** A path to a file, or to a folder whose first configuration file by name counts. @throws as loadConfFile. */
export function loadConfPath(path: string): NetworkConfig {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw ioError(path, new Error('no such file or directory'));
  if (!stat.isDirectory()) return loadConfFile(path);
  const first = confFiles(path, EXTENSIONS)[0];
  if (first === undefined) throw ioError(path, new Error('the folder has no .conf, .json or .conflist file'));
  return loadConfFile(first);
}

/**
 * Find a network by its `name` in a folder, conflists before confs (NPWG section 3.4.1).
 * A file that cannot be used is passed over, and named when nothing is found.
 * @throws CniError 7 when no file has that name.
 */
export function findConfByName(directory: string, name: string): NetworkConfig {
  const problems: string[] = [];
  let files: string[] = [];
  try {
    files = [...confFiles(directory, ['.conflist']), ...confFiles(directory, ['.conf', '.json'])];
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
