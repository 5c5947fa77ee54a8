/**
 * `multus uninstall`: give the node back to its primary configuration without breaking a pod that runs.
 *
 * What a runtime does for a pod that we attached, once our file is gone: containerd's DEL goes to the primary's plugins
 * only, and the pod's other networks are detached by nobody; CRI-O's DEL still runs us, by the configuration that it kept
 * with the pod. So it goes in two steps, and the command may be run as often as one likes:
 * - at once: no new pod is attached by us. Programs and journal stay; pods keep all their networks, and can be deleted.
 * - what the journal has of pods that are gone is detached; when nothing is left in it, programs and state go, too.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ForeignRecord } from '../attach/foreign/foreign-state.ts';
import { Journal } from '../attach/journal.ts';
import { withNodeLock } from '../attach/locks.ts';
import { type Log, NEVER_ABORTED } from '../attach/operation.ts';
import { SILENT } from '../attach/publish/announcer.ts';
import { RetryTimes, reconcile } from '../attach/reconcile.ts';
import { createSources } from '../cluster/sources.ts';
import { LocalRunner } from '../delegate/local-runner.ts';
import { codeFilesOf } from '../node/program-code.ts';
import { writeWholeFile } from '../node/whole-file.ts';
import { type InstallRecord, readInstallRecord, writeInstallRecord } from '../node-config/install-record.ts';
import { CILIUM_SUFFIX, readPrimaryFolder } from '../node-config/primary-candidates.ts';
import { readPrimaryMemory } from '../node-config/primary-memory.ts';
import { DEFAULT_TYPE } from '../pod/node-config.ts';
import { SOCKET_NAME } from '../wire/http.ts';
import { VERSION } from '../wire/version.ts';
import { type AttachedPod, attachedPods, dropAttached, isStuck, stuckText } from './attached-pods.ts';
import { sha256OfFile } from './install-file.ts';
import { type NodeFolders, recordedConfDirs } from './node-folders.ts';
import { isNothingThere, SOCKET_NAMES, STATE_NAMES, unlistedPrograms } from './on-node.ts';
import { ownConfigs } from './runtime-folder.ts';

export interface UninstallOptions extends NodeFolders {
  /**
   * Remove programs and state although pods are attached: nobody detaches their further networks then. What can never be
   * detached is dropped from the journal.
   */
  force?: boolean;
  dryRun?: boolean;
  log: Log;
  /** PATH of the plugins that detach. */
  path: string | undefined;
  /** Where libcni, in the runtime, keeps the results of networks. */
  runtimeCache: string;
}

export interface Uninstalled {
  /** What was done, or would be. */
  done: string[];
  /** Why programs and state are still there; they are gone when this is empty and `stuck` is. */
  waitsFor: string[];
  /** What waiting does not end. */
  stuck: string[];
}

/** Multus's thin plugin renames the primary so when it is told to. */
const RENAMED_SUFFIXES = [CILIUM_SUFFIX, '.old'];

/** How long operations that are under way may take to end. */
const LOCK_WAIT_MS = 10_000;

/** Does everything through one door, so that a trial does nothing. */
class Steps {
  readonly done: string[] = [];
  private readonly isTrial: boolean;

  constructor(isTrial: boolean) {
    this.isTrial = isTrial;
  }

  async take(what: string, act: () => void | Promise<void>): Promise<void> {
    if (!this.isTrial) await act();
    this.done.push(this.isTrial ? `would have ${what}` : what);
  }
}

/** Does a daemon listen there? One that hangs takes no more than its queue holds (EAGAIN). */
export function isDaemonThere(socketDir: string): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(join(socketDir, SOCKET_NAME));
    socket.once('connect', () => answer(true));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => answer(code === 'EAGAIN'));
    socket.once('connect', () => socket.destroy());
  });
}

