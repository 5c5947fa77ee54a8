/** What an errno means to whoever typed a path. */

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied; run as root',
  EPERM: 'permission denied; run as root',
  ENOTDIR: 'what leads there is a file, not a folder',
  EISDIR: 'it is a folder, not a file',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left on the device',
};

/** Of a system error; the message of any other. */
export function systemReason(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return REASONS[code] ?? message;
}

/** One that nobody put into words: "Cannot unlink /x: permission denied; run as root". */
export function systemText(error: Error): string {
  const { syscall, path } = error as NodeJS.ErrnoException;
  return syscall === undefined || path === undefined
    ? error.message
    : `Cannot ${syscall} ${path}: ${systemReason(error)}`;
}
