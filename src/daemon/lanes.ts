/**
 * How many operations run at a time. Each lane has places of its own: what frees (DEL, GC) and what asks (CHECK, STATUS)
 * must never wait for ADDs whose plugins hang.
 */
import { CniCode, CniError } from '../cni/errors.ts';
import { FewAtATime } from '../node/few-at-a-time.ts';

export type Lane = 'attach' | 'release' | 'ask';

export interface LanesOptions {
  /** Operations of a lane that run at a time. */
  concurrency: number;
  /** Operations of a lane that wait; one more is refused with code 11, except for `release`. */
  queueLength: number;
}

export class Lanes {
  private readonly queueLength: number;
  private readonly places: Record<Lane, FewAtATime>;

  constructor({ concurrency, queueLength }: LanesOptions) {
    this.queueLength = queueLength;
    const places = (): FewAtATime => new FewAtATime(concurrency);
    this.places = { attach: places(), release: places(), ask: places() };
  }

  /** Operations that run now. */
  get active(): number {
    return Object.values(this.places).reduce((sum, { active }) => sum + active, 0);
  }

  /** Run `work` when its lane has room. @throws CniError 11 when too many wait; what `work` throws */
  async run<T>(lane: Lane, work: () => Promise<T>): Promise<T> {
    const places = this.places[lane];
    const { queued } = places;
    if (places.isFull && queued >= this.queueLength && lane !== 'release') {
      throw new CniError(CniCode.tryAgainLater, `${queued} operations are waiting on this node; try again later`);
    }
    return places.run(work);
  }
}
