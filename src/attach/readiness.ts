/** `readinessindicatorfile`: a file that the default network's own daemon makes once it can serve pods. */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { CniCode, CniError } from '../cni/errors.ts';
import type { Operation } from './operation.ts';

const POLL_MS = 100;
/** As Multus; a shorter budget of the request ends the wait earlier. */
const LONGEST_WAIT_MS = 45_000;
/** Kept from the budget for the error to reach the runtime. */
const ANSWER_MS = 500;

function notReady(code: number, file: string): CniError {
  return new CniError(
    code,
    `The default network is not ready: its readiness file ${file} does not exist; look at the default network's own pod on this node`,
  );
}

/** Wait until the file is there. @throws CniError 11 when it does not come */
export async function awaitReadiness({ config, budget, deadline, log }: Operation): Promise<void> {
  const file = config.readinessIndicatorFile;
  if (file === '' || existsSync(file)) return;
  log.info({ file }, 'waiting for the default network');
  const end = Math.min(performance.now() + LONGEST_WAIT_MS, deadline - ANSWER_MS);
  while (!existsSync(file)) {
    if (performance.now() >= end) throw notReady(CniCode.tryAgainLater, file);
    await delay(POLL_MS, undefined, { signal: budget }).catch(() => budget.throwIfAborted());
  }
}

/** STATUS asks for now. @throws CniError 50 when the file is not there */
export function requireReadiness({ config }: Operation): void {
  const file = config.readinessIndicatorFile;
  if (file !== '' && !existsSync(file)) throw notReady(CniCode.pluginNotAvailable, file);
}
