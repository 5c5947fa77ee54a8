/** What programs ask of an API server, summed up: by program, verb and kind of object. */

/**
 * Verbs as audit logs have them; `stream` is a list that is asked for as a watch (KEP-3157), and `all` is what connections
 * have carried, with headers and TLS, where bodies are not counted.
 */
export type Verb = 'get' | 'list' | 'stream' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'all';

export interface RequestCount {
  userAgent: string;
  verb: Verb;
  /** "pods", "pods/status", … */
  resource: string;
  requests: number;
  /** Bytes of bodies, without headers and TLS; 0 where nobody counts them, or events. */
  received: number;
  sent: number;
  /** Of watches and streams; bookmarks are none. */
  events: number;
  /** When the last one began, milliseconds of Date.now(). */
  lastAt: number;
}

export type RequestKey = Pick<RequestCount, 'userAgent' | 'verb' | 'resource'>;

const VERBS: Record<string, Verb> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

const isOn = (value: string | null): boolean => value === '1' || value === 'true';

/** @param isCollection the path names no object */
export function verbOf(method: string, query: URLSearchParams, isCollection: boolean): Verb {
  const changing = VERBS[method];
  if (changing !== undefined) return changing;
  if (!isCollection) return 'get';
  if (!isOn(query.get('watch'))) return 'list';
  return isOn(query.get('sendInitialEvents')) ? 'stream' : 'watch';
}

/** The requests between two looks. */
export class RequestCounts {
  private counts = new Map<string, RequestCount>();

  private of(key: RequestKey): RequestCount {
    const { userAgent, verb, resource } = key;
    const text = JSON.stringify([userAgent, verb, resource]);
    const found = this.counts.get(text) ?? { ...key, requests: 0, received: 0, sent: 0, events: 0, lastAt: 0 };
    this.counts.set(text, found);
    return found;
  }

  /** @param received bytes of its body @param at milliseconds of Date.now() */
  begun(key: RequestKey, received = 0, at = Date.now()): void {
    const count = this.of(key);
    count.requests += 1;
    count.received += received;
    count.lastAt = Math.max(count.lastAt, at);
  }

  /** Of an answer, or of a part of one. */
  sent(key: RequestKey, bytes: number, events = 0): void {
    const count = this.of(key);
    count.sent += bytes;
    count.events += events;
  }

  /** All since the last time; what goes on counts from now on anew. */
  take(): RequestCount[] {
    const taken = [...this.counts.values()];
    this.counts = new Map();
    return taken;
  }
}
