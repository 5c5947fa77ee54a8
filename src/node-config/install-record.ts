/**
 * `<cniDir>/.install.json`: what `multus install` put on the node, for `multus uninstall`; and, once that has given the
 * node back, the word to every daemon that may still run: a file that it wrote anew would bind the node to programs that
 * are gone.
 */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { makeFolder } from '../node/make-folder.ts';
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
  files: InstalledFile[];
  /** Path of a kubeconfig that is written anew from time to time. */
  kubeconfig?: string;
  /** ISO 8601: since when the node is given back; absent while it is ours. */
  withdrawnAt?: string;
}

function isInstalledFile(value: unknown): value is InstalledFile {
  const { path, sha256 } = Object(value);
  return typeof path === 'string' && isAbsolute(path) && typeof sha256 === 'string';
}

/** @returns undefined when there is none, or none that can be read */
export function readInstallRecord(cniDir: string): InstallRecord | undefined {
  try {
    const { version, files, kubeconfig, withdrawnAt } = JSON.parse(readFileSync(join(cniDir, INSTALL_RECORD), 'utf8'));
    if (typeof version !== 'string' || !files.every(isInstalledFile)) return undefined;
    const texts = Object.entries({ kubeconfig, withdrawnAt }).filter(([, text]) => typeof text === 'string');
    return { version, files, ...Object.fromEntries(texts) };
  } catch {
    return undefined;
  }
}

/** @throws CniError 5, system errors of mkdir */
export async function writeInstallRecord(cniDir: string, record: InstallRecord): Promise<void> {
  makeFolder(cniDir, 0o700);
  await writeWholeFile(join(cniDir, INSTALL_RECORD), `${JSON.stringify(record, null, 2)}\n`, 0o600);
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
