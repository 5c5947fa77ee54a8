/** Work of which only so much may be under way; the rest waits in its order. */
export class FewAtATime {
  private readonly most: number;
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(most: number) {
    this.most = most;
  }

  /** How much is under way. */
  get active(): number {
    return this.running;
  }

  /** How much waits. */
  get queued(): number {
    return this.waiting.length;
  }

  get isFull(): boolean {
    return this.running >= this.most;
  }

  /** Do it when its turn comes. @throws what `work` throws */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.isFull) await new Promise<void>((turn) => this.waiting.push(turn));
    else this.running += 1;
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.running -= 1;
      else next(); // the place is handed on, without ever counting as free meanwhile
    }
  }
}
