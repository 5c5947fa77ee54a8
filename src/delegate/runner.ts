/**
 * How a plugin's process is run, in three steps: start (stdin withheld), feed, ended. Two implementations:
 * through the shim (frames) and local (the addon).
 */

import type { NativeExit } from '../node/native.ts';

/** Bytes of stdout that a plugin may print; more ends it. A CNI result has a few kilobytes. */
export const MAX_STDOUT = 4 * 1024 * 1024;

/** Bytes of stderr that are kept for error messages. */
export const MAX_STDERR = 64 * 1024;

/** How a plugin's process ended: the same wherever it ran. */
export type DelegateExit = NativeExit;

export interface RunningDelegate {
  /** As seen where the plugin runs. */
  readonly pid: number;
  /** The executable's path. */
  readonly path: string;
  /** Give it its stdin, once; `deadlineMs` from now it is terminated. */
  feed(stdin: Buffer, deadlineMs: number): void;
  /** End its process group. */
  kill(): void;
  /** Settles once. Rejects with DelegateLostError when the shim that ran it is gone. */
  readonly ended: Promise<DelegateExit>;
}

export interface StartOptions {
  /** Before its turn, perhaps in vain: only a program that is sure to wait for its stdin, which a script is not. */
  ahead?: boolean;
}

export interface DelegateRunner {
  /**
   * Start a plugin.
   * @param plugin bare file name, found in binDir and CNI_PATH
   * @param env changes to the environment it inherits; undefined unsets
   * @throws DelegateStartError (ENOEXEC for what is not started ahead), DelegateLostError
   */
  start(plugin: string, env: Record<string, string | undefined>, options?: StartOptions): Promise<RunningDelegate>;
}

/** A plugin could not be started. `code` is an errno name: ENOENT (not found), EACCES, ETXTBSY, ENOEXEC, … */
export class DelegateStartError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'DelegateStartError';
    this.code = code;
  }
}

/** The process that ran our delegates (the shim) is gone, and they with it. */
export class DelegateLostError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DelegateLostError';
  }
}
