/** Files of other programs, in folders where anything may lie: neither a pipe nor a flood of bytes may stop us. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** Why a file cannot be taken as what it ought to be. */
export class UnusableFileError extends Error {}

/**
 * The text of a file that may go away at any moment.
 * @param maxBytes longest that it may be
 * @returns undefined when nothing lies there
 * @throws UnusableFileError when it is no regular file, or longer; system errors of open(2) and read(2)
 */
export function readSmallFile(path: string, maxBytes: number): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ELOOP') throw new UnusableFileError('it is a symbolic link');
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile()) throw new UnusableFileError('it is not a regular file');
    const bytes = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length <= maxBytes; length += got) {
      got = readSync(fd, bytes, length, bytes.length - length, null);
    }
    if (length > maxBytes) throw new UnusableFileError(`it is longer than ${maxBytes} bytes`);
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}
