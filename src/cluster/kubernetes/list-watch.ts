/**
 * A copy of a collection of the API server, kept by listing it once and following its changes.
 *
 * - The first list may be the server's cached one (resourceVersion 0): all nodes list when they boot. A later one,
 *   when the server has forgotten where the copy was (410) or has never been there (504), is what etcd has.
 * - A watch goes on where the last event or bookmark left off. A connection on which nothing comes for a while is given
 *   up: half-open ones look like quiet ones.
 * - While the server cannot be asked, the copy stays as it is.
 */
import { describe } from '../../cni/quote.ts';
import { withSignal } from '../../node/with-signal.ts';
import { field, textAt } from '../object-fields.ts';
import { objectKey } from '../record-objects.ts';
import type { SourceLog } from '../source.ts';
import type { ApiClient } from './api-client.ts';
import { ApiError, isExpired, isTooNew, refusalOf } from './api-error.ts';
import { BackOff, type BackOffTimes, pause } from './back-off.ts';

export interface Resource<T> {
  /** For messages: "pods of node a". */
  what: string;
  /** "/api/v1/pods" */
  path: string;
  /** Selectors. */
  query: Record<string, string>;
  /** There may be thousands: they are asked for one by one, where the server can (WatchList, Kubernetes 1.34). */
  isLarge?: boolean;
  /** What is kept of an object. @throws TypeError naming the field */
  read: (object: unknown, namespace: string, name: string) => T;
  /** What it means that the server does not know such objects at all. */
  unknownKind: string;
}

export interface ListWatchTimes extends BackOffTimes {
  /** A watch on which nothing came for so long is begun anew; servers send a bookmark each minute. */
  silenceMs: number;
  /** One page of a list. */
  pageMs: number;
  /** How long the server lets a watch last; up to twice as long. */
  watchSeconds: number;
}

const TIMES: ListWatchTimes = {
  firstMs: 250,
  longestMs: 15_000,
  silenceMs: 100_000,
  pageMs: 30_000,
  watchSeconds: 300,
};

const PAGE = 500;
/** A list that is streamed. */
const STREAM_MS = 60_000;

export interface ListWatchOptions<T> {
  log: SourceLog;
  /** @param value undefined when it is gone */
  onChange?: (key: string, value: T | undefined) => void;
  /** The whole collection was seen. */
  onListed?: () => void;
  times?: ListWatchTimes | undefined;
}

interface Kept<T> {
  version: string;
  value: T;
}

/** The whole collection, and the version from which a watch goes on. */
interface Collection<T> {
  found: Map<string, Kept<T>>;
  version: string;
}

/** Marks the bookmark behind the objects that were there when a streamed list began. */
const END_OF_LIST = 'k8s.io/initial-events-end';

export class ListWatch<T> {
  /** Has the whole collection been seen? Stays true while the server cannot be asked. */
  isSynced = false;
  /** When the copy was last known to be right, milliseconds of Date.now(); 0 = never. */
  seenAt = 0;
  /** Why it cannot be followed now; '' while it is. */
  problem = '';
  private readonly client: ApiClient;
  private readonly resource: Resource<T>;
  private readonly options: ListWatchOptions<T>;
  private readonly times: ListWatchTimes;
  private kept = new Map<string, Kept<T>>();
  /** Of what was seen last. */
  private version = '';
  /** How the next list begins: as the server has it cached, or, empty, as etcd has it. */
  private fromCache: Record<string, string> = { resourceVersion: '0' };

  constructor(client: ApiClient, resource: Resource<T>, options: ListWatchOptions<T>) {
    this.client = client;
    this.resource = resource;
    this.options = options;
    this.times = options.times ?? TIMES;
  }

  get(namespace: string, name: string): T | undefined {
    return this.kept.get(objectKey(namespace, name))?.value;
  }

  *values(): Generator<T> {
    for (const { value } of this.kept.values()) yield value;
  }

