/**
 * multus-standalone: answers one CNI request in one process, without a daemon. The shim runs it when no daemon
 * answers; a runtime may also run it itself.
 */
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { type Answer, answerRequest, errorAnswer, readRequest, refusal, UNKNOWN_VERSION } from '../attach/engine.ts';
import { createSources } from '../cluster/sources.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { LocalRunner } from '../delegate/local-runner.ts';

const OPERATION_VARIABLE = 'MULTUS_OPERATION';

/** Ended by the runtime, or by a DEL of the same container: undo, then go. */
function endedBySignal(): AbortSignal {
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => ending.abort(new CniError(CniCode.cancelled, `the request was ended by ${signal}`)));
  }
  return ending.signal;
}

async function answer(): Promise<Answer> {
  const env = process.env;
  const stdin = readFileSync(0);
  const request = readRequest(env, stdin);
  if (request instanceof CniError) return refusal(request, stdin);
  const baseEnv = Object.fromEntries(Object.entries(env).filter(([key]) => !/^(CNI|MULTUS)_/.test(key)));
  return answerRequest(request, {
    door: 'standalone',
    operation: env[OPERATION_VARIABLE] ?? '',
    runner: (searchPath) => new LocalRunner({ searchPath, baseEnv }),
    openSource: createSources(),
    log: pino({ level: env['MULTUS_LOG_LEVEL'] ?? 'warn', base: null }, pino.destination({ fd: 2, sync: true })),
    signal: endedBySignal(),
  });
}

void answer()
  .catch((error: unknown) => errorAnswer(error, UNKNOWN_VERSION))
  .then(({ exitCode, stdout }) => {
    process.stdout.write(stdout, () => process.exit(exitCode));
  });
