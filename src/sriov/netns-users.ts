/** Which programs are in a network namespace. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isGone } from './namespaces.ts';

/**
 * Their process IDs. Not that of pid 1, which is in the host's namespace; in a sandbox even root may not look at it.
 * @throws system errors when a process may not be looked at: whether it is in the namespace is unknown then
 */
export function processesIn(netns: { dev: string; ino: string }, proc = '/proc'): number[] {
  const pids = readdirSync(proc).filter((name) => /^\d+$/.test(name) && name !== '1');
  const inside = pids.filter((pid) => {
    const path = join(proc, pid, 'ns/net');
    try {
      const { dev, ino } = statSync(path, { bigint: true });
      return String(ino) === netns.ino && String(dev) === netns.dev;
    } catch (error) {
      if (isGone(error, path)) return false;
      throw error;
    }
  });
  return inside.map(Number);
}
