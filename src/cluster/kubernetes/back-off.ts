/** Waiting between tries: twice as long each time, up to a limit, and never in step with the other nodes. */

export interface BackOffTimes {
  firstMs: number;
  longestMs: number;
}

export class BackOff {
  private readonly times: BackOffTimes;
  private readonly random: () => number;
  private tries = 0;

  /** @param random from 0 to below 1 */
  constructor(times: BackOffTimes, random = Math.random) {
    this.times = times;
    this.random = random;
  }

  /** Milliseconds until the next try: between a half and the whole of the current step. */
  next(): number {
    const step = Math.min(this.times.longestMs, this.times.firstMs * 2 ** Math.min(this.tries, 30));
    this.tries += 1;
    return step / 2 + (step / 2) * this.random();
  }

  reset(): void {
    this.tries = 0;
  }
}

/** Ends early when `signal` aborts; never throws. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
