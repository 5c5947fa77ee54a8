/**
 * Follows the annotations of this node's pods while they run. It goes by what is, not by what happened: an edit that nobody
 * saw, because no daemon ran, is found at the start.
 */
import type { PodWatch, WatchedPod } from '../../cluster/source.ts';
import { CniCode, CniError } from '../../cni/errors.ts';
import { type FollowerOptions, PodFollower } from './pod-follower.ts';
import { WorkQueue } from './work-queue.ts';

/** Pods whose networks are changed at a time: they must leave the node's plugins to those that start. */
const PODS_AT_A_TIME = 4;

/** Between tries of a pod: doubled from a second to five minutes. */
const FIRST_WAIT_MS = 1000;
const LAST_WAIT_MS = 300_000;

/** What may have changed without a word: an ADD by the standalone program has ended, say. */
const RECHECK_MS = 60_000;

export interface HotplugOptions extends FollowerOptions {
  watch: PodWatch;
  firstWaitMs?: number;
  recheckMs?: number;
}

interface Followed {
  follower: PodFollower;
  /** Before the next try, when this one fails. */
  waitMs: number;
  isLeft: boolean;
}

export class HotplugController {
  private readonly options: HotplugOptions;
  private readonly pods = new Map<string, Followed>();
  private readonly queue: WorkQueue;
  private readonly ending = new AbortController();
  private readonly unsubscribe: () => void;
  private readonly recheck: NodeJS.Timeout;

  constructor(options: HotplugOptions) {
    this.options = options;
    this.queue = new WorkQueue({ work: (key) => this.look(key), parallel: PODS_AT_A_TIME });
    const { watch, recheckMs = RECHECK_MS } = options;
    this.unsubscribe = watch.subscribe((pod, key) => this.changed(pod, key));
    for (const pod of watch.pods()) this.changed(pod, `${pod.namespace}/${pod.name}`);
    this.recheck = setInterval(() => {
      for (const [key, { isLeft }] of this.pods) if (isLeft) this.queue.add(key);
    }, recheckMs);
  }

  /** A container of the pod ("namespace/name") was attached: its annotation may have been edited meanwhile. */
  added(key: string): void {
    const followed = this.pods.get(key);
    if (followed === undefined) return;
    followed.follower.forget();
    this.queue.add(key);
  }

  /** Begin nothing any more, end what is being attached; settles when that is undone. */
  async stop(): Promise<void> {
    clearInterval(this.recheck);
    this.unsubscribe();
    this.ending.abort(new CniError(CniCode.cancelled, 'the daemon stops'));
    await this.queue.stop();
  }

  private changed(pod: WatchedPod | undefined, key: string): void {
    if (pod === undefined) {
      this.pods.delete(key);
      this.queue.remove(key);
      return;
    }
    const known = this.pods.get(key);
    if (known === undefined) {
      this.pods.set(key, {
        follower: new PodFollower(pod, this.options),
        waitMs: this.firstWaitMs,
        isLeft: false,
      });
      this.queue.add(key);
      return;
    }
    if (!known.follower.update(pod)) return;
    known.waitMs = this.firstWaitMs;
    this.queue.add(key);
  }

  private get firstWaitMs(): number {
    return this.options.firstWaitMs ?? FIRST_WAIT_MS;
  }

  private async look(key: string): Promise<void> {
    const followed = this.pods.get(key);
    if (followed === undefined) return;
    const outcome = await followed.follower.follow(this.ending.signal);
    followed.isLeft = outcome === 'left';
    if (outcome !== 'failed') {
      followed.waitMs = this.firstWaitMs;
      return;
    }
    if (this.pods.get(key) === followed) this.queue.addLater(key, followed.waitMs);
    followed.waitMs = Math.min(followed.waitMs * 2, LAST_WAIT_MS);
  }
}
