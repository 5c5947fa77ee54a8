/** Runs plugins through the shim: it starts, feeds and kills them for us, in the runtime's cgroup and mount namespace. */
import { constants } from 'node:os';
import { type DaemonFrame, encodeDaemonFrame, type ShimFrame } from '../wire/frames.ts';
import {
  type DelegateExit,
  DelegateLostError,
  type DelegateRunner,
  DelegateStartError,
  MAX_STDERR,
  MAX_STDOUT,
  type RunningDelegate,
  type StartOptions,
} from './runner.ts';

/** Promises of one plugin that the shim has yet to settle. */
interface Pending {
  started: { resolve: (value: { pid: number; path: string }) => void; reject: (error: Error) => void };
  ended: { resolve: (exit: DelegateExit) => void; reject: (error: Error) => void };
  pid: number;
  /** Fires when the shim is overdue. */
  guard: NodeJS.Timeout | undefined;
}

/** The shim ends what is overdue itself, within two seconds; one that does not answer by then is stopped or hangs. */
const GUARD_MARGIN_MS = 5000;

/** util.getSystemErrorName() knows libuv's errors only (no ENOEXEC), and throws for a number that is none. */
function errnoName(errno: number): string {
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  promise.catch(() => undefined); // awaited by the caller; a lost shim must not count as unhandled meanwhile
  return { promise, resolve, reject };
}

/** The owner of the connection hands in what the shim says by `receive` and its end by `lost`. */
export class FrameRunner implements DelegateRunner {
  private readonly send: (bytes: Buffer) => void;
  private readonly onOverdue: () => void;
  private readonly pending = new Map<number, Pending>();
  private nextId = 1;
  private lostBy: DelegateLostError | undefined;

  /** @param onOverdue the shim did not answer in time: the owner must end the connection */
  constructor(send: (bytes: Buffer) => void, onOverdue: () => void) {
    this.send = send;
    this.onOverdue = onOverdue;
  }

  /** False once the shim is gone: nothing can be run through it any more. */
  get alive(): boolean {
    return this.lostBy === undefined;
  }

  async start(
    plugin: string,
    env: Record<string, string | undefined>,
    { ahead = false }: StartOptions = {},
  ): Promise<RunningDelegate> {
    if (this.lostBy !== undefined) throw this.lostBy;
    const id = this.nextId++;
    const started = deferred<{ pid: number; path: string }>();
    const ended = deferred<DelegateExit>();
    const pending: Pending = { started, ended, pid: 0, guard: undefined };
    this.pending.set(id, pending);
    this.expect(id, pending, 0);
    this.write({
      type: 'start',
      id,
      ahead,
      plugin,
      env: Object.entries(env).map(([key, value]) => (value === undefined ? key : `${key}=${value}`)),
      maxStdout: MAX_STDOUT,
      maxStderr: MAX_STDERR,
    });
    const { pid, path } = await started.promise;
    return {
      pid,
      path,
      ended: ended.promise,
      feed: (stdin, deadlineMs) => {
        this.expect(id, pending, deadlineMs);
        this.write({ type: 'feed', id, deadlineMs: Math.ceil(deadlineMs), stdin });
      },
      kill: () => {
        this.expect(id, pending, 0);
        this.write({ type: 'kill', id });
      },
    };
  }

  /** A frame from the shim. */
  receive(frame: ShimFrame): void {
    const pending = this.pending.get(frame.id);
    if (pending === undefined) return; // ended already
    if (frame.type === 'started') {
      pending.pid = frame.pid;
      clearTimeout(pending.guard);
      pending.started.resolve({ pid: frame.pid, path: frame.path });
      return;
    }
    this.pending.delete(frame.id);
    clearTimeout(pending.guard);
    if (frame.type === 'failed') {
      const code = errnoName(frame.errno);
      // A plugin that is not found is told by what was searched.
      const message = frame.syscall === 'find' ? frame.detail : `${frame.syscall}: ${code}, ${frame.detail}`;
      const error = new DelegateStartError(code, message);
      pending.started.reject(error);
      pending.ended.reject(error); // whoever waits: it was the last word
    } else {
      if (pending.pid === 0) {
        pending.started.reject(new DelegateStartError('EPROTO', 'the shim told of its end and not of its start'));
      }
      pending.ended.resolve(frame);
    }
  }

  /** Process groups of the plugins that have not ended, as the shim numbers them. */
  runningGroups(): number[] {
    return [...this.pending.values()].flatMap(({ pid }) => (pid === 0 ? [] : [pid]));
  }

  /** The connection is gone: everything that is under way fails. */
  lost(reason: string): void {
    this.lostBy ??= new DelegateLostError(reason);
    for (const { started, ended, guard } of this.pending.values()) {
      clearTimeout(guard);
      started.reject(this.lostBy);
      ended.reject(this.lostBy);
    }
    this.pending.clear();
  }

  /** The shim has `ms`, and its margin, for its next word of this plugin, if it has one to say yet. */
  private expect(id: number, pending: Pending, ms: number): void {
    clearTimeout(pending.guard);
    if (this.pending.get(id) === pending) pending.guard = setTimeout(this.onOverdue, ms + GUARD_MARGIN_MS);
  }

  private write(frame: DaemonFrame): void {
    if (this.lostBy === undefined) this.send(encodeDaemonFrame(frame));
  }
}
