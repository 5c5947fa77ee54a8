/** One execution of one plugin (CNI spec section 3), and what its end means. */
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { CniCode, CniError, parseErrorObject } from '../cni/errors.ts';
import { type DelegateExit, type DelegateRunner, DelegateStartError, type RunningDelegate } from './runner.ts';

export type DelegateCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC';

/** Environment of an execution, and whom its errors speak of. */
export interface Invocation {
  command: DelegateCommand;
  /** Network as users know it. */
  network: string;
  plugin: string;
  containerId: string;
  /** '' where the command has none. */
  netns: string;
  ifName: string;
  args: string;
  /** CNI_PATH for the plugin's own delegates (IPAM). */
  path: readonly string[];
  /** TRACEPARENT and its like. */
  trace: Readonly<Record<string, string>>;
}

export interface RunOptions {
  runner: DelegateRunner;
  /** Milliseconds that the plugin may take. */
  deadlineMs: number;
  /** Ends the plugin. */
  signal: AbortSignal;
  /** Called once the plugin's process is there, before it gets its stdin. */
  onStart?: () => void;
}

/** "text file busy": the binary is being replaced. Tries and the pause before the next one. */
const BUSY_TRIES = 6;
const BUSY_PAUSE_MS = 100;

function subject(invocation: Invocation): string {
  return `plugin "${invocation.plugin}" of network "${invocation.network}"`;
}

/** Changes to the environment that a plugin inherits (CNI spec section 2, "Parameters"). */
export function environment(invocation: Invocation): Record<string, string | undefined> {
  const { containerId, netns, ifName, args } = invocation;
  return {
    CNI_COMMAND: invocation.command,
    CNI_CONTAINERID: containerId === '' ? undefined : containerId,
    CNI_NETNS: netns === '' && containerId === '' ? undefined : netns,
    CNI_IFNAME: ifName === '' ? undefined : ifName,
    CNI_ARGS: args === '' ? undefined : args,
    CNI_PATH: invocation.path.join(':'),
    CNI_NETNS_OVERRIDE: undefined,
    ...invocation.trace,
  };
}

async function start(invocation: Invocation, { runner, signal }: RunOptions): Promise<RunningDelegate> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await runner.start(invocation.plugin, environment(invocation));
    } catch (error) {
      if (!(error instanceof DelegateStartError)) throw error;
      if (error.code === 'ETXTBSY' && attempt < BUSY_TRIES) {
        await delay(BUSY_PAUSE_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
        continue;
      }
      const code = error.code === 'ENOENT' ? CniCode.pluginNotFound : CniCode.delegateFailed;
      throw new CniError(code, `Cannot start ${subject(invocation)}: ${error.message}`, { cause: error });
    }
  }
}

function signalName(signal: number): string {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0] ?? `signal ${signal}`;
}

/** Some plugins append what they were told to what went wrong; it may hold secrets, and gets into events and logs. */
function withoutStdin(text: string, stdin: string): string {
  return text.replaceAll(stdin.trim(), '(its configuration)');
}

function excerpt(stream: string, output: Buffer, stdin: string): string[] {
  const text = withoutStdin(output.toString(), stdin).trim();
  return text === '' ? [] : [`${stream}: ${text.length > 2000 ? `…${text.slice(-2000)}` : text}`];
}

function quoteOutput({ stdout, stderr }: DelegateExit, stdin: string): string {
  return [...excerpt('stdout', stdout, stdin), ...excerpt('stderr', stderr, stdin)].join('; ') || 'it printed nothing';
}

/** What went wrong, or undefined when the plugin ended well. */
function failure(invocation: Invocation, exit: DelegateExit, deadlineMs: number, stdin: string): CniError | undefined {
  const who = subject(invocation);
  const details = quoteOutput(exit, stdin);
  if (exit.timedOut) {
    const message = `${who} did not finish ${invocation.command} within ${Math.round(deadlineMs)} ms and was killed`;
    return new CniError(CniCode.deadlineExceeded, message, { details });
  }
  if (exit.stdoutOverflow) {
    const message = `${who} printed more than ${exit.stdout.length} bytes for ${invocation.command} and was killed`;
    return new CniError(CniCode.delegateFailed, message, { details });
  }
  if (exit.signal !== 0) {
    const message = `${who} was ended by ${signalName(exit.signal)} during ${invocation.command}`;
    return new CniError(CniCode.delegateFailed, message, { details });
  }
  if (exit.exitCode === 0) return undefined;
  const reported = parseErrorObject(exit.stdout.toString());
  if (reported !== undefined) {
    const [msg, more] = [reported.msg, reported.details].map((text) => withoutStdin(text, stdin));
    return new CniError(reported.code, `${who}: ${msg}`, { details: more ?? '' });
  }
  const message = `${who} exited with code ${exit.exitCode} and without a CNI error for ${invocation.command}`;
  return new CniError(CniCode.delegateFailed, message, { details });
}

/** The operation ended the plugin: for a reason with a code of its own, or because it was cancelled. */
function ended(invocation: Invocation, reason: unknown): CniError {
  const { code, message } =
    reason instanceof CniError ? reason : { code: CniCode.cancelled, message: 'the operation was cancelled' };
  return new CniError(code, `${subject(invocation)} was ended: ${message}`, { cause: reason });
}

/**
 * Run a plugin to its end.
 * @returns its stdout
 * @throws CniError with the plugin's own code where it gave one, else 100 failed, 101 not found, 103 deadline, the code
 *   of the signal's reason or 106 cancelled; DelegateLostError when the shim is gone.
 */
export async function runPlugin(invocation: Invocation, stdin: string, options: RunOptions): Promise<string> {
  const { deadlineMs, signal } = options;
  signal.throwIfAborted();
  const delegate = await start(invocation, options);
  options.onStart?.();
  const kill = (): void => delegate.kill();
  signal.addEventListener('abort', kill, { once: true });
  try {
    if (signal.aborted) kill();
    else delegate.feed(Buffer.from(stdin), deadlineMs);
    const exit = await delegate.ended;
    if (exit.killed) throw ended(invocation, signal.reason);
    const error = failure(invocation, exit, deadlineMs, stdin);
    if (error !== undefined) throw error;
    return exit.stdout.toString();
  } finally {
    signal.removeEventListener('abort', kill);
  }
}
