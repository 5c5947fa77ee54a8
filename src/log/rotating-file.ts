/**
 * A log file that several programs append to at a time, each line whole, and that whoever finds it full rotates.
 *
 * Who rotates holds a lock on the file itself (not on its name) and lets go when the next file has the name. The others
 * notice by its inode, as they do when logrotate moves it. Everything that a line needs is done when write() returns:
 * a program that answers one request and ends loses none.
 */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '../node/make-folder.ts';
import { native } from '../node/native.ts';
import type { LogRotation } from '../pod/log-settings.ts';
import { backupPath, tidyBackups } from './backups.ts';

const MEGABYTE = 1024 * 1024;

/** Not blocking: a FIFO without a reader would keep a pod from being attached. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

interface Held {
  fd: number;
  dev: bigint;
  ino: bigint;
}

export class RotatingFile {
  private readonly path: string;
  private readonly rotation: LogRotation;
  private readonly complain: (error: Error) => void;
  private held: Held | undefined;
  private complaint = '';
  private tidying: Promise<void> = Promise.resolve();

  /** @param complain told of what keeps lines from the file, not again for each line */
  constructor(path: string, rotation: LogRotation, complain: (error: Error) => void) {
    this.path = path;
    this.rotation = rotation;
    this.complain = complain;
  }

  /** Append a line, its newline included. Never throws: no pod goes without network for a full disk under its log. */
  write(line: string): void {
    try {
      const bytes = Buffer.from(line);
      const size = this.follow();
      if (size > 0 && size + bytes.length > this.rotation.maxSize * MEGABYTE) this.rotate();
      if (this.held !== undefined) writeWhole(this.held.fd, bytes);
    } catch (error) {
      this.failed(error);
    }
  }

  /** Settles when what was rotated is compressed. */
  settled(): Promise<void> {
    return this.tidying;
  }

  /** Hold the file that has our name now, and make it when there is none. @returns its size */
  private follow(): number {
    const stat = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (stat !== undefined && this.isHeld(stat)) return Number(stat.size);
    const isFirst = this.held === undefined;
    if (this.held !== undefined) closeSync(this.held.fd);
    this.held = undefined;
    const { size, ...held } = openLogFile(this.path);
    this.held = held;
    if (isFirst) this.tidy();
    return size;
  }

  private isHeld(stat: BigIntStats): boolean {
    return stat.ino === this.held?.ino && stat.dev === this.held.dev;
  }

  /** When another program is at it, or cannot be kept from it, the line goes into the file that is full. */
  private rotate(): void {
    try {
      if (this.held === undefined || !native().tryLockRange(this.held.fd, 0, 0)) return;
      // Whoever held the lock until now has moved the file, maybe.
      const stat = statSync(this.path, { bigint: true, throwIfNoEntry: false });
      const isOurs = stat !== undefined && this.isHeld(stat);
      if (isOurs) renameSync(this.path, backupPath(this.path, Date.now()));
      this.follow();
      if (isOurs) this.tidy();
    } catch (error) {
      this.failed(error);
    }
  }

  private tidy(): void {
    const next = () => tidyBackups(this.path, this.rotation);
    this.tidying = this.tidying.then(next).catch((error) => this.failed(error));
  }

  private failed(error: unknown): void {
    // Not by its message: that has the name of a backup, which is another one each time.
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    const kind = code === undefined ? message : `${code} ${syscall}`;
    if (kind !== this.complaint) this.complain(error as Error);
    this.complaint = kind;
  }
}

/** A disk that is nearly full takes a part of a line; only the next write says why. @throws system errors */
function writeWhole(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** @throws system errors; Error when it is no regular file: standard output, say, is the answer's */
function openLogFile(path: string): Held & { size: number } {
  makeFolder(dirname(path), 0o700);
  const fd = openSync(path, FLAGS, 0o600);
  const { dev, ino, size, mode } = fstatSync(fd, { bigint: true });
  if ((Number(mode) & constants.S_IFMT) === constants.S_IFREG) return { fd, dev, ino, size: Number(size) };
  closeSync(fd);
  throw new Error(`${path} is not a regular file`);
}
