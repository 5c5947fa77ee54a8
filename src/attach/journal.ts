/**
 * The journal on disk: `<cniDir>/<containerID>`, one file per container, always whole. What Multus left there is found
 * under the same names.
 */
import { lstatSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { CniCode, CniError } from '../cni/errors.ts';
import { bootId } from '../node/boot-id.ts';
import { FewAtATime } from '../node/few-at-a-time.ts';
import { makeFolder } from '../node/make-folder.ts';
import { native } from '../node/native.ts';
import { syncFolder } from '../node/whole-file.ts';
import type { MultusConfig } from '../pod/multus-config.ts';
import { type ForeignFile, parseForeignRecord } from './foreign/foreign-record.ts';
import { ForeignRecord } from './foreign/foreign-state.ts';
import { readCachedAttachments } from './foreign/libcni-cache.ts';
import { DamagedRecordError, formatRecord, type JournalRecord, parseRecord } from './journal-record.ts';

/** Multus keeps libcni's result cache in a folder of this name in the same directory. */
const RESULTS = 'results';

/** Half of Node's threads: a slow disk must leave some for the namespaces of other pods. */
const SYNCS = new FewAtATime(2);

function stateError(action: string, path: string, error: unknown): CniError {
  return new CniError(CniCode.stateFailure, `Cannot ${action} journal file ${path}: ${(error as Error).message}`, {
    cause: error,
  });
}

/** undefined when there is no such file. */
function readIfThere(path: string): string | undefined {
  try {
    // As before every ADD: no error is made for it. From Node 22 on a file in place of the folder looks the same.
    const at = (one: string) => statSync(one, { throwIfNoEntry: false });
    if (at(path) === undefined && at(dirname(path))?.isDirectory()) return undefined;
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw stateError('read', path, error);
  }
}

function removeIfThere(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) unlinkSync(path);
}

/**
 * Not a record: host-local keeps the addresses of a network called "multus" where the TKE fork keeps its state, one
 * file per address.
 */
function isReservation(directory: string, name: string): boolean {
  if (isIP(name) === 0 && name !== 'lock' && !name.startsWith('last_reserved_ip.')) return false;
  return !(readIfThere(join(directory, name)) ?? '').startsWith('[');
}

/** Names of the records' files. */
function recordsIn(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && !isReservation(directory, entry.name))
      .map((entry) => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw stateError('list', directory, error);
  }
}

/** The journal of one state directory. Every method that touches a container wants its lock held. */
export class Journal {
  readonly directory: string;
  private readonly legacyDirectory: string;

  /** @param legacyDirectory where the TKE fork kept its state when that is another directory, else '' */
  constructor(directory: string, legacyDirectory = '') {
    this.directory = directory;
    this.legacyDirectory = legacyDirectory;
  }

  path(containerId: string): string {
    if (containerId === RESULTS) {
      throw new CniError(
        CniCode.invalidEnvironment,
        `Cannot use CNI_CONTAINERID "${containerId}": it is the name of a folder in ${this.directory}`,
      );
    }
    return join(this.directory, containerId);
  }

  /** The file of a container: ours, else the one in the legacy directory. */
  private locate(containerId: string): { path: string; text: string } | undefined {
    const own = this.path(containerId);
    const legacy = this.legacyDirectory === '' ? [] : [join(this.legacyDirectory, containerId)];
    for (const path of [own, ...legacy]) {
      const text = readIfThere(path);
      if (text !== undefined) return { path, text };
    }
    return undefined;
  }

  /**
   * What is known of a container, whoever attached it; undefined when nothing is.
   * @throws CniError 105 when it cannot be read or used; DamagedRecordError when that will never be otherwise
   */
  find(containerId: string): JournalRecord | ForeignRecord | undefined {
    const found = this.locate(containerId);
    if (found === undefined) return this.findCached(containerId);
    const { path, text } = found;
    try {
      const file = parseForeignRecord(text, path);
      return file === undefined ? parseRecord(text, path) : this.findCached(containerId, { path, file });
    } catch (error) {
      const begun = error instanceof DamagedRecordError ? this.readBegun(containerId) : undefined;
      // In the same boot no power has failed: the pod may run, and must not be taken for one whose ADD never ended.
      if (begun !== undefined && begun.bootId !== bootId()) return begun;
      // A damaged file does not hide what libcni kept beside it.
      const problems = error instanceof DamagedRecordError ? [error.message] : undefined;
      const rest = problems && this.findCached(containerId, { path, file: { isTke: false, delegates: [], problems } });
      if (rest === undefined || rest.cached.length === 0) throw error;
      return rest;
    }
  }

