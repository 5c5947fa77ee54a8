/** What a process has in memory, as the kernel counts it. */
import { readFileSync } from 'node:fs';
import { until } from '../lab/process.ts';

/** Garbage collectors and allocators give back in their own time. */
const STILL_MS = 3000;
const STILL_KIB = 256;

/** In KiB. */
export interface Footprint {
  rss: number;
  pss: number;
  /** What nobody else has: not the pages of programs and libraries that their files have, too. */
  anonymous: number;
}

export function footprint(pid: number): Footprint {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
  return { rss: kib('Rss'), pss: kib('Pss'), anonymous: kib('Anonymous') };
}

/** In KiB; the kernel's own counters, which cost nothing to read: of now, and the largest since it started. */
export function rssOf(pid: number, which: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  return Number(new RegExp(`^${which}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** As soon as it stands still. */
export async function settledFootprint(pid: number): Promise<Footprint> {
  let last = 0;
  let since = 0;
  const isStill = (): boolean => {
    const now = rssOf(pid);
    if (Math.abs(now - last) > STILL_KIB) [last, since] = [now, performance.now()];
    return performance.now() - since > STILL_MS;
  };
  await until('its memory stands still', isStill, 60_000);
  return footprint(pid);
}
