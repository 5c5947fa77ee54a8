/** Which folders of the node `multus uninstall` works on: its options, and what is written down about the node. */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { quote } from '../cni/quote.ts';
import { type InstallRecord, loadInstallRecord } from '../node-config/install-record.ts';
import { DEFAULT_CNI_DIR } from '../pod/multus-config.ts';
import { VERSION } from '../wire/version.ts';
import { isWrapper, namedFolders, ownConfigs, runtimeFiles } from './runtime-folder.ts';

export const DEFAULT_RUNTIME_DIR = '/etc/cni/net.d';

export interface NodeFolders {
  binDir: string;
  cniDir: string;
  /** Where runtimes read, or read once, a configuration of ours. */
  confDirs: string[];
  socketDir: string;
  /** Where plugins of the primary may be beside `binDir`. */
  pluginDirs: string[];
}

export interface FolderOptions extends Omit<NodeFolders, 'confDirs' | 'pluginDirs'> {
  /** Beside those that are written down. */
  confDir?: string;
  pluginDir?: string[];
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

/** Folders of the configurations that were written, as far as they are there. */
export function recordedConfDirs({ configs = [] }: InstallRecord): string[] {
  return [...new Set(configs.map((path) => dirname(path)))].filter(isFolder);
}

/**
 * The journal of another folder would let the programs go while pods are attached. A configuration without the key says
 * nothing: a daemon may lay its own over it.
 */
function checkCniDir(configs: readonly string[], cniDir: string): void {
  for (const path of configs) {
    const other = namedFolders(path, 'cniDir').find((named) => named !== cniDir);
    if (other !== undefined) throw new Error(`${path} names cniDir ${other}; give --cni-dir ${other}`);
  }
}

/** Where the state is when no option says it: as our configuration that the runtime reads says, or in the usual folder. */
export function usualCniDir(confDir = DEFAULT_RUNTIME_DIR): string {
  const files = isFolder(confDir) ? runtimeFiles(confDir) : [];
  return files.filter(isWrapper).flatMap((path) => namedFolders(path, 'cniDir'))[0] ?? DEFAULT_CNI_DIR;
}

/**
 * @throws Error when --conf-dir is no folder, the list of what was installed is damaged, or the state is in another folder
 */
export function findFolders({ confDir, pluginDir = [], ...given }: FolderOptions): NodeFolders {
  if (confDir !== undefined && !isFolder(confDir)) {
    const why = existsSync(confDir) ? 'it is a file' : 'it is not there';
    throw new Error(
      `option '--conf-dir <dir>' must be the folder of the runtime's configurations, got ${quote(confDir)}: ${why}`,
    );
  }
  const record = loadInstallRecord(given.cniDir) ?? { version: VERSION, files: [] };
  const recorded = recordedConfDirs(record);
  const named = confDir ?? (recorded.length > 0 ? [] : DEFAULT_RUNTIME_DIR);
  const confDirs = [...new Set([named, recorded].flat())];
  const configs = confDirs.flatMap((folder) => ownConfigs(folder, given.binDir, record));
  checkCniDir(configs, given.cniDir);
  const binDirs = configs.flatMap((path) => namedFolders(path, 'binDir'));
  const pluginDirs = [...new Set([...pluginDir, ...(record.pluginDirs ?? []), ...binDirs])];
  return { ...given, confDirs, pluginDirs };
}
