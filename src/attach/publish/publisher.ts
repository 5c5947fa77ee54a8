/**
 * Tells pods' status and events, behind the operations' backs. The daemon runs it for as long as it lives. The standalone
 * program flushes it before it ends: it alone can where there is never a daemon, and then it is now or at the next
 * request; its runtime waits for it, so that it gets little time and takes no more than a few of what others left. Where
 * a daemon runs beside, both may tell the same status: it is the same.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { PodEvent } from '../../cluster/source.ts';
import type { OpenSource, SourceSettings } from '../../cluster/sources.ts';
import { toCniError } from '../../cni/errors.ts';
import type { Log } from '../operation.ts';
import type { Announcer, StatusOwner } from './announcer.ts';
import { EventQueue } from './event-queue.ts';
import { Outbox } from './outbox.ts';
import { StatusDelivery } from './status-delivery.ts';

/** Standalone programs put something in without telling. */
const SCAN_MS = 10_000;

/** So long what is owed gives way to operations that are under way: to tell it takes as much time as they do. */
const PATIENCE_MS = 1000;
const LOOK_MS = 10;

/** What others left in the outbox, and is told beside one's own. */
const A_FEW = 3;

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

export interface PublisherOptions {
  openSource: OpenSource;
  log: Log;
  /** Are operations under way, for which callers wait? */
  isBusy?: () => boolean;
}

export class Publisher implements Announcer {
  private readonly log: Log;
  private readonly isBusy: () => boolean;
  private readonly statuses: StatusDelivery;
  private readonly events: EventQueue;
  private isWoken = false;
  private wakeUp = (): void => undefined;

  constructor({ openSource, log, isBusy = () => false }: PublisherOptions) {
    const wake = (): void => {
      this.isWoken = true;
      this.wakeUp();
    };
    this.log = log;
    this.isBusy = isBusy;
    this.statuses = new StatusDelivery({ openSource, log, wake });
    this.events = new EventQueue({ openSource, log, wake });
  }

  async oweStatus(cniDir: string, container: StatusOwner, wait?: AbortSignal): Promise<void> {
    try {
      new Outbox(cniDir).put(container.containerId);
    } catch (error) {
      // It can be told all the same, as long as this process lives.
      this.log.error({ error: toCniError(error).message }, 'cannot keep that a network status is owed');
    }
    this.statuses.add(cniDir, container);
    if (wait === undefined) return;
    await Promise.race([this.statuses.tryNow(cniDir, container.containerId, wait), aborted(wait)]);
  }

  dropStatus(cniDir: string, containerId: string): void {
    try {
      new Outbox(cniDir).remove(containerId);
    } catch (error) {
      this.log.error({ error: toCniError(error).message }, 'cannot forget that a network status is owed');
    }
    this.statuses.drop(cniDir, containerId);
  }

  event(settings: SourceSettings, event: PodEvent): void {
    this.events.put(settings, event);
  }

  /**
   * Until `signal` aborts; what is owed then stays in the outboxes. Settles when nothing is under way any more.
   * @param cniDirs the state directories as they are known by then
   */
  async run(cniDirs: () => Iterable<string>, signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.wakeUp(), { once: true });
    let scanAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      this.isWoken = false;
      if (performance.now() >= scanAt) {
        for (const cniDir of cniDirs()) this.statuses.scan(cniDir);
        scanAt = performance.now() + SCAN_MS;
      }
      await this.giveWay(signal);
      const pause = Math.min(this.statuses.begin(signal), this.events.begin(signal), scanAt - performance.now());
      await this.pause(Math.max(0, pause));
      await new Promise((resolve) => setImmediate(resolve)); // who put something in is answered first
    }
    await Promise.all([this.statuses.idle(), this.events.idle()]);
  }

  /** One try for what is owed and for the events, and for a few that others left; no longer than until `signal` aborts. */
  async flush(cniDir: string, signal: AbortSignal): Promise<void> {
    this.statuses.scan(cniDir, A_FEW);
    do {
      this.isWoken = false;
      this.statuses.begin(signal);
      this.events.begin(signal);
      await Promise.race([Promise.all([this.statuses.idle(), this.events.idle()]), aborted(signal)]);
    } while (this.isWoken && !signal.aborted);
  }

  private async giveWay(signal: AbortSignal): Promise<void> {
    const until = performance.now() + PATIENCE_MS;
    const waitedMs = (): number => Math.max(this.statuses.waitedMs, this.events.waitedMs);
    while (this.isBusy() && !signal.aborted && performance.now() < until && waitedMs() < PATIENCE_MS) {
      await delay(LOOK_MS);
    }
  }

  private async pause(ms: number): Promise<void> {
    if (this.isWoken) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.wakeUp = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }
}
