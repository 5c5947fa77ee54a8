/**
 * Events on their way to the cluster. They are hints for people: they wait in memory, of which they take little, and end
 * with the process; what is worth keeping is in the log.
 */
import { type ClusterSource, DeliveryError, type PodEvent } from '../../cluster/source.ts';
import type { OpenSource, SourceSettings } from '../../cluster/sources.ts';
import { type Log, withinBudget } from '../operation.ts';
import { pauseMs } from './back-off.ts';
import { EventLimits } from './event-limits.ts';
import { Rarely } from './rarely.ts';
import type { DeliveryOptions } from './status-delivery.ts';

/** Events that wait; then the oldest ones of good news are dropped, then the oldest. */
const LONGEST = 1000;
const PARALLEL = 4;
const TRY_LIMIT_MS = 10_000;
/** What is older is no news any more. */
const OLDEST_MS = 10 * 60_000;
/** Events of the node: so many at once, then as many a second. */
const BURST = 100;
const PER_SECOND = 20;

type QueueOptions = Omit<DeliveryOptions, 'tell'>;

interface Queued {
  source: ClusterSource;
  event: PodEvent;
  at: number;
}

export class EventQueue {
  private readonly openSource: OpenSource;
  private readonly log: Log;
  private readonly wake: () => void;
  private readonly now: () => number;
  private readonly random: () => number;
  private readonly rarely: Rarely;
  private readonly limits = new EventLimits();
  private readonly underWay = new Set<Promise<void>>();
  private queue: Queued[] = [];
  private tokens = BURST;
  private refilledAt: number;
  private failures = 0;
  private pausedUntil = Number.NEGATIVE_INFINITY;
  private dropped = 0;

  constructor({ openSource, log, wake, now = () => performance.now(), random = Math.random }: QueueOptions) {
    this.openSource = openSource;
    this.log = log;
    this.wake = wake;
    this.now = now;
    this.random = random;
    this.rarely = new Rarely(now);
    this.refilledAt = now();
  }

  get length(): number {
    return this.queue.length;
  }

  put(settings: SourceSettings, event: PodEvent): void {
    const source = this.openSource(settings);
    if (source?.recordEvent === undefined) return;
    const at = this.now();
    if (!this.limits.admit(event, at)) return;
    this.queue.push({ source, event, at });
    if (this.queue.length > LONGEST) {
      const victim = this.queue.findIndex((one) => one.event.type === 'Normal');
      this.queue.splice(Math.max(victim, 0), 1);
      this.lost('too many are waiting');
    }
    this.wake();
  }

  /** How long the oldest one has waited. */
  get waitedMs(): number {
    return this.now() - (this.queue[0]?.at ?? this.now());
  }

  /** Begin to tell what may be told now. @returns milliseconds until more may be */
  begin(signal: AbortSignal): number {
    const now = this.now();
    this.tokens = Math.min(BURST, this.tokens + ((now - this.refilledAt) / 1000) * PER_SECOND);
    this.refilledAt = now;
    if (now < this.pausedUntil) return this.pausedUntil - now;
    while (this.queue.length > 0 && this.underWay.size < PARALLEL) {
      if (this.tokens < 1) return ((1 - this.tokens) / PER_SECOND) * 1000;
      const next = this.queue.shift();
      if (next === undefined) break;
      if (now - next.at > OLDEST_MS) {
        this.lost('it is too old');
        continue;
      }
      this.tokens -= 1;
      const telling = this.tell(next, signal).finally(() => {
        this.underWay.delete(telling);
        this.wake();
      });
      this.underWay.add(telling);
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Settles when nothing is under way any more that is now. */
  async idle(): Promise<void> {
    await Promise.all(this.underWay);
  }

  private async tell(queued: Queued, signal: AbortSignal): Promise<void> {
    try {
      await withinBudget(signal, TRY_LIMIT_MS, 'telling it', async (limit) =>
        queued.source.recordEvent?.(queued.event, limit),
      );
      this.failures = 0;
      this.pausedUntil = Number.NEGATIVE_INFINITY;
    } catch (error) {
      const { message } = error as Error;
      if (signal.aborted || (error instanceof DeliveryError && error.isFinal)) {
        this.lost(message);
        return;
      }
      this.queue.push(queued); // behind the others: it may be the only one that cannot be told
      this.failures += 1;
      const asked = error instanceof DeliveryError ? error.retryAfterMs : 0;
      this.pausedUntil = this.now() + Math.min(60_000, pauseMs(this.failures, asked, this.random()));
      if (this.rarely.mayNow('failed')) {
        this.log.warn({ error: message, waiting: this.queue.length }, 'cannot tell events yet');
      }
    }
  }

  private lost(reason: string): void {
    this.dropped += 1;
    if (this.rarely.mayNow(`lost: ${reason}`)) this.log.warn({ reason, dropped: this.dropped }, 'an event is not told');
  }
}
