/**
 * Tells pods the network status that they are owed, until it is told or nobody wants it any more.
 *
 * What is owed is in the outbox, so that a restart loses nothing; when to try again is in memory: a restart may be what
 * mends it. Of several containers of a pod only the newest is told of, and one at a time.
 */
import { DeliveryError } from '../../cluster/source.ts';
import type { OpenSource } from '../../cluster/sources.ts';
import type { JournalRecord } from '../journal-record.ts';
import { type Log, withinBudget } from '../operation.ts';
import { podOf } from '../pod-status.ts';
import type { StatusOwner } from './announcer.ts';
import { pauseMs } from './back-off.ts';
import { Outbox, type Owed } from './outbox.ts';
import { Rarely } from './rarely.ts';
import { runningRecord, tellStatus } from './tell-status.ts';

/** Statuses that are told at a time: a node that starts 250 pods must not be a flood for its API server. */
const PARALLEL = 4;
/** A request that hangs must not hold its place for ever. */
const TRY_LIMIT_MS = 10_000;
/** Once one was told, all that wait are tried again this long after their last try. */
const RELEASE_MS = 10_000;

export interface DeliveryOptions {
  openSource: OpenSource;
  log: Log;
  /** Something has ended, or has become due: `begin` has to be called. */
  wake: () => void;
  /** Milliseconds of a clock that only goes forward. */
  now?: () => number;
  /** In [0, 1). */
  random?: () => number;
  tell?: typeof tellStatus;
}

/** Pod and time are '' when the record could not be read. */
interface Waiting extends StatusOwner {
  cniDir: string;
  failures: number;
  triedAt: number;
  dueAt: number;
}

const keyOf = (cniDir: string, containerId: string): string => `${cniDir}/${containerId}`;

/**
 * The kubelet's UID of a pod from a file of the node, no UUID. What the cluster has of it is a mirror, which the kubelet
 * makes after the pod, and anew: that it is not there, or another file's, is never the last word.
 */
function isStatic(record: JournalRecord | undefined): boolean {
  return /^[0-9a-f]{32}$/.test((record && podOf(record)?.uid) ?? '');
}

const isSamePod = (a: Waiting, b: Waiting): boolean => a.pod !== '' && a.pod === b.pod;

export class StatusDelivery {
  private readonly openSource: OpenSource;
  private readonly log: Log;
  private readonly wake: () => void;
  private readonly now: () => number;
  private readonly random: () => number;
  private readonly tell: typeof tellStatus;
  private readonly rarely: Rarely;
  private readonly waiting = new Map<string, Waiting>();
  private readonly underWay = new Map<Waiting, Promise<void>>();
  private isTroubled = false;

  constructor(options: DeliveryOptions) {
    const { openSource, log, wake, now = () => performance.now(), random = Math.random, tell = tellStatus } = options;
    this.openSource = openSource;
    this.log = log;
    this.wake = wake;
    this.now = now;
    this.random = random;
    this.tell = tell;
    this.rarely = new Rarely(now);
  }

  /** Pods that have yet to be told something. */
  get length(): number {
    return this.waiting.size;
  }

  /** How long the one that waits longest has been due. */
  get waitedMs(): number {
    const due = [...this.waiting.values()].filter((one) => !this.underWay.has(one)).map(({ dueAt }) => dueAt);
    return Math.max(0, this.now() - Math.min(...due));
  }

  /** A container's pod is owed its status, as of now. */
  add(cniDir: string, { containerId, pod, createdAt }: StatusOwner): void {
    const key = keyOf(cniDir, containerId);
    const known = this.waiting.get(key) ?? { cniDir, containerId, failures: 0, triedAt: Number.NEGATIVE_INFINITY };
    this.waiting.set(key, { ...known, pod, createdAt, dueAt: this.now() });
    this.wake();
  }

  /** What an outbox holds and is not known yet. @param most that is taken of it, other ones each time */
  scan(cniDir: string, most = Number.POSITIVE_INFINITY): void {
    try {
      const unknown = new Outbox(cniDir).list().filter((id) => !this.waiting.has(keyOf(cniDir, id)));
      const first = unknown.length > most ? Math.floor(this.random() * unknown.length) : 0;
      const inTurn = [...unknown.slice(first), ...unknown.slice(0, first)];
      for (const containerId of inTurn.slice(0, most)) this.add(cniDir, this.ownerOf(cniDir, containerId));
    } catch (error) {
      this.complain({ cniDir }, error as Error);
    }
  }

  drop(cniDir: string, containerId: string): void {
    this.waiting.delete(keyOf(cniDir, containerId));
  }

  /** Begin what is due, as much as may be under way. @returns milliseconds until something else is due */
  begin(signal: AbortSignal): number {
    const now = this.now();
    const idle = [...this.waiting.values()].filter((one) => !this.underWay.has(one));
    const inOrder = idle.sort((a, b) => a.dueAt - b.dueAt);
    for (const one of inOrder) {
      if (one.dueAt > now) return this.isFull ? Number.POSITIVE_INFINITY : one.dueAt - now;
      if (this.isFull) break;
      if (this.isOutdated(one)) this.settle(one);
      else if (!this.isBusy(one)) void this.start(one, signal);
    }
    return Number.POSITIVE_INFINITY;
  }

