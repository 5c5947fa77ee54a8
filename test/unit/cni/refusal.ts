/** Runs a function that must refuse, and returns the error for a look at its code and text. */
import * as assert from 'uvu/assert';
import { CniError } from '../../../src/cni/errors.ts';

export function refusal(run: () => unknown): { code: number; message: string; details: string } {
  try {
    run();
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    return { code: error.code, message: error.message, details: error.details };
  }
  return assert.unreachable('must throw a CniError') as never;
}

/** Runs a function on hostile input: it may return or throw a CniError; anything else escapes. */
export function onlyCniErrors(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
  }
}

/** `refusal` for what refuses later. */
export async function laterRefusal(run: () => Promise<unknown>): Promise<ReturnType<typeof refusal>> {
  const outcome = await run().then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  return refusal(() => {
    if (outcome !== undefined) throw outcome.error;
  });
}
