/** `multus install`: the programs that a runtime runs, put where it finds them, and written down for `multus uninstall`. */
import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { makeFolder } from '../node/make-folder.ts';
import { RangeLock } from '../node/range-lock.ts';
import {
  INSTALL_LOCK,
  type InstalledFile,
  readInstallRecord,
  writeInstallRecord,
} from '../node-config/install-record.ts';
import { VERSION } from '../wire/version.ts';
import {
  type Action,
  type FileToInstall,
  type PreparedFile,
  placeFile,
  prepareFile,
  sha256Of,
  verifyFile,
} from './install-file.ts';
import { formatTable } from './table.ts';

export interface InstallOptions {
  /** Folder of the programs: `dist/` of a checkout, or where they lie in an image. */
  from: string;
  binDir: string;
  cniDir: string;
  /** Written by the caller; written down here. */
  kubeconfig?: string;
  dryRun?: boolean;
  json?: boolean;
}

interface Part {
  name: string;
  mode: number;
  /** Further names on the node. */
  also?: string[];
  isNeeded: boolean;
}

/**
 * In the order in which they are put there: the shim comes when all that it may start is there.
 * `multus-shim` and `passthru` are names that Multus's configurations and definitions have.
 */
const PARTS: Part[] = [
  { name: 'package.json', mode: 0o644, isNeeded: false },
  { name: 'multus_native.node', mode: 0o644, isNeeded: true },
  // For nodes on which programs ask an API server themselves.
  { name: 'multus-credentials.cjs', mode: 0o644, isNeeded: true },
  { name: 'multus-standalone', mode: 0o755, isNeeded: true },
  { name: 'multus-cli', mode: 0o755, isNeeded: false },
  { name: 'multus', mode: 0o755, also: ['multus-shim', 'passthru'], isNeeded: true },
];

/** A single executable has more than 100 MB, and a node may have a slow disk. */
const LOCK_WAIT_MS = 120_000;

interface Done {
  path: string;
  action: Action;
  bytes: number;
  sha256: string;
}

function filesOf(part: Part, { from, binDir }: InstallOptions): FileToInstall[] {
  const source = join(from, part.name);
  const there = lstatSync(source, { throwIfNoEntry: false });
  // A link in a folder for hosts without Node: that program is another's, which the shim knows to be it.
  if (there?.isSymbolicLink()) return [];
  if (there === undefined) {
    if (!part.isNeeded) return [];
    throw new Error(`Cannot install: ${source} is not there; name the folder of the programs with --from`);
  }
  return [part.name, ...(part.also ?? [])].map((name) => ({ source, path: join(binDir, name), mode: part.mode }));
}

/** What was put elsewhere before stays written down: it is still to be removed some day. */
async function writeDown({ cniDir, kubeconfig }: InstallOptions, done: readonly Done[]): Promise<void> {
  const files = done.map(({ path, sha256: hash }): InstalledFile => ({ path, sha256: hash }));
  const paths = new Set(files.map(({ path }) => path));
  const before = readInstallRecord(cniDir);
  const earlier = (before?.files ?? []).filter(({ path }) => !paths.has(path));
  const { configs = [], kubeconfigs = [] } = before ?? {};
  const credentials = new Set([...kubeconfigs, ...(kubeconfig === undefined ? [] : [kubeconfig])]);
  const written = { configs, kubeconfigs: [...credentials] };
  await writeInstallRecord(cniDir, { version: VERSION, files: [...earlier, ...files], ...written });
}

/** A folder that no runtime reads is the commonest mistake, and a pod's error comes much later. */
function notesOn(binDir: string, done: readonly Done[]): string[] {
  const ours = new Set(done.map(({ path }) => basename(path)));
  const others = readdirSync(binDir).filter((name) => !ours.has(name) && !name.startsWith('.'));
  if (others.length > 0) return [];
  return [`no other plugin is in ${binDir}: is it the folder that the runtime looks in (its "bin_dir")?`];
}

function reportOf(done: readonly Done[], notes: readonly string[], { json, dryRun }: InstallOptions): string {
  if (json === true)
    return `${JSON.stringify({ version: VERSION, dryRun: dryRun === true, files: done, notes }, null, 2)}\n`;
  const rows = done.map((one) => [one.path, one.action, String(one.bytes), one.sha256.slice(0, 16)]);
  const heading = dryRun === true ? 'WOULD BE' : 'ACTION';
  return formatTable(['FILE', heading, 'BYTES', 'SHA256'], rows) + notes.map((note) => `note: ${note}\n`).join('');
}

/**
 * Programs of two versions beside each other may not fit: all are on the disk before the first one takes its place, and
 * what the disk has no room for leaves the node as it was.
 */
async function prepareAll(files: readonly FileToInstall[], isTrial: boolean): Promise<PreparedFile[]> {
  const prepared: PreparedFile[] = [];
  try {
    for (const file of files) prepared.push(await prepareFile(file, isTrial));
    return prepared;
  } catch (error) {
    for (const { draft } of prepared) await draft?.discard();
    throw error;
  }
}

/** Two at a time, as when pods of two DaemonSets start, would write the same drafts. @throws Error when it takes too long */
async function lockInstall(cniDir: string): Promise<RangeLock> {
  makeFolder(cniDir, 0o700);
  const path = join(cniDir, INSTALL_LOCK);
  const signal = AbortSignal.timeout(LOCK_WAIT_MS);
  return RangeLock.acquire(path, { start: 0, length: 0, signal }).catch((error: Error) => {
    if (!signal.aborted) throw error;
    throw new Error(`Cannot install: another "multus install" has held ${path} for ${LOCK_WAIT_MS / 1000} s`);
  });
}

/** @returns what was done, or would be */
async function installFiles(files: readonly FileToInstall[], isTrial: boolean): Promise<Done[]> {
  const prepared = await prepareAll(files, isTrial);
  if (!isTrial) for (const one of prepared) await placeFile(one);
  return prepared.map(({ file, action }) => {
    if (!isTrial) verifyFile(file);
    return { path: file.path, action, bytes: statSync(file.source).size, sha256: sha256Of(file.source) };
  });
}

/**
 * Put every program in its place, or none is written down.
 * @returns what to print
 * @throws Error, CniError 5 naming the file that could not be put in its place
 */
export async function install(options: InstallOptions): Promise<string> {
  const binDir = resolve(options.binDir);
  const files = PARTS.flatMap((part) => filesOf(part, { ...options, binDir }));
  const isTrial = options.dryRun === true;
  if (!isTrial) makeFolder(binDir, 0o755);
  const lock = isTrial ? undefined : await lockInstall(options.cniDir);
  try {
    const done = await installFiles(files, isTrial);
    if (!isTrial) await writeDown(options, done);
    const notes = existsSync(binDir) ? notesOn(binDir, done) : [];
    return reportOf(done, notes, options);
  } finally {
    lock?.release();
  }
}
