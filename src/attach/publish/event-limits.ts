/** Which events are worth telling: a pod that fails every few seconds, for days, says so once in a while. Pure. */
import type { PodEvent } from '../../cluster/source.ts';

/** The same words again within this time add nothing. */
const SAME_AFTER_MS = 60_000;

/** Events of one reason of one pod: so many at once, then one each so many milliseconds. 64 networks, and some again. */
const ALLOWANCE = {
  Normal: { burst: 100, refillMs: 10_000 },
  Warning: { burst: 10, refillMs: 60_000 },
} as const;

/** Pods and texts that are remembered; the least recent are forgotten first. */
const MEMORY = 5000;

interface Bucket {
  tokens: number;
  at: number;
}

/** Put a key in front of those to be forgotten. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MEMORY && oldest !== undefined) map.delete(oldest);
}

export class EventLimits {
  private readonly told = new Map<string, number>();
  private readonly buckets = new Map<string, Bucket>();

  /** May this one be told? Then it counts as told. @param now milliseconds of a clock that only goes forward */
  admit({ namespace, name, uid, type, reason, message }: PodEvent, now: number): boolean {
    const subject = `${namespace}/${name}/${uid} ${reason}`;
    const text = `${subject} ${message}`;
    if (now - (this.told.get(text) ?? Number.NEGATIVE_INFINITY) < SAME_AFTER_MS) return false;
    const { burst, refillMs } = ALLOWANCE[type];
    const { tokens, at } = this.buckets.get(subject) ?? { tokens: burst, at: now };
    const left = Math.min(burst, tokens + (now - at) / refillMs);
    if (left < 1) return false;
    remember(this.buckets, subject, { tokens: left - 1, at: now });
    remember(this.told, text, now);
    return true;
  }
}
