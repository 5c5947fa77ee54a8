/** From a request's environment and stdin to its answer, whichever door it came through. */
import { type CniError, formatError, toCniError } from '../cni/errors.ts';
import { RawObject } from '../cni/raw-json.ts';
import { type CniRequest, parseRequest } from '../cni/request.ts';
import { formatVersionReply, SUPPORTED_VERSIONS, UNKNOWN_VERSION } from '../cni/versions.ts';
import { type MultusConfig, parseConfigForDel, parseMultusConfig } from '../pod/multus-config.ts';
import { add } from './add.ts';
import { check } from './check.ts';
import { del } from './del.ts';
import { gc } from './gc.ts';
import { hotplug } from './hotplug/hotplug.ts';
import type { HotplugRequest } from './hotplug/hotplug-request.ts';
import { type Adopter, adopterOf, type Operation, type OperationContext, withinBudget } from './operation.ts';
import { status } from './status.ts';

/** What goes to the runtime: stdout and exit code (CNI spec section 5). */
export interface Answer {
  exitCode: 0 | 1;
  stdout: string;
}

/** @returns what goes to stdout */
async function operate(operation: Operation): Promise<string> {
  switch (operation.request.command) {
    case 'ADD':
      return add(operation);
    case 'DEL':
      await del(operation);
      return '';
    case 'CHECK':
      await check(operation);
      return '';
    case 'STATUS':
      await status(operation);
      return '';
    case 'GC':
      await gc(operation);
      return '';
    case 'VERSION':
      return formatVersionReply(operation.request.cniVersion);
  }
}

/**
 * Run a request that was understood, within its budget.
 * @param adopter what the request says of its state directory, if it says anything
 */
function within<Request extends CniRequest>(
  request: Request,
  config: MultusConfig,
  adopter: Adopter | undefined,
  context: OperationContext,
  work: (operation: Operation & { request: Request }) => Promise<string>,
): Promise<string> {
  context.onStateDirectory?.(config.cniDir, adopter);
  const deadline = performance.now() + config.requestTimeoutMs;
  return withinBudget(context.signal, config.requestTimeoutMs, request.command, (budget) =>
    work({ ...context, request, config, budget, deadline }),
  );
}

async function run(request: CniRequest, context: OperationContext): Promise<string> {
  // VERSION comes before the runtime knows what we can read: its stdin need not be a configuration.
  if (request.command === 'VERSION') return formatVersionReply(request.cniVersion);
  const config = request.command === 'DEL' ? parseConfigForDel(request.config) : parseMultusConfig(request.config);
  // DEL reads as little of the configuration as it can: what it read may not be the whole.
  const adopter = request.command === 'DEL' ? undefined : adopterOf({ config, request });
  if (request.command === 'ADD') {
    for (const note of config.notes) context.log.warn({ note }, 'configuration');
    if (config.unknownKeys.length > 0) context.log.warn({ keys: config.unknownKeys }, 'unknown keys, without effect');
  }
  return within(request, config, adopter, context, operate);
}

/** A request that was understood so far that it can be queued: what a door decides by. */
export function readRequest(env: Record<string, string | undefined>, stdin: Uint8Array): CniRequest | CniError {
  try {
    return parseRequest(env, stdin);
  } catch (error) {
    return toCniError(error);
  }
}

/** The answer to a request that failed. */
export function errorAnswer(error: unknown, cniVersion: string): Answer {
  return { exitCode: 1, stdout: formatError(toCniError(error), cniVersion) };
}

/** The answer to a request that could not be read, in its version where that is one of ours. */
export function refusal(error: CniError, stdin: Uint8Array): Answer {
  try {
    const version = RawObject.parse(Buffer.from(stdin).toString(), 'configuration').value('cniVersion');
    return errorAnswer(error, SUPPORTED_VERSIONS.find((one) => one === version) ?? UNKNOWN_VERSION);
  } catch {
    return errorAnswer(error, UNKNOWN_VERSION); // not JSON: that may be the error
  }
}

/** Never throws: every failure is an answer with a CNI error object. */
async function answered(
  { command, cniVersion }: CniRequest,
  { log }: OperationContext,
  work: () => Promise<string>,
): Promise<Answer> {
  const started = performance.now();
  const elapsed = (): number => Math.round(performance.now() - started);
  try {
    const stdout = await work();
    log.info({ ms: elapsed() }, `${command} succeeded`);
    return { exitCode: 0, stdout };
  } catch (error) {
    const { code, message, details } = toCniError(error);
    log.error({ ms: elapsed(), code, error: message, details }, `${command} failed`);
    return errorAnswer(error, cniVersion);
  }
}

/** A runtime's request. Never throws. */
export function answerRequest(request: CniRequest, context: OperationContext): Promise<Answer> {
  return answered(request, context, () => run(request, context));
}

/**
 * A request of `POST /delegate`. Never throws.
 * @param config the node's own: the request brings none but its network's
 */
export function answerHotplug(
  request: HotplugRequest,
  config: MultusConfig,
  context: OperationContext,
): Promise<Answer> {
  return answered(request, context, () => runHotplug(request, config, context));
}

/** The same for who wants to know what failed. @returns the result. @throws CniError */
export function runHotplug(request: HotplugRequest, config: MultusConfig, context: OperationContext): Promise<string> {
  return within(request, config, undefined, context, hotplug);
}
