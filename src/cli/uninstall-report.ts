/** `multus uninstall` as a command: once, or until the node is given back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type FolderOptions, findFolders } from './node-folders.ts';
import { type UninstallOptions, uninstall } from './uninstall.ts';
import { verifyUninstalled } from './verify-uninstalled.ts';

export interface ReportOptions extends FolderOptions, Omit<UninstallOptions, 'confDirs'> {
  verify?: boolean;
  json?: boolean;
}

export interface UninstallReport {
  output: string;
  /** What --verify found, and what waiting does not end. */
  problems: string[];
}

/** A pod that ended is detached that much later at most. */
const LOOK_EVERY_MS = 10_000;

/** Uninstall once. @throws as findFolders and uninstall do */
export async function reportUninstall(options: ReportOptions): Promise<UninstallReport> {
  const folders = findFolders(options);
  const { done, waitsFor, stuck } = await uninstall({ ...options, ...folders });
  const found = options.verify === true ? await verifyUninstalled(folders) : [];
  const problems = [...new Set([...stuck, ...found])];
  if (options.json === true)
    return { output: `${JSON.stringify({ done, waitsFor, stuck, problems: found }, null, 2)}\n`, problems };
  const lines = [
    ...done,
    ...waitsFor.map((one) => `waits for ${one}`),
    ...stuck,
    ...found.filter((one) => !stuck.includes(one)).map((one) => `not given back: ${one}`),
    ...(options.verify === true && problems.length === 0 ? ['verified: the node is given back'] : []),
  ];
  return { output: `${lines.join('\n')}\n`, problems };
}

/** What fails may work the next time: a file system that is full, an operation that holds a lock. */
async function tryUninstall(options: ReportOptions): Promise<UninstallReport> {
  try {
    return await reportUninstall(options);
  } catch (error) {
    const problem = (error as Error).message;
    return { output: `failed, tries again: ${problem}\n`, problems: [problem] };
  }
}

/**
 * Uninstall until the node is given back, then leave it alone and stay: a DaemonSet starts again what ends, and the node
 * may be somebody else's by then.
 * @param say is told each report that is not as the one before
 * @param signal ends it at any time
 */
export async function keepUninstalling(
  options: ReportOptions,
  say: (output: string) => void,
  signal: AbortSignal,
  lookEveryMs = LOOK_EVERY_MS,
): Promise<void> {
  let last = '';
  while (!signal.aborted) {
    const { output, problems } = await tryUninstall({ ...options, verify: true });
    if (output !== last) say(output);
    last = output;
    const wait = problems.length > 0 ? lookEveryMs : 2 ** 31 - 1;
    await sleep(wait, undefined, { signal }).catch(() => undefined);
  }
}
