/**
 * The file by which the runtime finds us, kept as it has to be.
 *
 * A runtime takes the first file of its folder, so the file decides what a pod gets while nobody looks:
 * - It outlives the daemon. Without it, pods that start while the daemon restarts would silently get the primary
 *   network only; with it, the standalone program answers.
 * - A primary that cannot be used changes nothing: the last good file stays.
 * - A primary that is gone for longer than GRACE_MS takes the file with it, so that the node is not ready, unless the
 *   runtime would then use another file for the pods. Until then, ADD fails and says what is missing.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, extname } from 'node:path';
import type { Log } from '../attach/operation.ts';
import { toCniError } from '../cni/errors.ts';
import { writeWholeFile } from '../node/whole-file.ts';
import { DEFAULT_TYPE, isWrapper } from '../pod/node-config.ts';
import { followFolders } from './follow-folders.ts';
import type { NodeConfigOrigin, NodeConfigText } from './node-config-text.ts';
import { CILIUM_SUFFIX, loadIfUsable } from './primary-candidates.ts';
import { CILIUM_REMEDY, GRACE_MS } from './primary-choice.ts';

/**
 * Between two times that it is put back: two programs that undo each other's work must not spin. The first time it is put
 * back at once: Multus removes it as it ends, and pods that start until then would silently get the primary network only.
 */
const RESTORE_PAUSE_MS = 5000;

/** What containerd and CRI-O read in their folder. */
const RUNTIME_EXTENSIONS = ['.conf', '.conflist', '.json'];

export class NodeConfigFile {
  private readonly origin: NodeConfigOrigin;
  private readonly path: string;
  private readonly log: Log;
  /** The text that the file was last seen with or given. */
  private text: string | undefined;
  private restoredAt = Number.NEGATIVE_INFINITY;
  private writes = 0;
  private absentSince: number | undefined;
  private said = '';

  constructor(origin: NodeConfigOrigin, log: Log) {
    this.origin = origin;
    this.path = origin.target;
    this.log = log;
  }

  /**
   * Make the file what it has to be now. Logs instead of throwing, each state once; one call at a time.
   * @param now milliseconds of a clock that only goes forward
   */
  async look(now: number): Promise<void> {
    try {
      const wanted = await this.origin.text(now);
      if (wanted.text === undefined) {
        this.missing(wanted.reason, now);
      } else {
        this.absentSince = undefined;
        await this.put(wanted, now);
      }
    } catch (error) {
      this.say('error', { reason: toCniError(error).message }, 'node configuration left as it is');
    }
  }

  private async put({ text, from, remarks }: Extract<NodeConfigText, { text: string }>, now: number): Promise<void> {
    const isOnDisk = this.read() === text;
    const isKnown = this.text === text;
    if (!isOnDisk && isKnown && now - this.restoredAt < RESTORE_PAUSE_MS) return;
    if (!isOnDisk) {
      const renamed = this.renamedReason();
      if (isKnown || renamed !== undefined) {
        const fields = { file: this.path, ...(renamed === undefined ? {} : { reason: renamed }) };
        this.log.warn(fields, 'somebody changed or removed the node configuration');
      }
      await writeWholeFile(this.path, text, 0o600);
      if (isKnown) this.restoredAt = now;
      this.writes += 1;
    }
    this.text = text;
    this.removeReplaced();
    const level = remarks.length === 0 ? 'info' : 'warn';
    const told = remarks.length === 0 ? {} : { remarks };
    this.say(level, { from, writes: this.writes, ...told }, 'node configuration in place');
  }

  /** How Cilium puts away what is not its own; undefined when it did not. */
  private renamedReason(): string | undefined {
    const renamed = this.path + CILIUM_SUFFIX;
    if (existsSync(this.path) || !existsSync(renamed)) return undefined;
    return `Cilium renamed it to ${renamed}; ${CILIUM_REMEDY}`;
  }

  /** What Multus or an earlier version left under the other name, and nothing that somebody else put there. */
  private removeReplaced(): void {
    const { replaces = '' } = this.origin;
    const network = existsSync(replaces) ? loadIfUsable(replaces) : undefined;
    if (network === undefined || !isWrapper(network, DEFAULT_TYPE)) return;
    rmSync(replaces, { force: true });
    this.log.info({ file: replaces, now: this.path }, 'removed the node configuration of another name');
  }

  private missing(reason: string, now: number): void {
    this.absentSince ??= now;
    const next = this.nextForRuntime();
    if (!existsSync(this.path)) {
      this.say('warn', { reason }, 'no node configuration yet');
    } else if (now - this.absentSince < GRACE_MS) {
      this.say('warn', { reason }, 'node configuration kept for a while');
    } else if (next !== undefined) {
      this.say('error', { reason, next }, 'node configuration kept: pods would get another network without it');
    } else {
      rmSync(this.path, { force: true });
      this.text = undefined;
      this.log.error({ file: this.path, reason }, 'node configuration withdrawn: the node has no default network');
    }
  }

  /** What the runtime would use if our file were not there. */
  private nextForRuntime(): string | undefined {
    return readdirSync(dirname(this.path))
      .sort()
      .find((name) => name !== basename(this.path) && RUNTIME_EXTENSIONS.includes(extname(name)));
  }

  private read(): string | undefined {
    try {
      return readFileSync(this.path, 'utf8');
    } catch {
      return undefined; // what matters then is whether it can be written
    }
  }

  /** Every look finds the same again until something changes. */
  private say(level: 'info' | 'warn' | 'error', fields: object, message: string): void {
    const said = JSON.stringify([message, fields]);
    if (said === this.said) return;
    this.said = said;
    this.log[level]({ file: this.path, ...fields }, message);
  }
}

/** Keep the file until `signal` aborts; it stays then. Not to be called before the socket answers. */
export function keepNodeConfig(origin: NodeConfigOrigin, log: Log, signal: AbortSignal): Promise<void> {
  const file = new NodeConfigFile(origin, log);
  return followFolders({ folders: origin.folders, look: () => file.look(performance.now()), log, signal });
}
