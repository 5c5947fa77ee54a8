/** What of ours is on a node, whether or not it is written down. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Journal } from '../attach/journal.ts';
import { INSTALL_LOCK, INSTALL_RECORD, type InstallRecord, loadInstallRecord } from '../node-config/install-record.ts';
import { SOCKET_NAME } from '../wire/http.ts';
import { VERSION } from '../wire/version.ts';
import type { NodeFolders } from './node-folders.ts';
import { ownConfigs } from './runtime-folder.ts';

/** What of the state directory is ours and nobody else's; what was damaged stays, for whoever looks into it. */
export const STATE_NAMES = [INSTALL_RECORD, INSTALL_LOCK, '.primary.json', '.definitions.json', '.outbox', '.lock'];

/** What a daemon leaves beside its socket; the socket itself, when it was killed. */
export const SOCKET_NAMES = [SOCKET_NAME, `.${SOCKET_NAME}.lock`, 'overlay.json'];

/** Programs that nobody else has under these names: the shim has Multus's. */
const OWN_PROGRAMS = [
  'multus-standalone',
  'multus-standalone.cjs',
  'multus_native.node',
  'multus-credentials.cjs',
  'multus-yaml.cjs',
  'multus-cli',
];

/** Paths of programs of ours that are not on the list of what was installed. */
export function unlistedPrograms(binDir: string, { files }: InstallRecord): string[] {
  const paths = OWN_PROGRAMS.map((name) => join(binDir, name)).filter((path) => existsSync(path));
  return paths.filter((path) => !files.some((file) => file.path === path));
}

/** Why the list lacks them; '' when it is there and whole. */
export function listProblem(cniDir: string): string {
  try {
    return loadInstallRecord(cniDir) === undefined ? `${join(cniDir, INSTALL_RECORD)} is not there` : '';
  } catch (error) {
    return (error as Error).message;
  }
}

/** @throws CniError 105 when the journal cannot be listed */
export function isNothingThere({ binDir, cniDir, confDirs, socketDir }: NodeFolders): boolean {
  const record: InstallRecord = { version: VERSION, files: [] };
  const state = STATE_NAMES.map((name) => join(cniDir, name));
  const ofDaemons = SOCKET_NAMES.map((name) => join(socketDir, name));
  return (
    [...state, ...ofDaemons].every((path) => !existsSync(path)) &&
    new Journal(cniDir).list().length === 0 &&
    unlistedPrograms(binDir, record).length === 0 &&
    confDirs.every((folder) => ownConfigs(folder, binDir, record).length === 0)
  );
}
