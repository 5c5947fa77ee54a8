/** What one request carries through the engine. */

import type { OpenSource } from '../cluster/sources.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import type { CniRequest } from '../cni/request.ts';
import type { DelegateRunner } from '../delegate/runner.ts';
import { withSignal } from '../node/with-signal.ts';
import type { MultusConfig } from '../pod/multus-config.ts';
import type { Door, LockRequest } from './locks.ts';
import type { Announcer } from './publish/announcer.ts';

/** The part of a logger that the engine uses (pino's shape): fields first, then a constant message. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What another program's files do not say: it comes from a request for the same state directory. */
export interface Adopter {
  config: MultusConfig;
  /** `name` of the multus configuration. */
  name: string;
  /** binDir, then CNI_PATH. */
  path: string[];
}

/** What every line of a request's log has: whose lines they are, when several requests write to one file. */
export function logFields({
  command,
  containerId,
  args,
}: Pick<CniRequest, 'command' | 'containerId' | 'args'>): object {
  const name = args.get('K8S_POD_NAME');
  return {
    cmd: command,
    ...(containerId === '' ? {} : { container: containerId }),
    ...(name === undefined ? {} : { pod: `${args.get('K8S_POD_NAMESPACE') ?? ''}/${name}` }),
  };
}

/** What a door (daemon, standalone program) gives with a request. */
export interface OperationContext {
  door: Door;
  /** Number of the request; the same request run anew by the other door has the same. */
  operation: string;
  /** Runs plugins from these directories; for undoing it must work although the caller is gone. */
  runner: (searchPath: readonly string[]) => DelegateRunner;
  openSource: OpenSource;
  announcer: Announcer;
  log: Log;
  /**
   * Told of a request's state directory before anything is written to it, and of the configuration where that is
   * certain to be whole.
   */
  onStateDirectory?: (cniDir: string, adopter: Adopter | undefined) => void;
  /** Aborted when the caller is gone or a DEL ends this operation. */
  signal: AbortSignal;
  /** Aborts `signal`. */
  end?: ((reason: CniError) => void) | undefined;
  /** Fails when the caller is gone, also where `signal` will tell that only later. */
  confirm?: (() => Promise<void>) | undefined;
}

/** A request with its configuration and its budget. */
export interface Operation extends OperationContext {
  request: CniRequest;
  config: MultusConfig;
  /** Aborts with the context's signal, or with code 103 when the budget is used up. */
  budget: AbortSignal;
  /** performance.now() at which the budget ends. */
  deadline: number;
}

/** What the plan depends on: an operation, or a question of `multus explain`. */
export type PlanQuestion = Pick<Operation, 'config' | 'openSource' | 'log' | 'budget'> & {
  request: Pick<CniRequest, 'containerId' | 'ifName' | 'args'>;
};

/** Undoing gets time of its own: it also runs when the budget is used up. */
export const UNDO_BUDGET_MS = 30_000;

/**
 * Run `work` with a signal that aborts with `signal`, or with code 103 when `ms` have passed.
 * @param what the subject of the message, e.g. "ADD"
 */
export async function withinBudget<T>(
  signal: AbortSignal,
  ms: number,
  what: string,
  work: (budget: AbortSignal) => Promise<T>,
): Promise<T> {
  return withSignal(signal, async (own) => {
    const timer = setTimeout(() => {
      own.abort(new CniError(CniCode.deadlineExceeded, `${what} did not finish within ${ms} ms`));
    }, ms);
    try {
      return await work(own.signal);
    } finally {
      clearTimeout(timer);
    }
  });
}

/** What a look-up in the cluster gets at least. */
const LOOKUP_MIN_MS = 2000;

/**
 * Ends a request's look-ups in the cluster: one that hangs must leave the request time for what can be done without it.
 * @returns aborts with the budget, or when a third of it has passed
 */
export function lookupSignal({ budget, config }: Pick<Operation, 'budget' | 'config'>): AbortSignal {
  const own = new AbortController();
  const late = (): void => own.abort(new DOMException('The look-up took too long', 'TimeoutError'));
  // Not AbortSignal.any() of a timeout: those two cost an ADD more than its look-ups.
  const timer = setTimeout(late, Math.max(LOOKUP_MIN_MS, Math.ceil(config.requestTimeoutMs / 3))).unref();
  const end = (): void => {
    clearTimeout(timer);
    own.abort(budget.reason);
  };
  if (budget.aborted) end();
  else budget.addEventListener('abort', end, { once: true });
  return own.signal;
}

/** For undoing: nothing but its budget ends it. */
export const NEVER_ABORTED = new AbortController().signal;

/** Milliseconds that a delegate may take now: its own limit, or what is left of the budget. */
export function delegateBudget(operation: Operation): number {
  return Math.max(1, Math.min(operation.config.delegateTimeoutMs, operation.deadline - performance.now()));
}

/** The lock that an operation needs. */
export function lockRequest({ config, request, budget, confirm, end }: Operation): LockRequest {
  return { cniDir: config.cniDir, command: request.command, signal: budget, confirm, end };
}

/** Where plugins are looked for: binDir, then CNI_PATH. Also the CNI_PATH that delegates get. */
export function searchPath(operation: Pick<Operation, 'config' | 'request'>): string[] {
  return [...new Set([operation.config.binDir, ...operation.request.path])];
}

export function adopterOf(operation: Pick<Operation, 'config' | 'request'>): Adopter {
  return { config: operation.config, name: operation.request.name, path: searchPath(operation) };
}
