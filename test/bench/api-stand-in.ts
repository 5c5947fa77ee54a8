/**
 * A program: an API server as far as the daemon asks one, with as many definitions and pods as it is told, so that figures
 * of the daemon hold nothing of it. Objects are made as they are sent.
 *   node --import tsx test/bench/api-stand-in.ts PORT CERTIFICATE KEY DEFINITIONS
 * `POST /pods/N` changes the number of pods; it answers when those who watch have been sent the difference.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { managedFields, podContainer, podStatus } from './pod-object.ts';

const [port = '', certificate = '', key = '', count = '0'] = process.argv.slice(2);
const definitions = Number(count);
const watchers = new Set<ServerResponse>();
let pods = 0;
let version = 100_000;

const DEFINITION_KIND = { apiVersion: 'k8s.cni.cncf.io/v1', kind: 'NetworkAttachmentDefinition' };
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** No plugin of it does anything, but it is as long as those that do. */
function definition(i: number): object {
  const config = JSON.stringify({
    cniVersion: '1.0.0',
    name: `lan${i}`,
    plugins: [
      {
        ...{ type: 'noop', master: 'bond0', mode: 'bridge', mtu: 9000 },
        ipam: { type: 'whereabouts', range: `10.${i % 256}.0.0/16`, exclude: [`10.${i % 256}.0.0/28`] },
      },
      { type: 'noop', sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1' }, capabilities: { mac: true } },
    ],
  });
  const metadata = { namespace: 'default', name: `lan${i}` };
  const applied = JSON.stringify({ ...DEFINITION_KIND, metadata: { annotations: {}, ...metadata }, spec: { config } });
  return {
    ...DEFINITION_KIND,
    metadata: {
      ...{ ...metadata, uid: `4d9f7a52-6a52-4b4b-9c39-${String(i).padStart(12, '0')}`, resourceVersion: `${i + 1}` },
      ...{ generation: 1, creationTimestamp: '2026-01-01T00:00:00Z', annotations: { [LAST_APPLIED]: applied } },
      managedFields: [managedFields('kubectl-client-side-apply', ['f:spec', 'f:config'])],
    },
    spec: { config },
  };
}

function pod(i: number): object {
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: {
      ...{ namespace: 'default', name: `pod${i}`, uid: `uid-pod${i}`, resourceVersion: `${50_000 + i}` },
      ...{ generateName: 'app-7d4b9c6f5-', creationTimestamp: '2026-01-01T00:00:00Z' },
      labels: { app: `app${i % 20}`, 'pod-template-hash': '7d4b9c6f5' },
      annotations:
        definitions === 0 ? {} : { 'k8s.v1.cni.cncf.io/networks': `lan${i % definitions},lan${(i + 1) % definitions}` },
      managedFields: [
        managedFields('kube-controller-manager', ['f:metadata', 'f:spec']),
        managedFields('multus', ['f:metadata', 'f:annotations']),
        managedFields('kubelet', ['f:status']),
      ],
    },
    spec: { nodeName: 'node1', restartPolicy: 'Always', containers: [podContainer(i)] },
    status: podStatus(i),
  };
}

/** One event of a watch. */
function send(response: ServerResponse, type: string, object: object): Promise<void> {
  return new Promise((resolve) => response.write(`${JSON.stringify({ type, object })}\n`, () => resolve()));
}

async function stream(response: ServerResponse, count: number, make: (i: number) => object): Promise<void> {
  for (let i = 0; i < count; i++) await send(response, 'ADDED', make(i));
  const annotations = { 'k8s.io/initial-events-end': 'true' };
  await send(response, 'BOOKMARK', { metadata: { resourceVersion: String(version), annotations } });
}

function list(response: ServerResponse, query: URLSearchParams, count: number, make: (i: number) => object): void {
  const from = Number(query.get('continue') ?? 0);
  const to = Math.min(count, from + Number(query.get('limit') ?? count));
  const items = Array.from({ length: to - from }, (_, i) => make(from + i));
  const metadata = { resourceVersion: String(version), ...(to < count ? { continue: String(to) } : {}) };
  response.end(JSON.stringify({ metadata, items }));
}

async function follow(response: ServerResponse, url: URL): Promise<void> {
  const isPods = url.pathname === '/api/v1/pods';
  const [count, make] = isPods ? [pods, pod] : [definitions, definition];
  if (url.searchParams.get('watch') === null) return list(response, url.searchParams, count, make);
  response.flushHeaders();
  if (url.searchParams.get('sendInitialEvents') !== null) return stream(response, count, make);
  if (isPods) watchers.add(response);
  response.on('close', () => watchers.delete(response));
}

async function setPods(count: number): Promise<void> {
  const [from, to, type] = count > pods ? [pods, count, 'ADDED'] : [count, pods, 'DELETED'];
  pods = count;
  for (let i = from; i < to; i++) {
    version += 1;
    const changed = pod(i) as { metadata: Record<string, unknown> };
    changed.metadata['resourceVersion'] = String(version);
    for (const watcher of watchers) await send(watcher, type, changed);
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'https://x');
  request.resume();
  if (request.method === 'GET') return follow(response, url);
  const count = /^\/pods\/(\d+)$/.exec(url.pathname)?.[1];
  if (count !== undefined) await setPods(Number(count));
  response.end('{}');
}

createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => {
  void answer(request, response);
}).listen(Number(port), '127.0.0.1');
