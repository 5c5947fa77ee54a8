/**
 * What we tell the cluster of a pod: its network status, and events. One try each; whoever calls decides when to try
 * again, by what the DeliveryError says.
 */
import { createHash } from 'node:crypto';
import { field } from '../object-fields.ts';
import { isPodOf } from '../pod-uid.ts';
import { DeliveryError, type PodEvent, type PodRecord, type PodStatus } from '../source.ts';
import type { ApiClient } from './api-client.ts';
import { ApiError } from './api-error.ts';
import { readPod } from './objects.ts';

/** core/v1 Event: longer ones are refused. */
const MAX_MESSAGE_BYTES = 1024;

const MERGE_PATCH = 'application/merge-patch+json';

/** What will not be better next time: the pod is gone, is another one, or takes nothing like it. */
const FINAL = new Set([400, 405, 413, 415, 422]);

function deliveryError(what: string, error: unknown): DeliveryError {
  const { message } = error as Error;
  const status = error instanceof ApiError ? error.status : 0;
  // Without the name of what is not there it is the word of a proxy that has lost its API server.
  const isGone = error instanceof ApiError && status === 404 && error.objectName !== '';
  const isOtherPod = status === 409 && /Precondition failed: UID/.test(message); // "druid" is a name of pods
  // While a namespace ends, nothing can be made in it.
  const isEnding = status === 403 && /being terminated/i.test(message);
  return new DeliveryError(`${what}: ${message}`, {
    isFinal: FINAL.has(status) || isGone || isOtherPod || isEnding,
    retryAfterMs: error instanceof ApiError ? error.retryAfterMs : 0,
    cause: error,
  });
}

export class Delivery {
  private readonly client: ApiClient;
  private readonly node: string;
  /** How often each event was told: by its name. */
  private readonly counts = new Map<string, number>();

  /** @param node for events */
  constructor(client: ApiClient, node: string) {
    this.client = client;
    this.node = node;
  }

  /**
   * Only our annotations are in the patch, so those of others stay; the UID in it makes the server refuse it for another
   * pod of the name.
   * @param known the pod as far as we know it: a static pod's mirror has another UID than the runtime's
   * @throws DeliveryError
   */
  async publishStatus(status: PodStatus, known: PodRecord | undefined, signal: AbortSignal): Promise<void> {
    const { namespace, name, uid } = status;
    const what = `cannot tell the network status of pod ${namespace}/${name}`;
    try {
      const own = known !== undefined && isPodOf(known, uid) ? known.uid : uid;
      await this.patchStatus(status, own, signal).catch(async (error: unknown) => {
        // The pod may be static, and we have not seen its mirror.
        const isThere = deliveryError(what, error).isFinal && !(error instanceof ApiError && error.status === 404);
        if (!isThere || own !== uid || uid === '') throw error;
        const pod = await this.podNow(namespace, name, signal);
        if (pod.uid === uid || !isPodOf(pod, uid)) throw error;
        await this.patchStatus(status, pod.uid, signal);
      });
    } catch (error) {
      throw deliveryError(what, error);
    }
  }

  private async podNow(namespace: string, name: string, signal: AbortSignal): Promise<PodRecord> {
    return readPod(await this.client.json({ path: podPath(namespace, name), signal }), namespace, name);
  }

  private async patchStatus({ namespace, name, annotations }: PodStatus, uid: string, signal: AbortSignal) {
    const metadata = { ...(uid === '' ? {} : { uid }), annotations };
    await this.client.json({
      method: 'PATCH',
      path: `${podPath(namespace, name)}/status`,
      contentType: MERGE_PATCH,
      body: { metadata },
      signal,
    });
  }

  /**
   * The same event of the same pod is one object that counts.
   * @param known as for publishStatus
   * @throws DeliveryError
   */
  async recordEvent(event: PodEvent, known: PodRecord | undefined, signal: AbortSignal): Promise<void> {
    const { namespace, name } = event;
    const uid = known !== undefined && isPodOf(known, event.uid) ? known.uid : event.uid;
    const eventName = nameOf(event, uid);
    try {
      const isKnown = this.counts.has(eventName) && (await this.countUp(namespace, eventName, signal));
      if (!isKnown) await this.create(event, uid, eventName, signal);
    } catch (error) {
      throw deliveryError(`cannot record event ${event.reason} of pod ${namespace}/${name}`, error);
    }
  }

  /** @returns false when the event is no longer there: the API server forgets them after an hour */
  private async countUp(namespace: string, eventName: string, signal: AbortSignal): Promise<boolean> {
    const count = (this.counts.get(eventName) ?? 1) + 1;
    try {
      await this.client.json({
        method: 'PATCH',
        path: `${eventsPath(namespace)}/${eventName}`,
        contentType: MERGE_PATCH,
        body: { count, lastTimestamp: now() },
        signal,
      });
    } catch (error) {
      this.counts.delete(eventName);
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
    this.remember(eventName, count);
    return true;
  }

  private async create(event: PodEvent, uid: string, eventName: string, signal: AbortSignal): Promise<void> {
    const { namespace, name, type, reason } = event;
    const time = now();
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace, name: eventName },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, ...(uid === '' ? {} : { uid }) },
      type,
      reason,
      message: shortened(event.message),
      source: { component: 'multus', host: this.node },
      reportingComponent: 'multus',
      reportingInstance: this.node,
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    };
    try {
      await this.client.json({ method: 'POST', path: eventsPath(namespace), body, signal });
      this.remember(eventName, 1);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409)) throw error;
      // An earlier daemon told it.
      const object = await this.client.json({ path: `${eventsPath(namespace)}/${eventName}`, signal });
      const count = field(object, 'count');
      this.remember(eventName, typeof count === 'number' ? count : 1);
      await this.countUp(namespace, eventName, signal);
    }
  }

  /** The latest ones; each pod has a few. */
  private remember(eventName: string, count: number): void {
    this.counts.delete(eventName);
    this.counts.set(eventName, count);
    const [oldest] = this.counts.keys();
    if (this.counts.size > 1000 && oldest !== undefined) this.counts.delete(oldest);
  }
}

function podPath(namespace: string, name: string): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}

function eventsPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/events`;
}

/** With seconds: as the API server reads times. */
function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

/** The same for the same event: names of pods end at 253 characters, and so do those of events. */
function nameOf({ name, type, reason, message }: PodEvent, uid: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([uid, type, reason, message]))
    .digest('hex')
    .slice(0, 16);
  return `${name.slice(0, 230)}.${hash}`;
}

function shortened(message: string): string {
  const bytes = Buffer.from(message);
  if (bytes.length <= MAX_MESSAGE_BYTES) return message;
  return `${bytes
    .subarray(0, MAX_MESSAGE_BYTES - 6)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')}…`;
}