  /** What an ADD was about to do, where its record is damaged; undefined when that is not known either. */
  readBegun(containerId: string): JournalRecord | undefined {
    const path = this.begun(containerId);
    const text = readIfThere(path);
    try {
      return text === undefined ? undefined : parseRecord(text, path);
    } catch {
      return undefined; // as damaged as the record
    }
  }

  /** What libcni kept of a container, and its file where there is one; undefined when there is neither. */
  private findCached(containerId: string, file?: { path: string; file: ForeignFile }): ForeignRecord | undefined {
    const cached = readCachedAttachments(join(this.directory, RESULTS), containerId);
    if (file !== undefined) return new ForeignRecord(containerId, cached, file);
    return cached.length === 0 ? undefined : new ForeignRecord(containerId, cached);
  }

  /** Our own record of a container. @throws as find, and CniError 105 when another program attached it */
  read(containerId: string): JournalRecord | undefined {
    const found = this.find(containerId);
    if (!(found instanceof ForeignRecord)) return found;
    throw new CniError(CniCode.stateFailure, `Cannot use container ${containerId}: ${found.program} attached it`);
  }

  /** Write a record so that it is on disk, whole, when the promise settles. @throws CniError 105 */
  write(record: JournalRecord): Promise<void> {
    return this.put(record, { durable: true, keepBegun: false });
  }

  /**
   * Write a record so that readers find it, whole, when the promise settles; sync() puts it on disk.
   * @param keepBegun keep what it replaces until then: it counts where the record does not survive a failure of power
   * @throws CniError 105
   */
  place(record: JournalRecord, { keepBegun = false } = {}): Promise<void> {
    return this.put(record, { durable: false, keepBegun });
  }

  /** Settles when what place() wrote last is on disk. @param begun what was kept is obsolete then. @throws CniError 105 */
  async sync(containerId: string, { begun = false } = {}): Promise<void> {
    const path = this.path(containerId);
    try {
      await SYNCS.run(() => native().syncFile(path, begun ? this.begun(containerId) : ''));
    } catch (error) {
      throw stateError('write', path, error);
    }
  }

  private async put(record: JournalRecord, { durable, keepBegun }: { durable: boolean; keepBegun: boolean }) {
    const { containerId } = record;
    const path = this.path(containerId);
    const content = Buffer.from(formatRecord(record)); // as it is now: the caller goes on with it
    const kept = keepBegun ? this.begun(containerId) : '';
    try {
      makeFolder(this.directory, 0o700);
      const place = () => native().placeFile(this.draft(containerId), path, content, 0o600, durable, kept);
      if (!durable) return await place();
      await SYNCS.run(place);
      await SYNCS.run(() => syncFolder(this.directory));
    } catch (error) {
      throw stateError('write', path, error);
    }
  }

  private draft(containerId: string): string {
    return join(this.directory, `.${containerId}.tmp`);
  }

  /** What an ADD was about to do, until what it did is on disk. */
  private begun(containerId: string): string {
    return join(this.directory, `.${containerId}.begun`);
  }

  /** Forget a container. @throws CniError 105 */
  remove(containerId: string): void {
    const path = this.path(containerId);
    try {
      removeIfThere(path);
      this.removeDrafts(containerId);
    } catch (error) {
      throw stateError('remove', path, error);
    }
  }

  /** What a process that was killed has left. */
  private removeDrafts(containerId: string): void {
    for (const path of [this.draft(containerId), this.begun(containerId)]) removeIfThere(path);
  }

  /** Put a damaged file out of the way, under a name that no container has. @returns its new path, if there was one */
  setAside(containerId: string): string | undefined {
    const path = this.locate(containerId)?.path;
    if (path === undefined) return undefined;
    const aside = join(dirname(path), `.damaged-${containerId}-${Date.now()}`);
    try {
      renameSync(path, aside);
      this.removeDrafts(containerId);
      return aside;
    } catch (error) {
      throw stateError('set aside', path, error);
    }
  }

  /** IDs of the containers of which anything is known, by name. */
  list(): string[] {
    const legacy = this.legacyDirectory === '' ? [] : recordsIn(this.legacyDirectory);
    const cached = readCachedAttachments(join(this.directory, RESULTS)).map(({ containerId }) => containerId);
    return [...new Set([...recordsIn(this.directory), ...legacy, ...cached])].sort();
  }
}

/** The journal that a configuration names. */
export function journalOf({ cniDir, legacyCniDir }: MultusConfig): Journal {
  return new Journal(cniDir, legacyCniDir);
}
