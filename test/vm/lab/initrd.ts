/** A kernel's first root: files in an archive of the "new" cpio format, which the kernel unpacks into memory. */

export interface InitrdFile {
  /** Relative to the root; its folders come before it. */
  path: string;
  /** Type and permissions, as stat() has them. */
  mode: number;
  content: Buffer;
}

const FOLDER = 0o040755;
const PROGRAM = 0o100755;
const LINK = 0o120777;

export const folder = (path: string): InitrdFile => ({ path, mode: FOLDER, content: Buffer.alloc(0) });
export const program = (path: string, content: Buffer): InitrdFile => ({ path, mode: PROGRAM, content });
export const link = (path: string, target: string): InitrdFile => ({ path, mode: LINK, content: Buffer.from(target) });

const hex = (value: number): string => value.toString(16).padStart(8, '0');

/** Headers with their names, and contents, each begin at a multiple of four. */
const padding = (length: number): Buffer => Buffer.alloc(-length & 3);

function entry({ path, mode, content }: InitrdFile, inode: number): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  // magic, ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map(hex).join('')}`);
  return [header, name, padding(header.length + name.length), content, padding(content.length)];
}

/** @returns the archive, to be given to a kernel as it is (Documentation/driver-api/early-userspace/buffer-format) */
export function packInitrd(files: readonly InitrdFile[]): Buffer {
  const end: InitrdFile = { path: 'TRAILER!!!', mode: 0, content: Buffer.alloc(0) };
  return Buffer.concat([...files, end].flatMap((file, index) => entry(file, index + 1)));
}
