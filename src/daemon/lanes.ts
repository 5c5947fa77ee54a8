/**
 * How many operations run at a time. Each lane has places of its own: what frees (DEL, GC) and what asks (CHECK, STATUS)
 * must never wait for ADDs whose plugins hang.
 */
import { CniCode, CniError } from '../cni/errors.ts';

export type Lane = 'attach' | 'release' | 'ask';

export interface LanesOptions {
  /** Operations of a lane that run at a time. */
  concurrency: number;
  /** Operations of a lane that wait; one more is refused with code 11, except for `release`. */
  queueLength: number;
}

export class Lanes {
  private readonly options: LanesOptions;
  private readonly running: Record<Lane, number> = { attach: 0, release: 0, ask: 0 };
  private readonly waiting: Record<Lane, (() => void)[]> = { attach: [], release: [], ask: [] };

  constructor(options: LanesOptions) {
    this.options = options;
  }

  /** Operations that run now. */
  get active(): number {
    return this.running.attach + this.running.release + this.running.ask;
  }

  /** Run `work` when its lane has room. @throws CniError 11 when too many wait; what `work` throws */
  async run<T>(lane: Lane, work: () => Promise<T>): Promise<T> {
    if (this.running[lane] >= this.options.concurrency) await this.turn(lane);
    else this.running[lane] += 1;
    try {
      return await work();
    } finally {
      this.handOn(lane);
    }
  }

  private turn(lane: Lane): Promise<void> {
    const queued = this.waiting[lane].length;
    if (queued >= this.options.queueLength && lane !== 'release') {
      throw new CniError(CniCode.tryAgainLater, `${queued} operations are waiting on this node; try again later`);
    }
    return new Promise((resolve) => {
      this.waiting[lane].push(resolve);
    });
  }

  /** Give the place to who waits longest, without ever counting it free meanwhile. */
  private handOn(lane: Lane): void {
    const start = this.waiting[lane].shift();
    if (start === undefined) this.running[lane] -= 1;
    else start();
  }
}
