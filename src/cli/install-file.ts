/** One file of ours on the node: put there whole, not touched when it is there already. */
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, readFileSync } from 'node:fs';
import { writeWholeFile } from '../node/whole-file.ts';

/** `unchanged`: not even its inode changed, so that a runtime may be running it. */
export type Action = 'installed' | 'replaced' | 'mode set' | 'unchanged';

export interface FileToInstall {
  content: Buffer;
  /** Where it belongs: absolute. */
  path: string;
  mode: number;
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Of a regular file; undefined when there is none. @throws system errors of open and read */
export function sha256OfFile(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true ? sha256(readFileSync(path)) : undefined;
}

function actionFor({ content, path, mode }: FileToInstall): Action {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return 'installed';
  if (sha256OfFile(path) !== sha256(content)) return 'replaced';
  return (there.mode & 0o7777) === mode ? 'unchanged' : 'mode set';
}

/**
 * A file that is being executed cannot be written ("Text file busy"), but another one can take its name.
 * @param isTrial say what would be done, and do nothing
 * @throws CniError 5 when it cannot be written, Error when it is not what was written
 */
export async function installFile(file: FileToInstall, isTrial: boolean): Promise<Action> {
  const action = actionFor(file);
  if (isTrial || action === 'unchanged') return action;
  if (action === 'mode set') chmodSync(file.path, file.mode);
  else await writeWholeFile(file.path, file.content, file.mode);
  if (actionFor(file) !== 'unchanged') {
    throw new Error(`Cannot install ${file.path}: it is not what was written; somebody else changes it, or the disk`);
  }
  return action;
}
