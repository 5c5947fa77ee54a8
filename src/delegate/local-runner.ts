/** Runs plugins as children of this process: in the standalone program, for foreign shims, and to undo without a shim. */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { native } from '../node/native.ts';
import {
  type DelegateExit,
  type DelegateRunner,
  DelegateStartError,
  MAX_STDERR,
  MAX_STDOUT,
  type RunningDelegate,
  type StartOptions,
} from './runner.ts';

export interface LocalRunnerOptions {
  /** Directories, in order. */
  searchPath: readonly string[];
  /** What delegates inherit before the changes of each start. */
  baseEnv: Readonly<Record<string, string | undefined>>;
}

/** First regular, executable file of that name. @throws DelegateStartError ENOENT or EACCES */
function findPlugin(plugin: string, searchPath: readonly string[]): string {
  let denied: string | undefined;
  for (const directory of searchPath) {
    const path = join(directory, plugin);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) continue;
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      denied ??= path;
    }
  }
  if (denied !== undefined) throw new DelegateStartError('EACCES', `${denied} is not executable`);
  throw new DelegateStartError('ENOENT', `not found in ${searchPath.join(', ')}`);
}

const ELF = Buffer.from('\x7fELF');

function isElf(path: string): boolean {
  try {
    const file = openSync(path, 'r');
    try {
      const start = Buffer.alloc(ELF.length);
      return readSync(file, start) === ELF.length && start.equals(ELF);
    } finally {
      closeSync(file);
    }
  } catch {
    return false; // a program that may be executed and not read
  }
}

export class LocalRunner implements DelegateRunner {
  private readonly options: LocalRunnerOptions;

  constructor(options: LocalRunnerOptions) {
    this.options = options;
  }

  async start(
    plugin: string,
    env: Record<string, string | undefined>,
    { ahead = false }: StartOptions = {},
  ): Promise<RunningDelegate> {
    const path = findPlugin(plugin, this.options.searchPath);
    if (ahead && !isElf(path)) throw new DelegateStartError('ENOEXEC', `${path} is no ELF file: not started ahead`);
    const merged = { ...this.options.baseEnv, ...env };
    let onExit: (exit: DelegateExit) => void = () => undefined;
    const ended = new Promise<DelegateExit>((resolve) => {
      onExit = resolve;
    });
    try {
      const { id, pid } = native().startProcess(
        {
          path,
          env: Object.entries(merged).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`])),
          maxStdout: MAX_STDOUT,
          maxStderr: MAX_STDERR,
        },
        (exit) => onExit(exit),
      );
      return {
        pid,
        path,
        ended,
        feed: (stdin, deadlineMs) => native().feedProcess(id, stdin, deadlineMs),
        kill: () => native().killProcess(id),
      };
    } catch (error) {
      throw new DelegateStartError((error as NodeJS.ErrnoException).code ?? 'EIO', (error as Error).message);
    }
  }
}
