/** How many operations run at a time, and who is next: DEL frees what ADD needs, so it goes first. */
import { CniCode, CniError } from '../cni/errors.ts';

export type Lane = 'release' | 'attach' | 'other';
const ORDER: readonly Lane[] = ['release', 'attach', 'other'];

export interface LanesOptions {
  /** Operations that run at a time. */
  concurrency: number;
  /** Operations that wait; one more is refused with code 11. */
  queueLength: number;
}

export class Lanes {
  private readonly options: LanesOptions;
  private readonly waiting: Record<Lane, (() => void)[]> = { release: [], attach: [], other: [] };
  private running = 0;

  constructor(options: LanesOptions) {
    this.options = options;
  }

  get active(): number {
    return this.running;
  }

  /** Run `work` when there is room. @throws CniError 11 when too many wait; what `work` throws */
  async run<T>(lane: Lane, work: () => Promise<T>): Promise<T> {
    if (this.running >= this.options.concurrency) await this.turn(lane);
    else this.running += 1;
    try {
      return await work();
    } finally {
      this.next();
    }
  }

  private turn(lane: Lane): Promise<void> {
    const queued = ORDER.reduce((sum, one) => sum + this.waiting[one].length, 0);
    if (queued >= this.options.queueLength && lane !== 'release') {
      throw new CniError(CniCode.tryAgainLater, `${queued} operations are waiting on this node; try again later`);
    }
    return new Promise((resolve) => {
      this.waiting[lane].push(resolve);
    });
  }

  /** Hand the free place on, without ever counting it free meanwhile. */
  private next(): void {
    for (const lane of ORDER) {
      const start = this.waiting[lane].shift();
      if (start !== undefined) {
        start();
        return;
      }
    }
    this.running -= 1;
  }
}
