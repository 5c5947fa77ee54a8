/**
 * `<cniDir>/.install.json`: what `multus install` put on the node, for `multus uninstall`; and, once that has given the
 * node back, the word to every daemon that may still run: a file that it wrote anew would bind the node to programs that
 * are gone.
 */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { makeFolder } from '../node/make-folder.ts';
import { systemReason } from '../node/system-reason.ts';
import { writeWholeFile } from '../node/whole-file.ts';

/** No container's ID begins with a dot. */
export const INSTALL_RECORD = '.install.json';

/** In the same folder: whoever installs holds it. */
export const INSTALL_LOCK = '.install.lock';

export interface InstalledFile {
  path: string;
  /** Of its content, hexadecimal. */
  sha256: string;
}

export interface InstallRecord {
  version: string;
  /** A path may be there twice, while a new file takes the place of an old one. */
  files: InstalledFile[];
  /** Paths of what makes runtimes run the programs: every 00-multus.conf that was written, whoever wrote it. */
  configs?: string[];
  /** Paths of kubeconfigs, which are written anew from time to time. */
  kubeconfigs?: string[];
  /** Where plugins were looked for beside the folder of the programs: noted when the node is given back. */
  pluginDirs?: string[];
  /** ISO 8601: since when the node is given back; absent while it is ours. */
  withdrawnAt?: string;
}

function isPaths(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((path) => typeof path === 'string' && isAbsolute(path));
}

function isInstalledFile(value: unknown): value is InstalledFile {
  const { path, sha256 } = Object(value);
  return typeof path === 'string' && isAbsolute(path) && typeof sha256 === 'string';
}

function parseInstallRecord(text: string): InstallRecord {
  const { version, files, configs, kubeconfigs, pluginDirs, withdrawnAt } = Object(JSON.parse(text));
  if (typeof version !== 'string') throw new Error('"version" is missing');
  if (!Array.isArray(files) || !files.every(isInstalledFile)) throw new Error('"files" is no list of paths and hashes');
  const lists = Object.entries({ configs, kubeconfigs, pluginDirs }).filter(([, value]) => value !== undefined);
  const wrong = lists.find(([, value]) => !isPaths(value));
  if (wrong !== undefined) throw new Error(`"${wrong[0]}" is no list of absolute paths`);
  return { version, files, ...Object.fromEntries(lists), ...(typeof withdrawnAt === 'string' ? { withdrawnAt } : {}) };
}

/** @returns undefined when there is none @throws Error when it cannot be read, or is not what was written */
export function loadInstallRecord(cniDir: string): InstallRecord | undefined {
  const path = join(cniDir, INSTALL_RECORD);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new Error(`Cannot read ${path}: ${systemReason(error)}`, { cause: error });
  }
  try {
    return parseInstallRecord(text);
  } catch (error) {
    throw new Error(`${path} is damaged: ${(error as Error).message}`);
  }
}

/** @returns undefined when there is none, or none that can be read */
export function readInstallRecord(cniDir: string): InstallRecord | undefined {
  try {
    return loadInstallRecord(cniDir);
  } catch {
    return undefined;
  }
}

/** @throws CniError 5, system errors of mkdir */
export async function writeInstallRecord(cniDir: string, record: InstallRecord): Promise<void> {
  makeFolder(cniDir, 0o700);
  await writeWholeFile(join(cniDir, INSTALL_RECORD), `${JSON.stringify(record, null, 2)}\n`, 0o600);
}

/**
 * Note that a configuration which names the programs is about to be written, where they were installed: programs go only
 * after it. @throws CniError 5, system errors of mkdir
 */
export async function recordConfig(cniDir: string, path: string): Promise<void> {
  const record = readInstallRecord(cniDir);
  const { configs = [] } = record ?? {};
  if (record === undefined || configs.includes(path)) return;
  await writeInstallRecord(cniDir, { ...record, configs: [...configs, path] });
}

/** Why no node configuration may be written; undefined when the node was not given back. */
export function withdrawnReason(cniDir: string): string | undefined {
  const since = readInstallRecord(cniDir)?.withdrawnAt;
  return since === undefined ? undefined : `"multus uninstall" gave the node back on ${since}; run "multus install"`;
}

/** The same for whoever only runs where `multus install` did: the last step of `multus uninstall` removes the record. */
export function notInstalledReason(cniDir: string): string | undefined {
  if (readInstallRecord(cniDir) !== undefined) return withdrawnReason(cniDir);
  return `${join(cniDir, INSTALL_RECORD)} is not there: "multus uninstall" has removed the programs; run "multus install"`;
}
