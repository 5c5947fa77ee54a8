/** The real one, over relays that can be slow. */
import { LAB_AGENT } from '../../e2e/lab/api-client.ts';
import { startApiServer } from '../../e2e/lab/api-server.ts';
import type { LoggedRequest } from '../../e2e/lab/audit-log.ts';
import type { Machine } from '../../e2e/lab/machine.ts';
import { multusAccount } from '../../e2e/lab/multus-node.ts';
import { Relay } from '../../e2e/lab/relay.ts';
import type { BenchApi } from './bench-api.ts';
import { realisticPod } from './realistic-pod.ts';
import { type RequestCount, RequestCounts, verbOf } from './request-counts.ts';

const STATUS = 'k8s.v1.cni.cncf.io/network-status';

/** Namespace, collection, name, subresource. */
const PATH = /^\/apis?\/(?:[^/]+\/)?v\w+\/(?:namespaces\/[^/]+\/)?([a-z-]+)(?:\/([^/]+))?(?:\/([^/]+))?$/;

/** Whose bodies nobody has counted. */
function countsOf(requests: readonly LoggedRequest[]): RequestCount[] {
  const counts = new RequestCounts();
  for (const { verb, path, userAgent, at } of requests) {
    const url = new URL(path, 'https://x');
    const [, kind, name, subresource] = PATH.exec(url.pathname) ?? [];
    if (kind === undefined || userAgent === LAB_AGENT) continue;
    const method = { create: 'POST', update: 'PUT', patch: 'PATCH', delete: 'DELETE' }[verb] ?? 'GET';
    const resource = subresource === undefined ? kind : `${kind}/${subresource}`;
    counts.begun({ userAgent, verb: verbOf(method, url.searchParams, name === undefined), resource }, 0, at);
  }
  return counts.take();
}

export async function startKubeApiserver(): Promise<BenchApi> {
  const server = await startApiServer();
  const relays = new Set<Relay>();
  const seen = new Set<string>();
  /** What all relays have carried since the last time. */
  const takeCarried = (): RequestCount[] => {
    let [received, sent] = [0, 0];
    for (const relay of relays) {
      received += relay.toServer;
      sent += relay.toClient;
      relay.toServer = 0;
      relay.toClient = 0;
    }
    if (received + sent === 0) return [];
    const key = { userAgent: '', verb: 'all', resource: 'all' } as const;
    return [{ ...key, requests: 0, received, sent, events: 0, lastAt: Date.now() }];
  };
  return {
    name: 'kube-apiserver with etcd; their CPU counts as foreign',
    token: await multusAccount(server),
    url: server.url,
    caFile: server.caFile,
    adminKubeconfig: server.adminKubeconfig,
    pids: [],
    apply: (...objects) => (objects.length === 0 ? Promise.resolve() : server.apply(...objects)),
    async createPod(pod) {
      const { status, body } = await server.request('POST', '/api/v1/namespaces/default/pods', realisticPod(pod));
      if (status !== 201) throw new Error(`the pod ${pod.name} was not created: ${status} ${body?.message}`);
      return { uid: body.metadata.uid };
    },
    delete: (path) => server.delete(path),
    async toldPods() {
      const { items } = await server.get('/api/v1/namespaces/default/pods');
      const told = items.filter(({ metadata }: { metadata: { annotations?: object } }) =>
        Object.hasOwn(metadata.annotations ?? {}, STATUS),
      );
      return new Set(told.map(({ metadata }: { metadata: { name: string } }) => metadata.name));
    },
    async takeCounts() {
      const fresh = (await server.requests()).filter(({ id }) => !seen.has(id));
      for (const { id } of fresh) seen.add(id);
      return [...countsOf(fresh), ...takeCarried()];
    },
    async delay(ms) {
      for (const relay of relays) relay.delayMs = ms;
    },
    async reach(machine: Machine) {
      const relay = await Relay.open(machine, Number(new URL(server.url).port));
      relays.add(relay);
      return {
        close() {
          relays.delete(relay);
          relay.close();
        },
      };
    },
    close: () => server.close(),
  };
}
