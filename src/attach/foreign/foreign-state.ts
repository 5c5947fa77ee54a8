/** What Multus or its TKE fork left on disk of one container: its own file, libcni's results, or only one of the two. */
import { rmSync, statSync } from 'node:fs';
import { CniCode, CniError } from '../../cni/errors.ts';
import type { ForeignDelegate, ForeignFile } from './foreign-record.ts';
import { type CachedAttachment, oldResultPath, readOldResult } from './libcni-cache.ts';

const NO_FILE: ForeignFile = { isTke: false, delegates: [], problems: [] };

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw new CniError(CniCode.stateFailure, `Cannot remove ${path}: ${(error as Error).message}`, { cause: error });
  }
}

export class ForeignRecord {
  readonly containerId: string;
  readonly file: ForeignFile;
  /** Empty for the TKE fork. */
  readonly cached: readonly CachedAttachment[];
  /** ISO 8601. */
  readonly createdAt: string;
  /** The program's own file. */
  readonly path: string | undefined;

  /**
   * @param found the program's own file; without it what libcni kept is all there is: Multus removes its file also
   *   when a delegate failed DEL
   */
  constructor(containerId: string, cached: readonly CachedAttachment[], found?: { path: string; file: ForeignFile }) {
    this.containerId = containerId;
    this.cached = cached;
    this.file = found?.file ?? NO_FILE;
    this.path = found?.path;
    const written = this.path === undefined ? undefined : statSync(this.path, { throwIfNoEntry: false })?.mtime;
    this.createdAt = (written ?? cached[0]?.writtenAt ?? new Date()).toISOString();
  }

  /** Who attached the container, for people. */
  get program(): string {
    return this.file.isTke ? 'the TKE fork of Multus' : 'Multus';
  }

  /**
   * The result that the TKE fork's libcni kept, '' when there is none. A network that the pod has twice has one
   * result, of whichever attachment came last: it is believed where it names the interface.
   */
  oldResult({ configName, ifName }: ForeignDelegate): string {
    const path = this.file.isTke ? oldResultPath(configName, this.containerId) : undefined;
    const result = path === undefined ? '' : readOldResult(path);
    const isAlone = this.file.delegates.filter((one) => one.configName === configName).length === 1;
    return isAlone || result.includes(JSON.stringify(ifName)) ? result : '';
  }

  /** Remove what libcni kept of one interface. @throws CniError 105 */
  forget(ifName: string): void {
    for (const { path } of this.cached.filter((one) => one.ifName === ifName)) remove(path);
  }

  /**
   * Remove every file.
   * @param except our own record, which may have taken the place of the program's file
   * @throws CniError 105
   */
  remove(except = ''): void {
    const old = this.file.isTke
      ? this.file.delegates.map(({ configName }) => oldResultPath(configName, this.containerId))
      : [];
    for (const path of [this.path, ...this.cached.map((one) => one.path), ...old]) {
      if (path !== undefined && path !== except) remove(path);
    }
  }
}
