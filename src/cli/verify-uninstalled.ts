/** `multus uninstall --verify`: is the node its primary configuration's alone, as a runtime and a pod see it? */
import { accessSync, constants } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { loadConfFile } from '../cluster/conf-files.ts';
import { type InstallRecord, readInstallRecord } from '../node-config/install-record.ts';
import { readPrimaryFolder } from '../node-config/primary-candidates.ts';
import { DEFAULT_TYPE } from '../pod/node-config.ts';
import { VERSION } from '../wire/version.ts';
import { attachedPods, isStuck, stuckText } from './attached-pods.ts';
import { sha256OfFile } from './install-file.ts';
import type { NodeFolders } from './node-folders.ts';
import { listProblem, unlistedPrograms } from './on-node.ts';
import { ownConfigs, programsOf, runtimeFiles } from './runtime-folder.ts';
import { isDaemonThere } from './uninstall.ts';

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What a runtime would do for a pod that starts now. */
function networkProblems(confDir: string, binDir: string): string[] {
  const [first] = runtimeFiles(confDir);
  if (first === undefined) return [`no configuration is in ${confDir}: the node has no network`];
  try {
    const needed = programsOf(loadConfFile(first)).filter((program) => !isExecutable(join(binDir, program)));
    const missing = needed.map((program) => `${first} needs the plugin ${program}, which is not in ${binDir}`);
    const { candidates, others } = readPrimaryFolder(dirname(first), DEFAULT_TYPE);
    if (candidates.some(({ file }) => file === basename(first))) return missing;
    const why = others.find((other) => other.startsWith(`${basename(first)}:`)) ?? `${basename(first)}: it is none`;
    return [`the first configuration in ${confDir} is not the node's network: ${why}`, ...missing];
  } catch (error) {
    return [(error as Error).message];
  }
}

/** Who removed the list, or never had one, would be told that a node is given back which is full of us. */
function unlistedProblems({ binDir, cniDir }: NodeFolders, record: InstallRecord): string[] {
  const paths = unlistedPrograms(binDir, record);
  if (paths.length === 0) return [];
  const why = listProblem(cniDir);
  const remark = why === '' ? '' : ` (${why})`;
  return [`${paths.join(', ')} are there and not on the list${remark}; run "multus install" again, then uninstall`];
}

/** @returns what is not as it should be, one line each; empty when the node is given back */
export async function verifyUninstalled(folders: NodeFolders): Promise<string[]> {
  const { binDir, cniDir, confDirs, socketDir } = folders;
  const record = readInstallRecord(cniDir) ?? { version: VERSION, files: [] };
  const programs = record.files.filter(({ path, sha256 }) => sha256OfFile(path) === sha256);
  return [
    ...confDirs.flatMap((folder) => networkProblems(folder, binDir)),
    ...confDirs
      .flatMap((folder) => ownConfigs(folder, binDir, record))
      .map((path) => `${path} is there: the runtime may run us by it`),
    ...attachedPods(cniDir).map((pod) => (isStuck(pod) ? stuckText(pod, cniDir) : `${pod.who}, is still attached`)),
    ...unlistedProblems(folders, record),
    ...(programs.length === 0 ? [] : [`${programs.map(({ path }) => path).join(', ')} are still there`]),
    ...((await isDaemonThere(socketDir)) ? [`multusd answers in ${socketDir}`] : []),
  ];
}
