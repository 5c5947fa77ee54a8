/** One file of ours on the node: put there whole, not touched when it is there already. */
import { createHash } from 'node:crypto';
import { chmodSync, closeSync, createReadStream, lstatSync, openSync, readSync } from 'node:fs';
import { type Draft, draftWholeFile } from '../node/whole-file.ts';

/** `unchanged`: not even its inode changed, so that a runtime may be running it. */
export type Action = 'installed' | 'replaced' | 'replaced (not ours before)' | 'mode set' | 'unchanged';

export interface FileToInstall {
  /** What it is made of. A single executable is longer than an init container may have memory: it is never read whole. */
  source: string;
  /** Where it belongs: absolute. */
  path: string;
  mode: number;
  /** It is on the list of what was installed before. */
  isKnown: boolean;
}

const CHUNK_BYTES = 2 ** 20;

/** @throws system errors of open and read */
export function sha256Of(path: string): string {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const file = openSync(path, 'r');
  try {
    for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk)) {
      hash.update(chunk.subarray(0, length));
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

/** Of a regular file; undefined when there is none. @throws system errors of open and read */
export function sha256OfFile(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true ? sha256Of(path) : undefined;
}

function actionFor({ source, path, mode, isKnown }: FileToInstall): Action {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return 'installed';
  if (sha256OfFile(path) !== sha256Of(source)) return isKnown ? 'replaced' : 'replaced (not ours before)';
  return (there.mode & 0o7777) === mode ? 'unchanged' : 'mode set';
}

/** A file that is ready to be put in its place. */
export interface PreparedFile {
  file: FileToInstall;
  action: Action;
  /** undefined when what is there has the right content. */
  draft: Draft | undefined;
}

/**
 * A file that is being executed cannot be written ("Text file busy"), but another one can take its name.
 * @param isTrial say what would be done, and do nothing
 * @throws CniError 5 when it cannot be written
 */
export async function prepareFile(file: FileToInstall, isTrial: boolean): Promise<PreparedFile> {
  const action = actionFor(file);
  const isRight = isTrial || action === 'unchanged' || action === 'mode set';
  const draft = isRight ? undefined : await draftWholeFile(file.path, createReadStream(file.source), file.mode);
  return { file, action, draft };
}

/** @throws CniError 5, system errors of chmod */
export async function placeFile({ file, action, draft }: PreparedFile): Promise<void> {
  if (action === 'mode set') chmodSync(file.path, file.mode);
  await draft?.place();
}

/** @throws Error when it is not what was placed */
export function verifyFile(file: FileToInstall): void {
  if (actionFor(file) === 'unchanged') return;
  throw new Error(`Cannot install ${file.path}: it is not what was written; somebody else changes it, or the disk`);
}
