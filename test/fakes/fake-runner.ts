/** Plugins that run nowhere: a function says how each ends, and every call is kept. */
import {
  type DelegateExit,
  type DelegateRunner,
  DelegateStartError,
  type RunningDelegate,
  type StartOptions,
} from '../../src/delegate/runner.ts';

/** One start of a plugin. */
export interface FakeRun {
  plugin: string;
  env: Record<string, string | undefined>;
  /** undefined until it was fed. */
  stdin: string | undefined;
  deadlineMs: number | undefined;
  /** How often kill() was called. */
  kills: number;
}

/** The plugin goes on until it is killed. */
export const UNTIL_KILLED = Symbol('until killed');

/** Stdout of a plugin that succeeds, or how it ends, or with what the runner fails. */
export type Outcome = string | Partial<DelegateExit> | Error | typeof UNTIL_KILLED;

export interface FakeRunnerOptions {
  /** Called once the plugin has its stdin. @default every plugin succeeds and prints nothing */
  onFeed?: (run: FakeRun) => Outcome;
  /** Are plugins started ahead of their turn? Else `runs` has them in the order of their turns. @default false */
  ahead?: boolean;
  /** Called at every start; what it returns is thrown. */
  onStart?: (run: FakeRun) => Error | undefined;
}

const SUCCESS: DelegateExit = {
  exitCode: 0,
  signal: 0,
  timedOut: false,
  killed: false,
  stdoutOverflow: false,
  stderrTruncated: false,
  stdout: Buffer.alloc(0),
  stderr: Buffer.alloc(0),
};

export class FakeRunner implements DelegateRunner {
  readonly runs: FakeRun[] = [];
  private readonly settles = new Map<FakeRun, (outcome: Outcome) => void>();
  private readonly options: FakeRunnerOptions;

  constructor(options: FakeRunnerOptions | ((run: FakeRun) => Outcome) = {}) {
    this.options = typeof options === 'function' ? { onFeed: options } : options;
  }

  /** What was run, in order: "ADD bridge". */
  get calls(): string[] {
    return this.runs.map(({ plugin, env }) => `${env['CNI_COMMAND']} ${plugin}`);
  }

  /** The process of a run ends, whether it was fed or not. */
  end(run: FakeRun | undefined, outcome: Outcome): void {
    if (run !== undefined) this.settles.get(run)?.(outcome);
  }

  async start(
    plugin: string,
    env: Record<string, string | undefined>,
    { ahead = false }: StartOptions = {},
  ): Promise<RunningDelegate> {
    if (ahead && !this.options.ahead) throw new DelegateStartError('ENOEXEC', `${plugin} is not started ahead`);
    const run: FakeRun = { plugin, env, stdin: undefined, deadlineMs: undefined, kills: 0 };
    this.runs.push(run);
    const error = this.options.onStart?.(run);
    if (error !== undefined) throw error;
    let settle: (outcome: Outcome) => void = () => undefined;
    const ended = new Promise<DelegateExit>((resolve, reject) => {
      settle = (outcome) => {
        if (outcome instanceof Error) reject(outcome);
        else if (typeof outcome === 'string') resolve({ ...SUCCESS, stdout: Buffer.from(outcome) });
        else if (outcome !== UNTIL_KILLED) resolve({ ...SUCCESS, ...outcome });
      };
    });
    this.settles.set(run, settle);
    return {
      pid: 1000 + this.runs.length,
      path: `/fake/${plugin}`,
      ended,
      feed: (stdin, deadlineMs) => {
        if (run.stdin !== undefined) throw new Error(`${plugin} was fed twice`);
        run.stdin = stdin.toString();
        run.deadlineMs = deadlineMs;
        settle(this.options.onFeed?.(run) ?? '');
      },
      kill: () => {
        run.kills += 1;
        settle({ exitCode: -1, signal: 15, killed: true });
      },
    };
  }
}
