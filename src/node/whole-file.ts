/** Files that others read at any time: they find the old content or the new one, never half of it, nor after a crash. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CniCode, CniError } from '../cni/errors.ts';

/** Text, bytes, or a file too long for memory as a stream of it. */
export type FileContent = string | Buffer | AsyncIterable<Buffer>;

/** What is not on disk yet counts as memory of a container (cgroup v1 kills it rather than to wait for the disk). */
const MAX_UNSYNCED_BYTES = 8 * 2 ** 20;

async function writeStream(file: FileHandle, content: AsyncIterable<Buffer>): Promise<void> {
  let unsynced = 0;
  for await (const chunk of content) {
    await file.writeFile(chunk); // goes on where the last one ended
    unsynced += chunk.length;
    if (unsynced < MAX_UNSYNCED_BYTES) continue;
    await file.datasync();
    unsynced = 0;
  }
}

async function writeSynced(path: string, content: FileContent, mode: number): Promise<void> {
  await rm(path, { force: true }); // of a process that was killed
  const file = await open(path, 'wx', mode);
  try {
    await file.chmod(mode); // whatever the umask
    if (typeof content === 'string' || Buffer.isBuffer(content)) await file.writeFile(content);
    else await writeStream(file, content);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Until then a new name in it is in memory only. @throws system errors */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** A file that is on disk, and not in its place yet: `.<name>.tmp` beside it, which no container runtime reads. */
export interface Draft {
  /** On disk when the promise settles. @throws CniError 5; the file is then as it was */
  place(): Promise<void>;
  /** Does nothing when it is in its place. */
  discard(): Promise<void>;
}

/** @throws CniError 5; nothing is left then */
export async function draftWholeFile(path: string, content: FileContent, mode: number): Promise<Draft> {
  const folder = dirname(path);
  const draft = join(folder, `.${basename(path)}.tmp`);
  const discard = (): Promise<void> => rm(draft, { force: true }).catch(() => undefined);
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      await discard();
      throw new CniError(CniCode.ioFailure, `Cannot write ${path}: ${(error as Error).message}`, { cause: error });
    }
  };
  await attempt(() => writeSynced(draft, content, mode));
  const place = (): Promise<void> =>
    attempt(async () => {
      await rename(draft, path);
      await syncFolder(folder);
    });
  return { place, discard };
}

/**
 * Put `content` in the place of the file at `path`, on disk when the promise settles.
 * @throws CniError 5; the file is then as it was
 */
export async function writeWholeFile(path: string, content: FileContent, mode: number): Promise<void> {
  const draft = await draftWholeFile(path, content, mode);
  await draft.place();
}
