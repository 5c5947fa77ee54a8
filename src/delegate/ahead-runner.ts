/**
 * Starts the next plugin while the current one works. A plugin does nothing before its stdin comes, so that its start-up
 * is over when its turn comes; one whose turn does not come is killed unfed.
 */
import type { DelegateRunner, RunningDelegate } from './runner.ts';

/** A plugin that will probably be run, and the changes to its environment. */
export interface Execution {
  plugin: string;
  env: Record<string, string | undefined>;
}

/** So long a plugin waits for its turn. Start-up takes a few milliseconds, and what it holds meanwhile others may want. */
const LONGEST_WAIT_MS = 250;

interface Started {
  execution: Execution;
  /** undefined when it cannot be started ahead: it will be in its turn, and fails then if it must. */
  delegate: Promise<RunningDelegate | undefined>;
  /** Has it ended, or is it to, before it was fed? */
  isOver: boolean;
  limit: NodeJS.Timeout;
}

function isSame(a: Execution, b: Execution): boolean {
  const keys = Object.keys(a.env);
  return (
    a.plugin === b.plugin &&
    keys.length === Object.keys(b.env).length &&
    keys.every((key) => key in b.env && a.env[key] === b.env[key])
  );
}

function over(ahead: Started): void {
  ahead.isOver = true;
  clearTimeout(ahead.limit);
}

function giveUp(ahead: Started): void {
  over(ahead);
  void ahead.delegate.then((delegate) => delegate?.kill());
}

/**
 * Run a sequence of plugins, each started ahead of its turn; the first one at once.
 * @param upcoming in the order in which they will be run
 */
export async function runningAhead<T>(
  runner: DelegateRunner,
  upcoming: readonly Execution[],
  work: (ahead: AheadRunner) => Promise<T>,
): Promise<T> {
  const ahead = new AheadRunner(runner, upcoming);
  try {
    return await work(ahead);
  } finally {
    ahead.end();
  }
}

/** A runner for one sequence of plugins. end() it. */
export class AheadRunner implements DelegateRunner {
  private readonly runner: DelegateRunner;
  private readonly upcoming: Execution[];
  private ahead: Started | undefined;

  /** Starts the first one. @param upcoming in the order in which they will be run */
  constructor(runner: DelegateRunner, upcoming: readonly Execution[]) {
    this.runner = runner;
    this.upcoming = [...upcoming];
    this.startNext();
  }

  /** What was not foreseen is run all the same, in its turn. @throws as DelegateRunner.start() */
  async start(plugin: string, env: Execution['env']): Promise<RunningDelegate> {
    const delegate = (await this.take({ plugin, env })) ?? (await this.runner.start(plugin, env));
    const feed: RunningDelegate['feed'] = (stdin, deadlineMs) => {
      delegate.feed(stdin, deadlineMs);
      this.startNext();
    };
    return { ...delegate, feed };
  }

  /** Nothing more comes: kill what was started ahead. */
  end(): void {
    this.upcoming.length = 0;
    if (this.ahead !== undefined) giveUp(this.ahead);
    this.ahead = undefined;
  }

  private startNext(): void {
    const execution = this.upcoming.shift();
    if (execution === undefined) return;
    const { plugin, env } = execution;
    const delegate = this.runner.start(plugin, env, { ahead: true }).catch(() => undefined);
    const ahead: Started = {
      execution,
      delegate,
      isOver: false,
      limit: setTimeout(() => giveUp(ahead), LONGEST_WAIT_MS),
    };
    void delegate.then((one) => one?.ended.catch(() => undefined).then(() => over(ahead)));
    this.ahead = ahead;
  }

  /** The one started ahead, if it is this one. */
  private async take(execution: Execution): Promise<RunningDelegate | undefined> {
    const { ahead } = this;
    if (ahead === undefined || !isSame(ahead.execution, execution)) {
      this.end(); // it goes another way than was foreseen
      return undefined;
    }
    this.ahead = undefined;
    const delegate = await ahead.delegate;
    clearTimeout(ahead.limit);
    return ahead.isOver ? undefined : delegate;
  }
}
