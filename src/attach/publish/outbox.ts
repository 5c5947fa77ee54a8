/**
 * Which containers' pods have yet to be told their network status: `<cniDir>/.outbox/<containerID>`, a file each.
 *
 * It does not hold the status. That is made when it is told, from the journal and the kernel: what was attached since is
 * in it, and a dead container, which has no record, cannot have one. The file's content only tells one promise from the
 * next. It is not synced to the disk: what a power failure takes away were promises to containers that it ended as well.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CniCode, CniError } from '../../cni/errors.ts';
import { plainNameRule } from '../../cni/names.ts';
import { makeFolder } from '../../node/make-folder.ts';

/** No container has a name with such a first character, so that it is none of the journal's files. */
const FOLDER = '.outbox';

/** A promise of one moment: another one to the same container has another mark. */
export interface Owed {
  containerId: string;
  mark: string;
  /** Milliseconds since 1970. */
  since: number;
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

export class Outbox {
  private readonly folder: string;

  constructor(cniDir: string) {
    this.folder = join(cniDir, FOLDER);
  }

  /** Owe a container's pod its status, anew if it is owed already. @throws CniError 105 */
  put(containerId: string): void {
    const mark = randomBytes(8).toString('hex');
    const write = (): void => writeFileSync(this.path(containerId), mark, { mode: 0o600 });
    this.act('write', containerId, () => {
      try {
        write();
      } catch (error) {
        if (!isMissing(error)) throw error;
        makeFolder(this.folder, 0o700);
        write();
      }
    });
  }

  /** undefined when nothing is owed. @throws CniError 105 */
  find(containerId: string): Owed | undefined {
    return this.act('read', containerId, () => {
      try {
        const path = this.path(containerId);
        return { containerId, mark: readFileSync(path, 'utf8'), since: statSync(path).mtimeMs };
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  /** Nothing is owed to the container any more. @throws CniError 105 */
  remove(containerId: string): void {
    this.act('remove', containerId, () => rmSync(this.path(containerId), { force: true }));
  }

  /** What was owed then is settled; what came later is not. @throws CniError 105 */
  settle(owed: Owed): void {
    if (this.find(owed.containerId)?.mark === owed.mark) this.remove(owed.containerId);
  }

  /** IDs of the containers whose pods are owed something. @throws CniError 105 */
  list(): string[] {
    return this.act('list', '', () => {
      try {
        return readdirSync(this.folder).filter((name) => plainNameRule(name) === undefined);
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    });
  }

  private path(containerId: string): string {
    return join(this.folder, containerId);
  }

  private act<T>(action: string, containerId: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      const path = this.path(containerId);
      throw new CniError(CniCode.stateFailure, `Cannot ${action} ${path}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}