  /** One try for a container right now, or the one that is under way. Settles when it ended, well or not. */
  async tryNow(cniDir: string, containerId: string, signal: AbortSignal): Promise<void> {
    const one = this.waiting.get(keyOf(cniDir, containerId));
    if (one === undefined) return;
    const [before] = [...this.underWay].filter(([other]) => other !== one && isSamePod(other, one));
    await before?.[1];
    await (this.underWay.get(one) ?? this.start(one, signal));
  }

  /** Settles when nothing is under way any more that is now. */
  async idle(): Promise<void> {
    await Promise.all(this.underWay.values());
  }

  private get isFull(): boolean {
    return this.underWay.size >= PARALLEL;
  }

  private ownerOf(cniDir: string, containerId: string): StatusOwner {
    const unknown = { containerId, pod: '', createdAt: '' };
    try {
      return runningRecord(cniDir, containerId) ?? unknown;
    } catch {
      return unknown; // why is told when it is tried
    }
  }

  /** A pod's sandbox was made anew before the status of the earlier one was told. */
  private isOutdated(one: Waiting): boolean {
    return [...this.waiting.values()].some((other) => isSamePod(other, one) && other.createdAt > one.createdAt);
  }

  private isBusy(one: Waiting): boolean {
    return [...this.underWay.keys()].some((other) => isSamePod(other, one));
  }

  private start(one: Waiting, signal: AbortSignal): Promise<void> {
    const trying = this.try(one, signal).finally(() => {
      this.underWay.delete(one);
      this.wake();
    });
    this.underWay.set(one, trying);
    return trying;
  }

  private async try(one: Waiting, signal: AbortSignal): Promise<void> {
    const { cniDir, containerId, pod } = one;
    const fields = { container: containerId, pod };
    one.triedAt = this.now();
    let owed: Owed | undefined;
    let record: JournalRecord | undefined;
    try {
      const outbox = new Outbox(cniDir);
      owed = outbox.find(containerId); // before the record: what is promised after it was read stays
      record = runningRecord(cniDir, containerId);
      if (record !== undefined && (await this.tellInTime(record, owed, outbox, signal))) this.succeeded(fields);
      this.settle(one, owed);
    } catch (error) {
      if (error instanceof DeliveryError && error.isFinal && !isStatic(record)) {
        this.log.warn({ ...fields, error: error.message }, 'the network status is not wanted any more');
        this.settle(one, owed);
      } else if (!signal.aborted) {
        this.failed(one, error as Error, owed);
      }
    }
  }

  private tellInTime(record: JournalRecord, owed: Owed | undefined, outbox: Outbox, signal: AbortSignal) {
    const { openSource, log } = this;
    return withinBudget(signal, TRY_LIMIT_MS, 'telling it', (limit) =>
      this.tell(record, owed, { outbox, openSource, log, signal: limit }),
    );
  }

  /** What was owed then is done with; a newer promise is due at once. @param owed @default whatever is owed */
  private settle(one: Waiting, owed?: Owed): void {
    const { cniDir, containerId } = one;
    const key = keyOf(cniDir, containerId);
    try {
      const outbox = new Outbox(cniDir);
      if (owed === undefined) outbox.remove(containerId);
      else outbox.settle(owed);
      if (this.waiting.get(key) === one) this.waiting.delete(key);
      if (outbox.find(containerId) !== undefined) this.add(cniDir, one);
    } catch (error) {
      this.failed(one, error as Error);
    }
  }

  private failed(one: Waiting, error: Error, owed?: Owed): void {
    one.failures += 1;
    const asked = error instanceof DeliveryError ? error.retryAfterMs : 0;
    const pause = pauseMs(one.failures, asked, this.random());
    one.dueAt = this.now() + pause;
    this.isTroubled = true;
    const { containerId: container, pod, failures } = one;
    const since = owed === undefined ? {} : { since: new Date(owed.since).toISOString() };
    const again = `${Math.round(pause)} ms`;
    this.complain({ container, pod, ...since, failures, waiting: this.waiting.size, again }, error);
  }

  private complain({ pod, ...fields }: { pod?: string } & Record<string, unknown>, error: Error): void {
    const { message } = error;
    const subject = pod ? message.replaceAll(pod, '') : message;
    const level = this.rarely.mayNow(subject) ? 'warn' : 'debug';
    this.log[level](
      { ...(pod === undefined ? {} : { pod }), ...fields, error: message },
      'cannot publish the network status yet',
    );
  }

  /** Who takes one takes the others: they need not wait as long as it looked. */
  private succeeded(fields: object): void {
    this.log.debug(fields, 'network status published');
    if (!this.isTroubled) return;
    this.isTroubled = false;
    for (const one of this.waiting.values()) {
      one.dueAt = Math.min(one.dueAt, Math.max(this.now(), one.triedAt + RELEASE_MS));
    }
    if (this.rarely.mayNow('again')) {
      this.log.info({ waiting: this.waiting.size - 1 }, 'network statuses are published again');
    }
  }
}
