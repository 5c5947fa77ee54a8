/** For commands that stay until somebody ends them. */

/** Aborts at SIGTERM or SIGINT. */
export function endingSignal(): AbortSignal {
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ending.abort());
  return ending.signal;
}
