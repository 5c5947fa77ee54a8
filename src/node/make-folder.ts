/** Folders that are made where they are missing. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

function makeOne(path: string, mode: number): boolean {
  try {
    mkdirSync(path, mode);
    return true;
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST' && statSync(path).isDirectory();
    if (isThere) return false;
    throw error;
  }
}

/**
 * Make a folder, and those above it. Node's own way (`recursive`) never returns where a folder cannot be made in one that
 * is there and says ENOENT, as /proc does: one wrong path in a configuration would stop the daemon of the node.
 * @returns whether it is new
 * @throws system errors of mkdir
 */
export function makeFolder(path: string, mode = 0o777): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return false; // mostly: no error is made for it
  try {
    return makeOne(path, mode);
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || existsSync(parent)) throw error;
    makeFolder(parent, mode);
    return makeOne(path, mode);
  }
}
