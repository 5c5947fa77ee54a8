/** The journal on disk: `<cniDir>/<containerID>`, one file per container, always whole. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CniCode, CniError } from '../cni/errors.ts';
import { formatRecord, type JournalRecord, parseRecord } from './journal-record.ts';

/** Multus keeps a folder of this name in the same directory. */
const RESERVED_NAMES = ['results'];

function stateError(action: string, path: string, error: unknown): CniError {
  return new CniError(CniCode.stateFailure, `Cannot ${action} journal file ${path}: ${(error as Error).message}`, {
    cause: error,
  });
}

/** The journal of one state directory. Every method that touches a container wants its lock held. */
export class Journal {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  path(containerId: string): string {
    if (RESERVED_NAMES.includes(containerId)) {
      throw new CniError(
        CniCode.invalidEnvironment,
        `Cannot use CNI_CONTAINERID "${containerId}": it is the name of a folder in ${this.directory}`,
      );
    }
    return join(this.directory, containerId);
  }

  /** undefined when there is none. @throws CniError 105 when it cannot be read or used. */
  read(containerId: string): JournalRecord | undefined {
    const path = this.path(containerId);
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw stateError('read', path, error);
    }
    return parseRecord(text, path);
  }

  /** Write a record so that it is on disk, whole, when the promise settles. @throws CniError 105 */
  async write(record: JournalRecord): Promise<void> {
    const path = this.path(record.containerId);
    const temporary = join(this.directory, `.${record.containerId}.tmp`);
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(formatRecord(record));
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw stateError('write', path, error);
    }
  }

  /** Forget a container. @throws CniError 105 */
  remove(containerId: string): void {
    const path = this.path(containerId);
    try {
      rmSync(path, { force: true });
      rmSync(join(this.directory, `.${containerId}.tmp`), { force: true });
    } catch (error) {
      throw stateError('remove', path, error);
    }
  }

  /** Put a damaged file out of the way, under a name that no container has. @returns its new path */
  setAside(containerId: string): string {
    const path = this.path(containerId);
    const aside = join(this.directory, `.damaged-${containerId}-${Date.now()}`);
    try {
      renameSync(path, aside);
      return aside;
    } catch (error) {
      throw stateError('set aside', path, error);
    }
  }

  /** Container IDs with a file, by name. */
  list(): string[] {
    try {
      return readdirSync(this.directory, { withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
        .map((entry) => entry.name)
        .sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw stateError('list', this.directory, error);
    }
  }
}
