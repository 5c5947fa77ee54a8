/** How long to wait between tries of what may work later. */

export const MAX_PAUSE_MS = 5 * 60_000;
const FIRST_PAUSE_MS = 1000;

/**
 * Doubled from a second to five minutes, and spread over half of it: a whole cluster's nodes must not come back at once.
 * @param failures so far, at least 1
 * @param atLeastMs what the other side asks for
 * @param random in [0, 1)
 */
export function pauseMs(failures: number, atLeastMs: number, random: number): number {
  const longest = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
  return Math.max(atLeastMs, longest * (0.5 + random / 2));
}
