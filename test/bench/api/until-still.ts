/** The end of what programs do behind their answers. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchApi } from './bench-api.ts';
import type { RequestCount } from './request-counts.ts';

/** Events are told late, and by some programs so many a second. */
const STILL_MS = 3000;

/** Wait until nobody has asked the API server anything for 3 s. @returns all that was asked since the last time */
export async function untilStill(api: BenchApi): Promise<RequestCount[]> {
  const counts: RequestCount[] = [];
  for (let more = await api.takeCounts(); more.length > 0; more = await api.takeCounts()) {
    counts.push(...more);
    await sleep(STILL_MS);
  }
  return counts;
}
