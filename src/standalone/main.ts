/**
 * multus-standalone: answers one CNI request in one process, without a daemon. The shim runs it when no daemon
 * answers; a runtime may also run it itself.
 */
import { readFileSync } from 'node:fs';
import { type Answer, answerRequest, errorAnswer, readRequest, refusal, UNKNOWN_VERSION } from '../attach/engine.ts';
import { logFields } from '../attach/operation.ts';
import { createSources } from '../cluster/sources.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { LocalRunner } from '../delegate/local-runner.ts';
import { levelNamed, openLog, targetOf } from '../log/open-log.ts';
import { logSettingsOf, NO_LOG_SETTINGS } from '../pod/log-settings.ts';
import { VERSION } from '../wire/version.ts';
import { asNodeHasIt } from './node-request.ts';

const OPERATION_VARIABLE = 'MULTUS_OPERATION';
const LEVEL_VARIABLE = 'MULTUS_LOG_LEVEL';

/** Ended by the runtime: undo, then go. */
function endedBySignal(): AbortController {
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => ending.abort(new CniError(CniCode.cancelled, `the request was ended by ${signal}`)));
  }
  return ending;
}

/** What ends the process: rotated log files are compressed after the runtime has its answer. */
interface Ending extends Answer {
  settled?: () => Promise<void>;
}

async function answer(): Promise<Ending> {
  const env = process.env;
  const stdin = readFileSync(0);
  const asked = readRequest(env, stdin);
  if (asked instanceof CniError) return refusal(asked, stdin);
  try {
    const { request, problem } = asNodeHasIt(asked);
    const target = targetOf(logSettingsOf(request.config) ?? NO_LOG_SETTINGS, 'warn');
    const opened = openLog({ ...target, level: levelNamed(env[LEVEL_VARIABLE] ?? '') ?? target.level });
    const log = opened.log.child(logFields(request));
    if (problem !== '') log.warn({ problem }, 'going on without the keys of the daemon');
    const baseEnv = Object.fromEntries(Object.entries(env).filter(([key]) => !/^(CNI|MULTUS)_/.test(key)));
    const ending = endedBySignal();
    const context = {
      door: 'standalone',
      operation: env[OPERATION_VARIABLE] ?? '',
      runner: (searchPath: readonly string[]) => new LocalRunner({ searchPath, baseEnv }),
      openSource: createSources({ log, userAgent: `multus-native/${VERSION} (standalone)` }),
      log,
      signal: ending.signal,
      end: (reason: CniError) => ending.abort(reason),
    } as const;
    return { ...(await answerRequest(request, context)), settled: opened.settled };
  } catch (error) {
    return errorAnswer(error, asked.cniVersion);
  }
}

void answer()
  .catch((error: unknown): Ending => errorAnswer(error, UNKNOWN_VERSION))
  .then(({ exitCode, stdout, settled }) => {
    process.stdout.write(stdout, () => {
      void Promise.resolve(settled?.()).then(() => process.exit(exitCode));
    });
  });
