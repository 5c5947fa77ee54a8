/**
 * `<socketDir>/multus.sock`, the way to the daemon.
 *
 * A daemon listens under a name of its own and renames that over the file: who connects reaches the one daemon or the
 * other, and never nobody. The one that was replaced still has those who wait in its queue; nothing that it closes or
 * removes later is the other's.
 */
import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { makeFolder } from '../node/make-folder.ts';
import { RangeLock } from '../node/range-lock.ts';
import { StartError } from '../node-config/start-error.ts';
import { SOCKET_NAME } from '../wire/http.ts';

/** How long another daemon's start or end may hold up this one's. */
const LOCK_LIMIT_MS = 10_000;

/** As short as the real name: the kernel takes no more than 107 bytes for the whole path. */
const DRAFT_PREFIX = '.sock-';

/** `replaced`: it is another's; `gone`: nothing is there. */
export type SocketState = 'ours' | 'replaced' | 'gone';

export class SocketFile {
  readonly folder: string;
  readonly path: string;
  /** Our own, pinned by the listening socket: no other file gets its number meanwhile. */
  private own: { dev: bigint; ino: bigint } | undefined;

  constructor(folder: string) {
    this.folder = folder;
    this.path = join(folder, SOCKET_NAME);
  }

  get state(): SocketState {
    const there = lstatSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (there === undefined) return 'gone';
    return there.ino === this.own?.ino && there.dev === this.own.dev ? 'ours' : 'replaced';
  }

  /**
   * Run `work` while no other daemon touches the file; the folder (0700) is made when it is missing.
   * @throws StartError 3 when that takes too long; system errors; what `work` throws
   */
  async locked<T>(work: () => Promise<T>): Promise<T> {
    makeFolder(this.folder, 0o700);
    const path = join(this.folder, `.${SOCKET_NAME}.lock`);
    const signal = AbortSignal.timeout(LOCK_LIMIT_MS);
    const lock = await RangeLock.acquire(path, { start: 0, length: 0, signal }).catch((error: Error) => {
      if (!signal.aborted) throw error;
      throw new StartError(3, `Cannot listen on ${this.path}: another daemon has held ${path} for ${LOCK_LIMIT_MS} ms`);
    });
    try {
      return await work();
    } finally {
      lock.release();
    }
  }

  /** @throws StartError 3 when something is there that cannot be a daemon's, and must not be lost */
  requireReplaceable(): void {
    const there = lstatSync(this.path, { throwIfNoEntry: false });
    if (there === undefined || there.isSocket()) return;
    throw new StartError(3, `Cannot listen on ${this.path}: something else than a socket is there`);
  }

  /** Make `server` listen (mode 0600) in place of whoever did. Only within `locked`. @throws system errors */
  async put(server: Server): Promise<void> {
    for (const name of readdirSync(this.folder)) {
      if (name.startsWith(DRAFT_PREFIX)) rmSync(join(this.folder, name)); // of a daemon that was killed just here
    }
    const draft = join(this.folder, DRAFT_PREFIX + randomBytes(2).toString('hex'));
    // The socket is made within the call: it is root's from the first moment, not after a chmod.
    const umask = process.umask(0o177);
    const listening = new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(draft, resolve);
    });
    process.umask(umask);
    await listening;
    const { dev, ino } = lstatSync(draft, { bigint: true });
    renameSync(draft, this.path);
    this.own = { dev, ino };
  }

  /** Take it away, if it is still ours: shims then go on alone at once. Only within `locked`. */
  remove(): void {
    if (this.state === 'ours') rmSync(this.path, { force: true });
  }
}
