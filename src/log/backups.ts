/**
 * Rotated log files beside the one that is written: `multus-2026-11-21T17-21-00.123.log`, then `….log.gz`, the time in
 * UTC. The names are those of Multus's logging library, so that what it left on a node is looked after, too.
 */
import { createWriteStream, existsSync, fstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { native } from '../node/native.ts';
import type { LogRotation } from '../pod/log-settings.ts';

const DAY_MS = 86_400_000;
/** So long a program on a busy machine may take from its look at the log's name to the line that it writes. */
const STRAGGLER_MS = 250;
const TIME = /^(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\d\.\d{3})$/;

/** One rotated file, as text, compressed, or (after a crash in between) both. */
interface Backup {
  /** Path without `.gz`. */
  path: string;
  /** Milliseconds since 1970. */
  time: number;
}

/** What stands before and behind the time in the names of a log file's backups. */
function partsOf(path: string): { start: string; end: string } {
  const end = extname(path);
  return { start: `${basename(path, end)}-`, end };
}

/** Where a log file is put that is rotated at `time`: a name that is free. */
export function backupPath(path: string, time: number): string {
  const { start, end } = partsOf(path);
  const stamp = new Date(time).toISOString().replaceAll(':', '-').slice(0, -1);
  const backup = join(dirname(path), `${start}${stamp}${end}`);
  return existsSync(backup) || existsSync(`${backup}.gz`) ? backupPath(path, time + 1) : backup;
}

function timeIn(name: string, { start, end }: { start: string; end: string }): number {
  const stamp = name.slice(start.length, name.length - end.length);
  return name === start + stamp + end && TIME.test(stamp) ? Date.parse(stamp.replace(TIME, '$1$2:$3:$4Z')) : Number.NaN;
}

/** The newest first. */
function listBackups(path: string): Backup[] {
  const directory = dirname(path);
  const parts = partsOf(path);
  const names = new Set(readdirSync(directory).map((name) => name.replace(/\.gz$/, '')));
  return [...names]
    .map((name) => ({ path: join(directory, name), time: timeIn(name, parts) }))
    .filter(({ time }) => !Number.isNaN(time))
    .sort((a, b) => b.time - a.time);
}

/** For writing: the lock wants it. undefined when it is not there any more. */
async function openBackup(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole or not at all; when another program is at it, it is left to that one. */
async function compress(path: string): Promise<void> {
  const file = await openBackup(path);
  if (file === undefined) return; // another program has just finished it
  try {
    if (!native().tryLockRange(file.fd, 0, 0)) return;
    const { nlink, mtimeMs } = fstatSync(file.fd);
    if (nlink === 0) return; // that one has just finished
    await delay(Math.min(STRAGGLER_MS, Math.max(0, mtimeMs + STRAGGLER_MS - Date.now())));
    const draft = `${path}.gz.tmp`;
    const text = file.createReadStream({ autoClose: false });
    await pipeline(text, createGzip(), createWriteStream(draft, { mode: 0o600 }));
    // A program that has not noticed the rotation may still write a line: then it is done anew next time.
    if (fstatSync(file.fd).size !== text.bytesRead) return rmSync(draft);
    renameSync(draft, `${path}.gz`);
    rmSync(path);
  } finally {
    await file.close();
  }
}

/** Remove the backups of a log file that are too many or too old, and compress the rest. @throws system errors */
export async function tidyBackups(path: string, rotation: LogRotation, now = Date.now()): Promise<void> {
  const { maxBackups, maxAge } = rotation;
  for (const [i, backup] of listBackups(path).entries()) {
    const isKept = (maxBackups === 0 || i < maxBackups) && (maxAge === 0 || now - backup.time <= maxAge * DAY_MS);
    if (!isKept) {
      for (const ending of ['', '.gz', '.gz.tmp']) rmSync(backup.path + ending, { force: true });
    } else if (rotation.compress && existsSync(backup.path)) {
      await compress(backup.path);
    }
  }
}
