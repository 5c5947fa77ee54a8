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
import { writeWholeFile } from '../node/whole-file.ts';
import {
  INSTALL_LOCK,
  INSTALL_RECORD,
  type InstallRecord,
  readInstallRecord,
  writeInstallRecord,
} from '../node-config/install-record.ts';
import { CILIUM_SUFFIX, readPrimaryFolder } from '../node-config/primary-candidates.ts';
import { readPrimaryMemory } from '../node-config/primary-memory.ts';
import { DEFAULT_TYPE } from '../pod/node-config.ts';
import { SOCKET_NAME } from '../wire/http.ts';
import { VERSION } from '../wire/version.ts';
import { sha256OfFile } from './install-file.ts';
import { ownConfigs } from './runtime-folder.ts';

export interface NodeFolders {
  binDir: string;
  cniDir: string;
  confDir: string;
  socketDir: string;
}

export interface UninstallOptions extends NodeFolders {
  /** Remove programs and state although pods are attached: nobody detaches their further networks then. */
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
  /** Why programs and state are still there; empty when they are gone. */
  waitsFor: string[];
}

/** Multus's thin plugin renames the primary so when it is told to. */
const RENAMED_SUFFIXES = [CILIUM_SUFFIX, '.old'];

/** What of the state directory is ours and nobody else's; what was damaged stays, for whoever looks into it. */
const STATE_NAMES = [INSTALL_RECORD, INSTALL_LOCK, '.primary.json', '.definitions.json', '.outbox', '.lock'];

/** What a daemon leaves beside its socket; the socket itself, when it was killed. */
const SOCKET_NAMES = [SOCKET_NAME, `.${SOCKET_NAME}.lock`, 'overlay.json'];

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

/** Who is still attached by us, as people know them. @throws CniError 105 when the journal cannot be listed */
export function attachedPods(cniDir: string): string[] {
  const journal = new Journal(cniDir);
  return journal.list().map((containerId) => {
    try {
      const record = journal.find(containerId);
      const pod = record === undefined || record instanceof ForeignRecord ? '' : record.pod;
      return `pod ${pod || 'unknown'}, container ${containerId.slice(0, 13)}`;
    } catch {
      return `container ${containerId.slice(0, 13)}, whose journal file cannot be read`;
    }
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
  const { binDir, cniDir, confDir } = options;
  if (record.withdrawnAt === undefined) {
    const withdrawnAt = new Date().toISOString();
    await steps.take('told daemons to keep their hands off the configuration', () =>
      writeInstallRecord(cniDir, { ...record, withdrawnAt }),
    );
  }
  for (const path of ownConfigs(confDir, binDir, record)) {
    await steps.take(`removed ${path}`, () => rmSync(path, { force: true }));
  }
  await restorePrimary(confDir, cniDir, steps);
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
    // In a container it may be a mount, in a root that is read-only: the empty folder stays on the node.
    if (!['EBUSY', 'EROFS'].includes(String((error as NodeJS.ErrnoException).code))) throw error;
  }
}

async function removeAll({ cniDir, socketDir }: NodeFolders, record: InstallRecord, steps: Steps): Promise<void> {
  // The shim first: what runs it then finds all of it or nothing.
  for (const { path, sha256 } of [...record.files].reverse()) {
    const found = sha256OfFile(path);
    if (found === sha256) await steps.take(`removed ${path}`, () => rmSync(path));
    else if (found !== undefined) steps.done.push(`left ${path}: it is not what was installed`);
  }
  if (record.files.length === 0) steps.done.push('left the programs: no "multus install" wrote down which they are');
  const state = STATE_NAMES.map((name) => join(cniDir, name));
  const ofDaemons = SOCKET_NAMES.map((name) => join(socketDir, name));
  const others = [...ofDaemons, ...(record.kubeconfig === undefined ? [] : [record.kubeconfig])];
  for (const path of [...state, ...others].filter((one) => existsSync(one))) {
    await steps.take(`removed ${path}`, () => rmSync(path, { recursive: true, force: true }));
  }
  await steps.take('removed the folders that are empty now', () => [cniDir, socketDir].forEach(removeIfEmpty));
}

/** Who keeps programs and state in their place. */
async function findWaiting({ cniDir, socketDir, force = false }: UninstallOptions): Promise<string[]> {
  const attached = force ? [] : attachedPods(cniDir);
  const pods = attached.map((one) => `${one}: its networks are detached after the pod is gone`);
  // A daemon would begin anew with what is removed.
  return (await isDaemonThere(socketDir)) ? [...pods, `multusd, which answers in ${socketDir}: end it`] : pods;
}

/**
 * @throws Error, CniError when a file cannot be changed or the journal cannot be read; to be run again then
 */
export async function uninstall(options: UninstallOptions): Promise<Uninstalled> {
  const { cniDir, dryRun = false } = options;
  const steps = new Steps(dryRun);
  const record = readInstallRecord(cniDir) ?? { version: VERSION, files: [] };
  await giveBack(options, record, steps);
  const gone = dryRun ? 0 : await detachTheDead(options);
  if (gone > 0) steps.done.push(`detached what was left of pods that are gone: ${gone}`);
  const finish = async (): Promise<Uninstalled> => {
    const waitsFor = await findWaiting(options);
    if (waitsFor.length === 0) await removeAll(options, record, steps);
    return { done: steps.done, waitsFor };
  };
  if (dryRun) return finish();
  // An ADD that began before the configuration was gone has its record only later.
  const lock = { cniDir, command: 'uninstall', door: 'standalone', signal: AbortSignal.timeout(LOCK_WAIT_MS) } as const;
  return withNodeLock(lock, finish);
}
