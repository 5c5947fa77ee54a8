/**
 * A signal for one piece of work under a signal that outlives it, as the daemon's own does. AbortSignal.any() is not for
 * that: up to Node 22 the longer-lived signal keeps 2 KB of each that ever was, for as long as it lives.
 */

/** @param work gets a controller that aborts with `signal`, and that it may abort itself */
export async function withSignal<T>(signal: AbortSignal, work: (own: AbortController) => Promise<T>): Promise<T> {
  const own = new AbortController();
  const end = (): void => own.abort(signal.reason);
  if (signal.aborted) end();
  signal.addEventListener('abort', end);
  try {
    return await work(own);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
