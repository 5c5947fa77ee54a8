/** A folder that an option names, for a command that writes into it. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { makeFolder } from '../node/make-folder.ts';
import { systemReason } from '../node/system-reason.ts';

/** Make it where it is missing. @throws Error naming the option, when it cannot be written to */
export function makeFolderOf(option: string, path: string, mode: number): void {
  const isThere = existsSync(path);
  if (isThere && !statSync(path).isDirectory())
    throw new Error(`Cannot install to ${option} ${path}: it is a file, not a folder`);
  try {
    if (isThere) accessSync(path, constants.W_OK);
    else makeFolder(path, mode);
  } catch (error) {
    const what = isThere ? 'write to' : 'make';
    throw new Error(`Cannot ${what} ${option} ${path}: ${systemReason(error)}`, { cause: error });
  }
}
