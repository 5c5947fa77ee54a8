/** Looks again whenever something changes in a folder. */
import { existsSync, type FSWatcher, watch } from 'node:fs';
import type { Log } from '../attach/operation.ts';

/**
 * Between two looks without an event: folders that are mounted from elsewhere have none, and a node may have no
 * inotify watches left.
 */
const RECHECK_MS = 5000;

/** A file is changed in several steps; the first event must not find it half written. */
const SETTLE_MS = 50;

export interface FollowOptions {
  folders: readonly string[];
  look: () => Promise<void>;
  log: Log;
  signal: AbortSignal;
  recheckMs?: number;
}

/** The watched folders; those that are not there are watched once they are. */
class Watches {
  private readonly watches = new Map<string, FSWatcher>();
  private readonly log: Log;
  private readonly onChange: () => void;

  constructor(log: Log, onChange: () => void) {
    this.log = log;
    this.onChange = onChange;
  }

  arm(folders: readonly string[]): void {
    for (const folder of folders) {
      if (this.watches.has(folder) || !existsSync(folder)) continue;
      try {
        const one = watch(folder, { persistent: false }, () => {
          if (!existsSync(folder)) this.drop(folder); // one of the same name may come, which this does not watch
          this.onChange();
        });
        one.on('error', () => this.drop(folder));
        this.watches.set(folder, one);
      } catch (error) {
        this.log.debug({ folder, reason: (error as Error).message }, 'cannot watch folder; looking at it regularly');
      }
    }
  }

  close(): void {
    for (const folder of [...this.watches.keys()]) this.drop(folder);
  }

  private drop(folder: string): void {
    this.watches.get(folder)?.close();
    this.watches.delete(folder);
  }
}

/** Calls `look` at once and after every change, never twice at a time; settles when `signal` aborts. */
export async function followFolders(options: FollowOptions): Promise<void> {
  const { folders, look, log, signal, recheckMs = RECHECK_MS } = options;
  let isChanged = false;
  let wake = (): void => undefined;
  const change = (): void => {
    isChanged = true;
    wake();
  };
  const pause = async (ms: number): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      wake = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  };
  const watches = new Watches(log, change);
  signal.addEventListener('abort', change, { once: true });
  while (!signal.aborted) {
    isChanged = false;
    watches.arm(folders);
    await look();
    if (!isChanged) await pause(recheckMs);
    if (isChanged && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  }
  watches.close();
}
