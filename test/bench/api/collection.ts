/** Objects of one kind, as an API server lists them and tells of their changes. */
import { randomUUID } from 'node:crypto';
import type { Http2ServerResponse } from 'node:http2';

/** Told of each line of a watch: its bytes, and whether it is an event. */
export type OnLine = (bytes: number, events: 0 | 1) => void;

export interface ApiObject {
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    annotations?: Record<string, string>;
  };
  spec?: { nodeName?: string };
}

/** How often a watch is told that nothing has happened; clients give up silent ones. */
const BOOKMARK_MS = 30_000;

/** One counter for all kinds, as etcd has it. */
let version = 1;

function isWanted(query: URLSearchParams): (object: ApiObject) => boolean {
  const node = /^spec\.nodeName=(.+)$/.exec(query.get('fieldSelector') ?? '')?.[1];
  return ({ spec }) => node === undefined || spec?.nodeName === node;
}

export class Collection {
  private readonly apiVersion: string;
  private readonly kind: string;
  private readonly objects = new Map<string, ApiObject>();
  private readonly watches = new Set<(type: string, object: ApiObject) => void>();

  constructor(apiVersion: string, kind: string) {
    this.apiVersion = apiVersion;
    this.kind = kind;
  }

  /** @param key "<namespace>/<name>" */
  get(key: string): ApiObject | undefined {
    return this.objects.get(key);
  }

  /** @returns the object as it is kept */
  put(object: ApiObject, namespace = object.metadata.namespace ?? 'default'): ApiObject {
    const key = `${namespace}/${object.metadata.name}`;
    const type = this.objects.has(key) ? 'MODIFIED' : 'ADDED';
    const { apiVersion, kind } = this;
    const metadata = { uid: randomUUID(), ...object.metadata, namespace, resourceVersion: String(++version) };
    const kept = { apiVersion, kind, ...object, metadata };
    this.objects.set(key, kept);
    this.tell(type, kept);
    return kept;
  }

  delete(key: string): boolean {
    const object = this.objects.get(key);
    if (object === undefined) return false;
    this.objects.delete(key);
    this.tell('DELETED', { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } });
    return true;
  }

  private tell(type: string, object: ApiObject): void {
    for (const watch of this.watches) watch(type, object);
  }

  /** A page of it, where a limit is asked for: from the object on whose place "continue" names. */
  list(query: URLSearchParams): unknown {
    const all = [...this.objects.values()].filter(isWanted(query));
    const from = Number(query.get('continue') ?? 0);
    const items = all.slice(from, from + Number(query.get('limit') || all.length));
    const next = from + items.length;
    const metadata = { resourceVersion: String(version), ...(next < all.length ? { continue: String(next) } : {}) };
    return { apiVersion: this.apiVersion, kind: `${this.kind}List`, metadata, items };
  }

  /** Keep telling of changes; of all that is there first, when a streamed list is asked for. */
  watch(query: URLSearchParams, response: Http2ServerResponse, onLine: OnLine): void {
    const wanted = isWanted(query);
    const say = (type: string, object: unknown): void => {
      const line = `${JSON.stringify({ type, object })}\n`;
      response.write(line);
      onLine(Buffer.byteLength(line), type === 'BOOKMARK' ? 0 : 1);
    };
    const bookmark = (annotations?: Record<string, string>): void => {
      const metadata = { resourceVersion: String(version), annotations };
      say('BOOKMARK', { apiVersion: this.apiVersion, kind: this.kind, metadata });
    };
    response.writeHead(200, { 'content-type': 'application/json' });
    const since = Number(query.get('resourceVersion') || 0);
    const isStreamedList = query.get('sendInitialEvents') === 'true';
    for (const object of this.objects.values()) {
      // Deletions of the time before are not told: nobody deletes between a client's list and its watch.
      if (wanted(object) && (isStreamedList || Number(object.metadata.resourceVersion) > since)) say('ADDED', object);
    }
    bookmark(isStreamedList ? { 'k8s.io/initial-events-end': 'true' } : undefined);
    const timer = setInterval(bookmark, BOOKMARK_MS);
    const watch = (type: string, object: ApiObject): void => {
      if (wanted(object)) say(type, object);
    };
    this.watches.add(watch);
    response.on('close', () => {
      clearInterval(timer);
      this.watches.delete(watch);
    });
  }
}
