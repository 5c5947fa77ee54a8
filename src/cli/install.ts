/** `multus install`: the programs that a runtime runs, put where it finds them, and written down for `multus uninstall`. */
import { closeSync, existsSync, lstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { codePathOf, compileProgram } from '../node/program-code.ts';
import { RangeLock } from '../node/range-lock.ts';
import {
  INSTALL_LOCK,
  type InstalledFile,
  readInstallRecord,
  writeInstallRecord,
} from '../node-config/install-record.ts';
import { VERSION } from '../wire/version.ts';
import { makeFolderOf } from './folder-option.ts';
import {
  type Action,
  type FileToInstall,
  type PreparedFile,
  placeFile,
  prepareFile,
  sha256Of,
  sha256OfFile,
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
  /** By a program that is a script: a single executable has it in itself. */
  isNeeded: boolean | 'by scripts';
}

const STANDALONE = 'multus-standalone';
/** What it is as a script, of which code is kept. */
const STANDALONE_TEXT = 'multus-standalone.cjs';

/**
 * In the order in which they are put there: the shim comes when all that it may start is there.
 * `multus-shim` and `passthru` are names that Multus's configurations and definitions have.
 */
const PARTS: Part[] = [
  { name: 'package.json', mode: 0o644, isNeeded: false },
  { name: 'multus_native.node', mode: 0o644, isNeeded: true },
  // For nodes on which programs ask an API server themselves.
  { name: 'multus-credentials.cjs', mode: 0o644, isNeeded: true },
  { name: 'multus-yaml.cjs', mode: 0o644, isNeeded: true },
  { name: STANDALONE_TEXT, mode: 0o644, isNeeded: 'by scripts' },
  { name: STANDALONE, mode: 0o755, isNeeded: true },
  { name: 'multus-cli', mode: 0o755, isNeeded: false },
  { name: 'multus', mode: 0o755, also: ['multus-shim', 'passthru'], isNeeded: true },
];

/** A single executable has more than 100 MB, and a node may have a slow disk. */
const LOCK_WAIT_MS = 120_000;

interface Done {
  path: string;
  action: Action | 'compiled';
  bytes: number;
  sha256: string;
}

function isScript(path: string): boolean {
  const start = Buffer.alloc(2);
  try {
    const file = openSync(path, 'r');
    readSync(file, start);
    closeSync(file);
  } catch {
    // whoever wants to have it says what is wrong with it
  }
  return start.toString('latin1') === '#!';
}

function filesOf(part: Part, { from, binDir }: InstallOptions, known: ReadonlySet<string>): FileToInstall[] {
  const source = join(from, part.name);
  const there = lstatSync(source, { throwIfNoEntry: false });
  // A link in a folder for hosts without Node: that program is another's, which the shim knows to be it.
  if (there?.isSymbolicLink()) return [];
  if (there === undefined) {
    if (part.isNeeded === false || (part.isNeeded === 'by scripts' && !isScript(join(from, STANDALONE)))) return [];
    throw new Error(`Cannot install: ${source} is not there; name the folder of the programs with --from`);
  }
  const paths = [part.name, ...(part.also ?? [])].map((name) => join(binDir, name));
  return paths.map((path) => ({ source, path, mode: part.mode, isKnown: known.has(path) }));
}

/** What else has this name in a folder of programs is somebody's package: that would be another one with ours. */
function checkNames(files: readonly FileToInstall[]): void {
  const other = files.find(
    ({ source, path, isKnown }) =>
      !isKnown && basename(path) === 'package.json' && existsSync(path) && sha256OfFile(path) !== sha256Of(source),
  );
  if (other === undefined) return;
  throw new Error(`Cannot install to --bin-dir ${dirname(other.path)}: ${other.path} is there, and is not ours`);
}

/**
 * Written first, so that what fails half-way leaves nothing that nobody knows of; what was there before stays on the list
 * until all of it is in place. What was put elsewhere before stays for good: it is still to be removed some day.
 */
async function writeDown(options: InstallOptions, added: readonly InstalledFile[], isDone: boolean): Promise<void> {
  const { cniDir, kubeconfig } = options;
  const paths = new Set(added.map(({ path }) => path));
  const before = readInstallRecord(cniDir);
  const { files: earlier = [], configs = [], kubeconfigs = [], withdrawnAt } = before ?? {};
  const kept = earlier.filter(({ path }) => !isDone || !paths.has(path));
  const credentials = new Set([...kubeconfigs, ...(kubeconfig === undefined ? [] : [kubeconfig])]);
  const written = { version: VERSION, files: [...kept, ...added], configs, kubeconfigs: [...credentials] };
  const withdrawn = isDone || withdrawnAt === undefined ? {} : { withdrawnAt };
  await writeInstallRecord(cniDir, { ...written, ...withdrawn });
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
  const path = join(cniDir, INSTALL_LOCK);
  const signal = AbortSignal.timeout(LOCK_WAIT_MS);
  return RangeLock.acquire(path, { start: 0, length: 0, signal }).catch((error: Error) => {
    if (!signal.aborted) throw error;
    throw new Error(`Cannot install: another "multus install" has held ${path} for ${LOCK_WAIT_MS / 1000} s`);
  });
}

/** @throws Error saying what is in its place already */
async function placeAll(prepared: readonly PreparedFile[]): Promise<void> {
  const placed: string[] = [];
  try {
    for (const one of prepared) {
      await placeFile(one);
      placed.push(one.file.path);
    }
  } catch (error) {
    for (const { draft } of prepared) await draft?.discard();
    const what = placed.length === 0 ? 'nothing is' : `${placed.join(', ')} are`;
    const remedy = 'install again, or "multus uninstall"';
    throw new Error(`${(error as Error).message}; ${what} in place already: ${remedy}`, { cause: error });
  }
}

/** @returns what was done, or would be */
async function installFiles(options: InstallOptions, files: readonly FileToInstall[]): Promise<Done[]> {
  const isTrial = options.dryRun === true;
  const added = files.map(({ path, source }): InstalledFile => ({ path, sha256: sha256Of(source) }));
  if (!isTrial) await writeDown(options, added, false);
  const prepared = await prepareAll(files, isTrial);
  const done = prepared.map(({ file, action }, index): Done => {
    return { path: file.path, action, bytes: statSync(file.source).size, sha256: added[index]?.sha256 ?? '' };
  });
  if (isTrial) return done;
  await placeAll(prepared);
  for (const file of files) verifyFile(file);
  await writeDown(options, added, true);
  return done;
}

/**
 * The standalone program's first start is as fast as the others. Code that is there is left as it is: it may be of another
 * Node, which runs the program on this node.
 * @returns what to print; nothing where no code can be kept, which costs time and nothing else
 */
function compileText(done: readonly Done[]): Done[] {
  const text = done.find(({ path }) => basename(path) === STANDALONE_TEXT);
  if (text === undefined) return [];
  const path = codePathOf(text.path);
  if (text.action === 'unchanged' && existsSync(path)) return [];
  try {
    compileProgram(text.path);
    return [{ path, action: 'compiled', bytes: statSync(path).size, sha256: sha256Of(path) }];
  } catch {
    return [];
  }
}

/**
 * Put every program in its place, and on the list of what is to be removed some day.
 * @returns what to print
 * @throws Error, CniError 5 naming the file that could not be put in its place
 */
export async function install(options: InstallOptions): Promise<string> {
  const binDir = resolve(options.binDir);
  const known = new Set((readInstallRecord(options.cniDir)?.files ?? []).map(({ path }) => path));
  const files = PARTS.flatMap((part) => filesOf(part, { ...options, binDir }, known));
  checkNames(files);
  const isTrial = options.dryRun === true;
  if (!isTrial) {
    makeFolderOf('--bin-dir', binDir, 0o755);
    makeFolderOf('--cni-dir', options.cniDir, 0o700);
  }
  const lock = isTrial ? undefined : await lockInstall(options.cniDir);
  try {
    const done = await installFiles(options, files);
    const compiled = isTrial ? [] : compileText(done);
    const all = [...done, ...compiled];
    const notes = existsSync(binDir) ? notesOn(binDir, all) : [];
    return reportOf(all, notes, options);
  } finally {
    lock?.release();
  }
}