/** When no configuration is left, the primary's that was put out of the way, or lies elsewhere, is put back. */
async function restorePrimary(confDir: string, cniDir: string, steps: Steps): Promise<void> {
  const memory = readPrimaryMemory(cniDir);
  if (memory === undefined || !existsSync(confDir)) return;
  if (readPrimaryFolder(confDir, DEFAULT_TYPE).candidates.length > 0) return;
  const path = join(confDir, memory.file);
  const renamed = RENAMED_SUFFIXES.map((suffix) => path + suffix).find((one) => existsSync(one));
  const elsewhere = join(memory.folder, memory.file);
  if (renamed !== undefined) await steps.take(`renamed ${renamed} back to ${path}`, () => renameSync(renamed, path));
  else if (elsewhere !== path && existsSync(elsewhere)) {
    await steps.take(`copied ${elsewhere} to ${path}`, () => writeWholeFile(path, readFileSync(elsewhere), 0o600));
  }
}

/** From here on no new pod comes to us. The word to the daemons comes first: they would write the file again. */
async function giveBack(options: UninstallOptions, record: InstallRecord, steps: Steps): Promise<void> {
  const { binDir, cniDir, confDirs, pluginDirs } = options;
  if (record.withdrawnAt === undefined) {
    const withdrawnAt = new Date().toISOString();
    await steps.take('told daemons to keep their hands off the configuration', () =>
      writeInstallRecord(cniDir, { ...record, pluginDirs, withdrawnAt }),
    );
  }
  for (const path of confDirs.flatMap((folder) => ownConfigs(folder, binDir, record))) {
    await steps.take(`removed ${path}`, () => rmSync(path, { force: true }));
  }
  const recorded = recordedConfDirs(record);
  for (const folder of recorded.length > 0 ? recorded : confDirs) await restorePrimary(folder, cniDir, steps);
}

/** Paths by container of what the runtime keeps of our network for its DEL, which comes to the primary instead. */
function cachedResults({ cniDir, runtimeCache }: UninstallOptions): Map<string, string> {
  const journal = new Journal(cniDir);
  const paths = new Map<string, string>();
  for (const containerId of journal.list()) {
    try {
      const record = journal.find(containerId);
      if (record === undefined || record instanceof ForeignRecord) continue;
      paths.set(containerId, join(runtimeCache, `${record.name}-${containerId}-${record.ifName}`));
    } catch {
      // damaged: it is told with those that are still attached
    }
  }
  return paths;
}

/** @returns of how many containers nothing is left */
async function detachTheDead(options: UninstallOptions): Promise<number> {
  const { cniDir, log } = options;
  const results = cachedResults(options);
  const before = new Journal(cniDir).list();
  const runner = (searchPath: readonly string[]) => new LocalRunner({ searchPath, baseEnv: { PATH: options.path } });
  const openSource = createSources({ log, userAgent: `multus-native/${VERSION} (uninstall)` });
  const context = { openSource, announcer: SILENT, log, signal: NEVER_ABORTED };
  await reconcile({ cniDir, runner, ...context }, new RetryTimes());
  const left = new Set(new Journal(cniDir).list());
  const gone = before.filter((containerId) => !left.has(containerId));
  for (const path of gone.map((containerId) => results.get(containerId))) {
    if (path !== undefined) rmSync(path, { force: true });
  }
  return gone.length;
}

