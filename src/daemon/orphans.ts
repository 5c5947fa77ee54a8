/**
 * What a killed shim leaves: its plugins die with it, but not what those started (a plugin's IPAM). Their process
 * groups are ended, and gone, before anybody undoes what they did.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** How long a process may take to die of SIGKILL; one that hangs in the kernel is not waited for. */
const LIMIT_MS = 2000;
const POLL_MS = 2;

/** Does a process of the group still run? One that has ended and was not reaped yet does not. */
function isRunning(group: number): boolean {
  return readdirSync('/proc').some((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // "pid (name) state ppid pgrp ..."; the name may hold anything (proc(5)).
      const [state = '', , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(pgrp) === group && state !== 'Z' && state !== 'X';
    } catch {
      return false; // it ended while we looked
    }
  });
}

/** Kill the groups and wait until none of their processes runs. */
export async function endGroups(groups: readonly number[]): Promise<void> {
  const limit = performance.now() + LIMIT_MS;
  for (const group of groups) {
    while (isRunning(group) && performance.now() < limit) {
      try {
        process.kill(-group, 'SIGKILL');
      } catch {
        break; // gone
      }
      await delay(POLL_MS);
    }
  }
}
