/**
 * multus-standalone: answers one CNI request in one process, without a daemon. The shim runs it when no daemon
 * answers; a runtime may also run it itself.
 */
import { readFileSync, writeSync } from 'node:fs';
import { type Answer, answerRequest, errorAnswer, readRequest, refusal } from '../attach/engine.ts';
import { logFields } from '../attach/operation.ts';
import { Publisher } from '../attach/publish/publisher.ts';
import { createSources } from '../cluster/sources.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { UNKNOWN_VERSION } from '../cni/versions.ts';
import { LocalRunner } from '../delegate/local-runner.ts';
import { levelNamed, openLog, targetOf } from '../log/open-log.ts';
import { logSettingsOf, NO_LOG_SETTINGS } from '../pod/log-settings.ts';
import { VERSION } from '../wire/version.ts';
import { asNodeHasIt } from './node-request.ts';

const OPERATION_VARIABLE = 'MULTUS_OPERATION';
const LEVEL_VARIABLE = 'MULTUS_LOG_LEVEL';

/** How long pods are told of what they got, once the runtime has the answer: it waits for the end of the process. */
const PUBLISH_MS = 2000;
const TELLING = ['ADD', 'DEL'];

/** Ended by the runtime: undo, then go. */
function endedBySignal(): AbortController {
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => ending.abort(new CniError(CniCode.cancelled, `the request was ended by ${signal}`)));
  }
  return ending;
}

/**
 * What ends the process, after the runtime has its answer; it waits for the end all the same. Pods are told what they got,
 * and rotated log files are compressed.
 */
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
    const openSource = createSources({ log, userAgent: `multus-native/${VERSION} (standalone)` });
    const publisher = new Publisher({ openSource, log });
    let stateDirectory: string | undefined; // none for a request that is refused before it is tried
    const context = {
      door: 'standalone',
      operation: env[OPERATION_VARIABLE] ?? '',
      runner: (searchPath: readonly string[]) => new LocalRunner({ searchPath, baseEnv }),
      openSource,
      announcer: publisher,
      onStateDirectory: (cniDir: string) => {
        stateDirectory = cniDir;
      },
      log,
      signal: ending.signal,
      end: (reason: CniError) => ending.abort(reason),
    } as const;
    const answered = await answerRequest(request, context);
    const settled = async (): Promise<void> => {
      if (stateDirectory !== undefined && TELLING.includes(request.command)) {
        await publisher.flush(stateDirectory, AbortSignal.timeout(PUBLISH_MS));
      }
      await opened.settled?.();
    };
    return { ...answered, settled };
  } catch (error) {
    return errorAnswer(error, asked.cniVersion);
  }
}

/** Once it is written. What makes process.stdout takes 3 ms, which only who gives us a full pipe that does not wait has to take. */
async function print(text: string): Promise<void> {
  let rest = Buffer.from(text);
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(1, rest));
  } catch {
    await new Promise<void>((written) => {
      process.stdout.write(rest, () => written());
    });
  }
}

void answer()
  .catch((error: unknown): Ending => errorAnswer(error, UNKNOWN_VERSION))
  .then(async ({ exitCode, stdout, settled }) => {
    process.exitCode = exitCode;
    await print(stdout);
    await settled?.();
    process.exit(exitCode);
  });