function removeIfEmpty(folder: string): void {
  if (!existsSync(folder) || readdirSync(folder).length > 0) return;
  try {
    rmdirSync(folder);
  } catch (error) {
    // In a container it may be a mount, in a root folder that is read-only: the empty folder stays on the node.
    if (!['EBUSY', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** What V8 made of a program that is gone now: no list has it, as the program makes it anew. */
async function removeCode(path: string, steps: Steps): Promise<void> {
  for (const code of codeFilesOf(path).filter((one) => existsSync(one))) {
    await steps.take(`removed ${code}`, () => rmSync(code));
  }
}

async function removeAll(
  { binDir, cniDir, socketDir }: NodeFolders,
  record: InstallRecord,
  steps: Steps,
): Promise<void> {
  // The shim first: what runs it then finds all of it or nothing.
  for (const path of new Set(record.files.map((file) => file.path).reverse())) {
    const found = sha256OfFile(path);
    const isOurs = record.files.some((file) => file.path === path && file.sha256 === found);
    if (isOurs) await steps.take(`removed ${path}`, () => rmSync(path));
    if (isOurs || found === undefined) await removeCode(path, steps);
    else steps.done.push(`left ${path}: it is not what was installed`);
  }
  const unlisted = unlistedPrograms(binDir, record);
  if (unlisted.length > 0) {
    steps.done.push(`left ${unlisted.join(', ')}: no "multus install" wrote down that they are ours`);
  }
  const state = STATE_NAMES.map((name) => join(cniDir, name));
  const ofDaemons = SOCKET_NAMES.map((name) => join(socketDir, name));
  const others = [...ofDaemons, ...(record.kubeconfigs ?? [])];
  for (const path of [...state, ...others].filter((one) => existsSync(one))) {
    await steps.take(`removed ${path}`, () => rmSync(path, { recursive: true, force: true }));
  }
  await steps.take('removed the folders that are empty now', () => [cniDir, socketDir].forEach(removeIfEmpty));
}

async function dropStuck(pods: readonly AttachedPod[], cniDir: string, steps: Steps): Promise<void> {
  for (const pod of pods.filter(isStuck)) {
    await steps.take(`dropped ${pod.who} (${pod.goneFor}), which cannot be detached: ${pod.problem}`, () =>
      dropAttached(pod, cniDir),
    );
  }
}

function waitText({ who, goneFor }: AttachedPod): string {
  if (goneFor === undefined) return `${who}: its networks are detached after the pod is gone`;
  return `${who} (${goneFor}): it is not detached yet, run this again`;
}

/** Who keeps programs and state in their place. */
async function findWaiting(options: UninstallOptions, steps: Steps): Promise<Omit<Uninstalled, 'done'>> {
  const { cniDir, socketDir, force = false, dryRun = false } = options;
  const pods = attachedPods(cniDir);
  if (force) await dropStuck(pods, cniDir, steps);
  const detached = dryRun ? pods.filter((pod) => pod.goneFor !== undefined && !isStuck(pod)) : [];
  for (const { who, goneFor } of detached) steps.done.push(`would have detached ${who} (${goneFor})`);
  const kept = force ? [] : pods.filter((pod) => !detached.includes(pod));
  const waitsFor = kept.filter((pod) => !isStuck(pod)).map(waitText);
  // A daemon would begin anew with what is removed.
  if (await isDaemonThere(socketDir)) waitsFor.push(`multusd, which answers in ${socketDir}: end it`);
  return { waitsFor, stuck: kept.filter(isStuck).map((pod) => stuckText(pod, cniDir)) };
}

/**
 * @throws Error, CniError when a file cannot be changed or the journal cannot be read; to be run again then
 */
export async function uninstall(options: UninstallOptions): Promise<Uninstalled> {
  const { cniDir, dryRun = false } = options;
  const steps = new Steps(dryRun);
  if (isNothingThere(options)) return { done: ['nothing of multus-native is on this node'], waitsFor: [], stuck: [] };
  const record = readInstallRecord(cniDir) ?? { version: VERSION, files: [] };
  await giveBack(options, record, steps);
  const gone = dryRun ? 0 : await detachTheDead(options);
  if (gone > 0) steps.done.push(`detached what was left of pods that are gone: ${gone}`);
  const finish = async (): Promise<Uninstalled> => {
    const { waitsFor, stuck } = await findWaiting(options, steps);
    if (waitsFor.length + stuck.length === 0) await removeAll(options, record, steps);
    return { done: steps.done, waitsFor, stuck };
  };
  if (dryRun) return finish();
  // An ADD that began before the configuration was gone has its record only later.
  const lock = { cniDir, command: 'uninstall', door: 'standalone', signal: AbortSignal.timeout(LOCK_WAIT_MS) } as const;
  return withNodeLock(lock, finish);
}
