/** Turns, and how fast they follow: pods that come faster than Multus's daemon may ask the API server would measure its limiter. */
import { setTimeout as sleep } from 'node:timers/promises';

/** It may 50 times a second: a pod's object, its status, an event for each network. */
const TOKEN_MS = 20 * 1.25;

/** How long the questions for pods take to be allowed, in milliseconds. @param networks of each, besides the default */
export function limiterMs(pods: number, networks: number): number {
  return pods * (2 + 1 + networks) * TOKEN_MS;
}

/** A round that lasts so long at least. */
export async function paced(ms: number, round: () => Promise<void>): Promise<void> {
  const pause = sleep(ms);
  await round();
  await pause;
}

/** Each of them first equally often. @param by the number of the round */
export function rotated<T>(all: readonly T[], by: number): T[] {
  return all.map((_, i) => all[(i + by) % all.length] as T);
}
