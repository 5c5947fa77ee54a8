/**
 * An API server as far as meta plugins use it: pods, definitions and events of memory, list and watch, over TLS with HTTP/1.1
 * and HTTP/2. Its answers can come late; events of watches do not.
 *
 *   node --import tsx stand-in-server.ts CERTIFICATE KEY PORT
 *
 * `POST /bench/latency` {"ms"} and `POST /bench/listen` {"netns"}, which makes it reachable in a machine, are its own, as are
 * `POST /bench/definitions` [...], `POST /bench/told`: names of the pods whose status was written, and
 * `POST /bench/requests`: what was asked since the last time.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import { listenIn } from '../../e2e/lab/listen-in.ts';
import { parseJson } from '../../lab/process.ts';
import { type ApiObject, Collection } from './collection.ts';
import { RequestCounts, type RequestKey, verbOf } from './request-counts.ts';

const [certFile = '', keyFile = '', port = ''] = process.argv.slice(2);
let latencyMs = 0;
const told = new Set<string>();
const counts = new RequestCounts();

const pods = new Collection('v1', 'Pod');
const definitions = new Collection('k8s.cni.cncf.io/v1', 'NetworkAttachmentDefinition');

/** /api/v1/namespaces/NAMESPACE/pods/NAME/status and its like: API, namespace, collection, name, subresource. */
const PATH =
  /^\/apis?\/(?:(?<group>[^/]+)\/)?v1\/(?:namespaces\/(?<namespace>[^/]+)\/)?(?<kind>pods|network-attachment-definitions|events)(?:\/(?<name>[^/]+))?(?:\/(?<status>status))?$/;

interface Answer {
  code: number;
  body: unknown;
}

const refusal = (code: number, reason: string): Answer => ({
  code,
  body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason, message: reason, code },
});

function changed(collection: Collection, key: string, method: string, body: string): Answer {
  const before = collection.get(key);
  if (before === undefined) return refusal(404, 'NotFound');
  // Multus puts whole pods in protobuf: what they say is not looked at, that they changed is told.
  const patch = method === 'PATCH' ? (parseJson(body) as ApiObject | undefined) : undefined;
  const annotations = { ...before.metadata.annotations, ...patch?.metadata?.annotations };
  return { code: 200, body: collection.put({ ...before, metadata: { ...before.metadata, annotations } }) };
}

function answer(method: string, path: RegExpExecArray['groups'], body: string): Answer {
  const { namespace = '', kind = '', name = '', status } = path ?? {};
  if (kind === 'events') return { code: method === 'POST' ? 201 : 200, body: parseJson(body) ?? {} };
  const collection = kind === 'pods' ? pods : definitions;
  if (status !== undefined && method !== 'GET') told.add(name);
  if (method === 'POST') return { code: 201, body: collection.put(parseJson(body) as ApiObject, namespace) };
  const key = `${namespace}/${name}`;
  if (method === 'DELETE') told.delete(name);
  if (method === 'DELETE') return collection.delete(key) ? { code: 200, body: {} } : refusal(404, 'NotFound');
  if (method === 'PUT' || method === 'PATCH') return changed(collection, key, method, body);
  const found = collection.get(key);
  return found === undefined ? refusal(404, 'NotFound') : { code: 200, body: found };
}

/** @returns bytes of the body */
function reply(response: Http2ServerResponse, { code, body }: Answer): number {
  const text = JSON.stringify(body);
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(text);
  return Buffer.byteLength(text);
}

async function control(path: string, body: string): Promise<Answer> {
  const said = parseJson(body) as { ms?: number; netns?: string };
  if (path === '/bench/told') return { code: 200, body: [...told] };
  if (path === '/bench/requests') return { code: 200, body: counts.take() };
  if (path === '/bench/definitions') {
    for (const definition of parseJson(body) as ApiObject[]) definitions.put(definition);
    return { code: 200, body: {} };
  }
  if (path === '/bench/latency') latencyMs = said.ms ?? 0;
  else (await listenIn(said.netns ?? '', Number(port))).on('connection', (socket) => server.emit('connection', socket));
  return { code: 200, body: {} };
}

/** Of requests for objects. */
function keyOf(request: Http2ServerRequest, url: URL, path: RegExpExecArray['groups']): RequestKey {
  const { kind = '', name, status } = path ?? {};
  const userAgent = request.headers['user-agent'] ?? '';
  const verb = verbOf(request.method, url.searchParams, name === undefined);
  return { userAgent, verb, resource: status === undefined ? kind : `${kind}/${status}` };
}

async function serve(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
  const url = new URL(request.url, 'https://x');
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const body = bytes.toString();
  if (url.pathname.startsWith('/bench/')) {
    reply(response, await control(url.pathname, body));
    return;
  }
  const path = PATH.exec(url.pathname)?.groups;
  const key = keyOf(request, url, path);
  if (path !== undefined) counts.begun(key, bytes.length);
  const collection = path?.['kind'] === 'pods' ? pods : definitions;
  if (path !== undefined && (key.verb === 'watch' || key.verb === 'stream')) {
    collection.watch(url.searchParams, response, (size, events) => counts.sent(key, size, events));
    return;
  }
  if (latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, latencyMs));
  if (url.pathname === '/readyz') reply(response, { code: 200, body: 'ok' });
  else if (path === undefined) reply(response, refusal(404, 'NotFound'));
  else if (key.verb === 'list')
    counts.sent(key, reply(response, { code: 200, body: collection.list(url.searchParams) }));
  else counts.sent(key, reply(response, answer(request.method, path, body)));
}

const server = createSecureServer({ cert: readFileSync(certFile), key: readFileSync(keyFile), allowHTTP1: true });
server.on('request', (request, response) => {
  serve(request, response).catch((error: Error) => reply(response, refusal(500, error.message)));
});
// Clients come and go as they like: their broken connections are no errors of ours.
server.on('sessionError', () => undefined).on('tlsClientError', () => undefined);
server.on('secureConnection', (socket: Socket) => socket.on('error', () => undefined));
server.listen(Number(port), '127.0.0.1');
await once(server, 'listening');
