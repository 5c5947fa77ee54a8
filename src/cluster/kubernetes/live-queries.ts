/** Questions that an API server answers at once: one GET each, shared by all who ask the same at the same time. */
import { field } from '../object-fields.ts';
import { resourceClaim, resourceSlice } from '../resource-objects.ts';
import type {
  DefinitionLookup,
  PodLookup,
  ResourceClaimLookup,
  ResourceSliceLookup,
  ResourceSliceRecord,
  ResourceSource,
} from '../source.ts';
import type { ApiClient } from './api-client.ts';
import { ApiError } from './api-error.ts';
import { DEFINITIONS_PATH, NO_DEFINITION_KIND, readDefinition, readPod } from './objects.ts';

/** However long who asks can wait: what does not come in this time does not come. */
const LIMIT_MS = 10_000;

const DRA_PATH = '/apis/resource.k8s.io/v1';
const NO_DRA =
  'the API server does not know resource.k8s.io/v1; devices of resource claims need Kubernetes 1.34 or above';

const PAGE = '500';

type Unknown = { outcome: 'unknown'; reason: string };

function unknown(error: unknown): Unknown {
  return { outcome: 'unknown', reason: (error as Error).message };
}

/** What a 404 means: the object, or the kind of object, is not there; undefined for all other errors. */
function missing(error: unknown): 'object' | 'kind' | undefined {
  if (!(error instanceof ApiError) || error.status !== 404) return undefined;
  return error.objectName === '' ? 'kind' : 'object';
}

/** `work`, or the signal's reason when that comes first; the work goes on for the others. */
function until<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      const { name, message } = signal.reason as Error;
      const why = name === 'TimeoutError' ? 'the API server does not answer in time' : message;
      reject(new ApiError(0, why, { cause: signal.reason }));
    };
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}

export class LiveQueries implements ResourceSource {
  private readonly client: ApiClient;
  private readonly underWay = new Map<string, Promise<unknown>>();

  constructor(client: ApiClient) {
    this.client = client;
  }

  async pod(namespace: string, name: string, signal: AbortSignal): Promise<PodLookup> {
    try {
      const object = await this.get(`/api/v1/namespaces/${namespace}/pods/${name}`, signal);
      return { outcome: 'found', pod: readPod(object, namespace, name) };
    } catch (error) {
      if (missing(error) === undefined) return unknown(error);
      return { outcome: 'unknown', reason: `the API server has no pod ${namespace}/${name}: it was deleted meanwhile` };
    }
  }

  async definition(namespace: string, name: string, signal: AbortSignal): Promise<DefinitionLookup> {
    const what = `NetworkAttachmentDefinition ${namespace}/${name}`;
    try {
      const path = `${DEFINITIONS_PATH}/namespaces/${namespace}/network-attachment-definitions/${name}`;
      const object = await this.get(path, signal);
      return { outcome: 'found', definition: readDefinition(object, namespace, name) };
    } catch (error) {
      if (error instanceof TypeError) return { outcome: 'unknown', reason: `${what} cannot be used: ${error.message}` };
      const kind = missing(error);
      if (kind === undefined) return unknown(error);
      return { outcome: 'absent', reason: kind === 'kind' ? NO_DEFINITION_KIND : `there is no ${what} in the cluster` };
    }
  }

  async resourceClaim(namespace: string, name: string, signal: AbortSignal): Promise<ResourceClaimLookup> {
    try {
      const object = await this.get(`${DRA_PATH}/namespaces/${namespace}/resourceclaims/${name}`, signal);
      return { outcome: 'found', claim: resourceClaim(object, namespace, name) };
    } catch (error) {
      const kind = missing(error);
      if (kind === undefined) return unknown(error);
      if (kind === 'kind') return { outcome: 'unknown', reason: NO_DRA };
      return { outcome: 'absent', reason: `there is no ResourceClaim ${namespace}/${name} in the cluster` };
    }
  }

  async resourceSlices(driver: string, signal: AbortSignal): Promise<ResourceSliceLookup> {
    try {
      return { outcome: 'found', slices: await this.slices(driver, signal) };
    } catch (error) {
      return missing(error) === undefined ? unknown(error) : { outcome: 'unknown', reason: NO_DRA };
    }
  }

  private async slices(driver: string, signal: AbortSignal): Promise<ResourceSliceRecord[]> {
    const slices: ResourceSliceRecord[] = [];
    let next = '';
    do {
      const query = { fieldSelector: `spec.driver=${driver}`, limit: PAGE, ...(next === '' ? {} : { continue: next }) };
      const page = await this.get(`${DRA_PATH}/resourceslices?${new URLSearchParams(query)}`, signal);
      for (const item of (field(page, 'items') ?? []) as unknown[]) {
        slices.push(resourceSlice(item, String(field(field(item, 'metadata'), 'name'))));
      }
      next = String(field(field(page, 'metadata'), 'continue') ?? '');
    } while (next !== '');
    return slices;
  }

  /** @throws ApiError */
  private get(path: string, signal: AbortSignal): Promise<unknown> {
    let work = this.underWay.get(path);
    if (work === undefined) {
      work = this.client.json({ path, signal: AbortSignal.timeout(LIMIT_MS) }).finally(() => {
        this.underWay.delete(path);
      });
      this.underWay.set(path, work);
    }
    return until(work, signal);
  }
}
