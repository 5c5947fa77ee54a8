/** A memory cgroup of one's own, of whichever version the machine has. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const VERSIONS = [
  { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes', peak: 'memory.max_usage_in_bytes' },
  { root: '/sys/fs/cgroup', limit: 'memory.max', peak: 'memory.peak' },
];

export interface MemoryCgroup {
  /** To be written a process number to, or 0 for the writer. */
  procs: string;
  /** The most that it has had at a time, file pages that its processes were the first to read included. */
  peak(): number;
  /** When its processes have ended. */
  remove(): void;
}

/** @param limit bytes @throws Error where no memory cgroup can be made */
export function makeCgroup(name: string, limit: number): MemoryCgroup {
  for (const version of VERSIONS) {
    const folder = join(version.root, name);
    if (!existsSync(version.root)) continue;
    mkdirSync(folder);
    if (existsSync(join(folder, version.limit))) {
      writeFileSync(join(folder, version.limit), String(limit));
      return {
        procs: join(folder, 'cgroup.procs'),
        peak: () => Number(readFileSync(join(folder, version.peak), 'utf8')),
        remove: () => rmdirSync(folder),
      };
    }
    rmdirSync(folder);
  }
  throw new Error('no memory cgroup can be made: none in /sys/fs/cgroup');
}