  /** Keep the copy until `signal` aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const backOff = new BackOff(this.times);
    let isListed = false;
    while (!signal.aborted) {
      let wait = 0;
      try {
        if (!isListed) await this.list(signal);
        isListed = true;
        // A watch that ends at once, again and again, must not spin.
        if (await this.watch(signal)) backOff.reset();
        else wait = backOff.next();
      } catch (error) {
        if (signal.aborted) return;
        if (isExpired(error) || isTooNew(error)) {
          this.fromCache = {};
          isListed = false;
        }
        this.say(error);
        wait = Math.max(backOff.next(), error instanceof ApiError ? error.retryAfterMs : 0);
      }
      await pause(wait, signal);
    }
  }

  private async list(signal: AbortSignal): Promise<void> {
    const { found, version } =
      (await withSignal(signal, (ending) => this.streamed(ending))) ?? (await this.paged(signal));
    this.version = version;
    const earlier = this.kept;
    this.kept = found;
    this.isSynced = true;
    this.confirm();
    for (const key of earlier.keys()) if (!found.has(key)) this.tell(key);
    for (const [key, { version: own }] of found) if (earlier.get(key)?.version !== own) this.tell(key);
    this.options.onListed?.();
  }

  private async paged(signal: AbortSignal): Promise<Collection<T>> {
    const found = new Map<string, Kept<T>>();
    let page: unknown;
    let next = '';
    do {
      // With "continue" a version is an error.
      const from = next === '' ? this.fromCache : { continue: next };
      const path = this.path({ ...from, limit: String(PAGE) });
      page = await withSignal(signal, (ending) => this.page(path, ending));
      const items = field(page, 'items');
      if (!Array.isArray(items))
        throw new ApiError(0, `the list of ${this.resource.what} has ${describe(items)} as items`);
      for (const item of items) this.put(found, item);
      next = textAt(field(page, 'metadata'), 'continue', 'metadata.continue');
    } while (next !== '');
    return { found, version: textAt(field(page, 'metadata'), 'resourceVersion', 'metadata.resourceVersion') };
  }

  /**
   * The list as the events of a watch: neither the server nor we ever have all of it as one text (KEP-3157). Servers
   * without it refuse the question.
   * @returns undefined where it is not wanted, or refused
   */
  private async streamed(ending: AbortController): Promise<Collection<T> | undefined> {
    if (this.resource.isLarge !== true) return undefined;
    const found = new Map<string, Kept<T>>();
    const path = this.path({
      ...{ watch: '1', sendInitialEvents: 'true', allowWatchBookmarks: 'true' },
      ...{ resourceVersion: '', ...this.fromCache, resourceVersionMatch: 'NotOlderThan' },
    });
    const timer = setTimeout(() => ending.abort(new DOMException('', 'TimeoutError')), STREAM_MS);
    try {
      for await (const line of this.client.lines({ path, signal: ending.signal })) {
        const { type, object } = this.eventOf(line);
        const metadata = field(object, 'metadata');
        if (type === 'DELETED') found.delete(keyOf(object));
        else if (type !== 'BOOKMARK') this.put(found, object);
        else if (field(field(metadata, 'annotations'), END_OF_LIST) === 'true') {
          return { found, version: textAt(metadata, 'resourceVersion', 'metadata.resourceVersion') };
        }
      }
      throw new ApiError(0, `the stream of ${this.resource.what} ended before its last`);
    } catch (error) {
      if (error instanceof ApiError && (error.status === 400 || error.status === 422)) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  private async page(path: string, ending: AbortController): Promise<unknown> {
    const timer = setTimeout(() => ending.abort(new DOMException('', 'TimeoutError')), this.times.pageMs);
    try {
      return await this.client.json({ path, signal: ending.signal });
    } finally {
      clearTimeout(timer);
    }
  }

  /** @returns did anything come of it? */
  private watch(signal: AbortSignal): Promise<boolean> {
    return withSignal(signal, (ending) => this.watchOnce(ending));
  }

  private async watchOnce(ending: AbortController): Promise<boolean> {
    const giveUp = (): void => ending.abort(new Error(`nothing came for ${this.times.silenceMs} ms`));
    let timer = setTimeout(giveUp, this.times.silenceMs);
    const seconds = Math.round(this.times.watchSeconds * (1 + Math.random()));
    const query = { watch: '1', allowWatchBookmarks: 'true', timeoutSeconds: String(seconds) };
    const path = this.path({ ...query, resourceVersion: this.version });
    const { signal } = ending;
    const started = performance.now();
    const { version } = this;
    try {
      for await (const line of this.client.lines({ path, signal }, () => this.confirm())) {
        this.take(line);
        clearTimeout(timer);
        timer = setTimeout(giveUp, this.times.silenceMs);
      }
    } finally {
      clearTimeout(timer);
    }
    return this.version !== version || performance.now() - started > this.times.longestMs;
  }

  /** One event of a watch. @throws ApiError when the watch cannot go on */
  private eventOf(line: string): { type: unknown; object: unknown } {
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch (error) {
      throw new ApiError(0, `an event of the watch of ${this.resource.what} is not JSON`, { cause: error });
    }
    const object = field(event, 'object');
    const type = field(event, 'type');
    if (type === 'ERROR') {
      const code = field(object, 'code');
      throw refusalOf(`watching ${this.resource.what}`, typeof code === 'number' ? code : 0, object);
    }
    return { type, object };
  }

  /** @throws ApiError as eventOf */
  private take(line: string): void {
    const { type, object } = this.eventOf(line);
    const version = textAt(field(object, 'metadata'), 'resourceVersion', 'metadata.resourceVersion');
    if (version === '') throw new ApiError(0, `an event of the watch of ${this.resource.what} has no resourceVersion`);
    if (type === 'DELETED') {
      const key = keyOf(object);
      if (this.kept.delete(key)) this.tell(key);
    } else if (type !== 'BOOKMARK') {
      this.tell(this.put(this.kept, object));
    }
    this.version = version;
    this.confirm();
  }

  /** An object that cannot be used is not in the copy, and told of. @returns its key */
  private put(into: Map<string, Kept<T>>, object: unknown): string {
    const key = keyOf(object);
    const metadata = field(object, 'metadata');
    try {
      const [namespace, name] = [textAt(metadata, 'namespace', 'namespace'), textAt(metadata, 'name', 'name')];
      const value = this.resource.read(object, namespace, name);
      into.set(key, { version: textAt(metadata, 'resourceVersion', 'metadata.resourceVersion'), value });
    } catch (error) {
      into.delete(key);
      this.options.log.warn(
        { object: key, reason: (error as Error).message },
        'an object of the cluster cannot be used',
      );
    }
    return key;
  }

  private tell(key: string): void {
    this.options.onChange?.(key, this.kept.get(key)?.value);
  }

  private path(query: Record<string, string>): string {
    return `${this.resource.path}?${new URLSearchParams({ ...this.resource.query, ...query })}`;
  }

  private confirm(): void {
    this.seenAt = Date.now();
    if (this.problem === '') return;
    this.problem = '';
    this.options.log.info({ what: this.resource.what }, 'following the cluster again');
  }

  /** Each state once, not each try. */
  private say(error: unknown): void {
    const isKindUnknown = error instanceof ApiError && error.status === 404 && error.objectName === '';
    const problem = isKindUnknown ? this.resource.unknownKind : (error as Error).message;
    if (problem === this.problem) return;
    this.problem = problem;
    if (isExpired(error) || isTooNew(error)) return; // it is listed anew
    if (error instanceof ApiError && error.isTold) return;
    this.options.log.warn({ what: this.resource.what, reason: problem }, 'cannot follow the cluster');
  }
}

function keyOf(object: unknown): string {
  const metadata = field(object, 'metadata');
  return objectKey(textAt(metadata, 'namespace', 'metadata.namespace'), textAt(metadata, 'name', 'metadata.name'));
}
