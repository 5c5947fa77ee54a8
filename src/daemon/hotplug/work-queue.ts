/** Work by keys: a key is worked on once at a time, some keys at a time, and again when it was added meanwhile. */

export interface WorkQueueOptions {
  /** Must not throw. */
  work: (key: string) => Promise<void>;
  /** Keys that are worked on at a time. */
  parallel: number;
}

export class WorkQueue {
  private readonly options: WorkQueueOptions;
  /** In the order in which they came. */
  private readonly waiting = new Set<string>();
  private readonly running = new Map<string, Promise<void>>();
  private readonly later = new Map<string, NodeJS.Timeout>();
  private isStopped = false;

  constructor(options: WorkQueueOptions) {
    this.options = options;
  }

  /** As soon as there is room. A time that was set for the key does not count any more. */
  add(key: string): void {
    if (this.isStopped) return;
    this.cancel(key);
    this.waiting.add(key);
    this.next();
  }

  /** In `ms` milliseconds, unless it is added before. */
  addLater(key: string, ms: number): void {
    if (this.isStopped || this.waiting.has(key)) return;
    this.cancel(key);
    this.later.set(
      key,
      setTimeout(() => this.add(key), ms),
    );
  }

  /** What is under way goes on. */
  remove(key: string): void {
    this.cancel(key);
    this.waiting.delete(key);
  }

  /** Begin nothing any more; settles when what is under way has ended. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.waiting.clear();
    for (const key of [...this.later.keys()]) this.cancel(key);
    await Promise.all(this.running.values());
  }

  private cancel(key: string): void {
    clearTimeout(this.later.get(key));
    this.later.delete(key);
  }

  private next(): void {
    for (const key of this.waiting) {
      if (this.running.size >= this.options.parallel) return;
      if (this.running.has(key)) continue; // again when it has ended
      this.waiting.delete(key);
      const done = this.options.work(key).finally(() => {
        this.running.delete(key);
        this.next();
      });
      this.running.set(key, done);
    }
  }
}
