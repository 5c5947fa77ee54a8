/** A real cluster's API for a test: etcd and kube-apiserver as children, on ports of 127.0.0.1, several beside each other. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { until } from '../../lab/process.ts';
import { goTool } from '../../tools/go/build.mjs';
import { ApiClient, type Reply, type RequestOptions } from './api-client.ts';
import { applyObjects } from './apply-objects.ts';
import { AUDIT_POLICY, type LoggedRequest, matches, type RequestFilter, readAuditLog } from './audit-log.ts';
import { type Authority, type Certificate, makeAuthority, makeTokenKey } from './certificates.ts';
import { freePort, ServerProcess } from './server-process.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of the API
type ApiObject = any;

const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const CRD_FILE = new URL('../../../deploy/crd/crd.yaml', import.meta.url);

export interface PodOptions {
  /** Default: default. */
  namespace?: string;
  name: string;
  annotations?: Record<string, string>;
  labels?: Record<string, string>;
  /** Default: node1. */
  nodeName?: string;
  /** Further fields of the pod's spec. */
  spec?: Record<string, unknown>;
  /** The API server chooses it. */
  uid?: never;
}

export class ApiServer {
  readonly url: string;
  readonly folder: string;
  readonly authority: Authority;
  /** Of a member of system:masters. */
  readonly adminKubeconfig: string;
  readonly #client: ApiClient;
  readonly #etcd: ServerProcess;
  readonly #command: [string, string[]];
  #server: ServerProcess;

  constructor(parts: {
    url: string;
    folder: string;
    authority: Authority;
    admin: Certificate;
    etcd: ServerProcess;
    command: [string, string[]];
  }) {
    this.url = parts.url;
    this.folder = parts.folder;
    this.authority = parts.authority;
    this.#etcd = parts.etcd;
    this.#command = parts.command;
    this.#client = new ApiClient(parts.url, parts.authority.caFile, parts.admin);
    this.#server = this.#spawn();
    this.adminKubeconfig = this.kubeconfigOf(parts.admin);
  }

  get caFile(): string {
    return this.authority.caFile;
  }

  /** Server-side apply; what it makes of definitions is served when it returns. @returns the objects as stored */
  apply(...objects: object[]): Promise<ApiObject[]> {
    return applyObjects(this.#client, objects);
  }

  /** @param path '/api/v1/namespaces/default/pods/a' @returns undefined when it is not there */
  async get(path: string): Promise<ApiObject> {
    const reply = await this.#client.request('GET', path);
    if (reply.status === 404) return undefined;
    if (reply.status >= 300) throw new Error(`GET ${path}: ${reply.status} ${reply.body?.message ?? reply.body}`);
    return reply.body;
  }

  /** JSON merge patch, of what must be there. */
  patch(path: string, change: object): Promise<ApiObject> {
    return this.#client.must('PATCH', path, change, { contentType: 'application/merge-patch+json' });
  }

  /** At once, as a kubelet ends a pod's deletion: there is none here. What is not there is deleted. */
  async delete(path: string): Promise<void> {
    const reply = await this.request('DELETE', path, {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      gracePeriodSeconds: 0,
    });
    if (reply.status >= 300 && reply.status !== 404) throw new Error(`DELETE ${path}: ${reply.body?.message}`);
  }

  /** Any answer is a result. */
  request(method: string, path: string, body?: unknown, options?: RequestOptions): Promise<Reply> {
    return this.#client.request(method, path, body, options);
  }

  /** A pod that is scheduled already. */
  async createPod(pod: PodOptions): Promise<{ uid: string }> {
    const { namespace = 'default', name, annotations = {}, labels = {}, nodeName = 'node1' } = pod;
    const containers = [{ name: 'c', image: 'registry.k8s.io/pause:3.10' }];
    const created = await this.#client.must('POST', `/api/v1/namespaces/${namespace}/pods`, {
      metadata: { name, annotations, labels },
      spec: { nodeName, containers, ...pod.spec },
    });
    return { uid: created.metadata.uid };
  }

  /** By TokenRequest. @param seconds at least 600 */
  async serviceAccountToken(namespace: string, name: string, seconds = 3600): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
    const answer = await this.#client.must('POST', path, { spec: { expirationSeconds: seconds } });
    return answer.status.token;
  }

  /** @param server instead of the API server's own address: a proxy's @returns the file's path */
  kubeconfigFor(token: string, server = this.url): string {
    return this.#writeKubeconfig({ token }, server);
  }

  /** With a client certificate, of `authority.client()`. @returns the file's path */
  kubeconfigOf({ certFile, keyFile }: Certificate, server = this.url): string {
    const base64 = (file: string) => readFileSync(file).toString('base64');
    const user = { 'client-certificate-data': base64(certFile), 'client-key-data': base64(keyFile) };
    return this.#writeKubeconfig(user, server);
  }

  /** End the API server only: connections to it are refused, etcd keeps its data. */
  async stop(): Promise<void> {
    await this.#server.end();
    this.#client.close();
  }

  /** Again, at the same port, with the same certificates. */
  async start(): Promise<void> {
    if (!this.#server.running) this.#server = this.#spawn();
    await this.ready();
  }

  /** Resolves once it answers, and its own roles and namespaces are made. */
  async ready(): Promise<void> {
    const isReady = async () => (await this.#client.request('GET', '/readyz')).status === 200;
    await this.#server.ready(() => isReady().catch(() => false));
  }

  /** It hangs: the kernel accepts connections, nobody answers. */
  pause(): void {
    this.#server.freeze();
  }

  resume(): void {
    this.#server.signal('SIGCONT');
  }

  /** What was asked of the API server, from its audit log; the lab's own requests, too. */
  async requests(filter: RequestFilter = {}): Promise<LoggedRequest[]> {
    const file = join(this.folder, 'audit.log');
    const mark = `/version?mark=${randomUUID()}`; // what was answered before it is logged before it, or soon will be
    await this.#client.must('GET', mark);
    const found = () => readAuditLog(file);
    await until('the audit log has our mark', () => found().some(({ path }) => path === mark));
    return found().filter((one) => !one.path.startsWith('/version?mark=') && matches(one, filter));
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#server.end();
    await this.#etcd.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #spawn(): ServerProcess {
    return new ServerProcess(...this.#command, join(this.folder, 'kube-apiserver.log'));
  }

  #writeKubeconfig(user: object, server: string): string {
    const file = join(this.folder, `kubeconfig-${randomUUID().slice(0, 8)}`);
    const cluster = { server, 'certificate-authority-data': readFileSync(this.caFile).toString('base64') };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'lab', cluster }],
      users: [{ name: 'user', user }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'user' } }],
      'current-context': 'lab',
    };
    writeFileSync(file, JSON.stringify(config, null, 2), { mode: 0o600 });
    return file;
  }
}

/** What a test that was killed could not remove. */
function removeStale(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^multus-api-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

async function startEtcd(folder: string): Promise<{ etcd: ServerProcess; endpoint: string }> {
  const [client, peer] = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`) as [
    string,
    string,
  ];
  const args = {
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'unsafe-no-fsync': true,
  };
  const etcd = new ServerProcess(await goTool('etcd'), asFlags(args), join(folder, 'etcd.log'));
  const health = () => fetch(`${client}/readyz`).then((answer) => answer.ok);
  await etcd.ready(() => health().catch(() => false));
  return { etcd, endpoint: client };
}

const asFlags = (flags: Record<string, unknown>) => Object.entries(flags).map(([name, value]) => `--${name}=${value}`);

function apiServerFlags(folder: string, port: number, authority: Authority, serving: Certificate): string[] {
  const policy = join(folder, 'audit-policy.yaml');
  writeFileSync(policy, JSON.stringify(AUDIT_POLICY));
  const tokenKey = makeTokenKey(folder);
  return asFlags({
    'bind-address': '127.0.0.1',
    'advertise-address': '127.0.0.1',
    'secure-port': port,
    'tls-cert-file': serving.certFile,
    'tls-private-key-file': serving.keyFile,
    'client-ca-file': authority.caFile,
    'cert-dir': folder,
    'authorization-mode': 'Node,RBAC',
    // Accounts and their tokens are the controller manager's work: there is none, and pods need not wait for it.
    'disable-admission-plugins': 'ServiceAccount',
    'enable-admission-plugins': 'NodeRestriction',
    'endpoint-reconciler-type': 'none',
    'service-cluster-ip-range': '10.96.0.0/24',
    'service-account-issuer': ISSUER,
    'service-account-signing-key-file': tokenKey,
    'service-account-key-file': tokenKey,
    'service-account-extend-token-expiration': false,
    'allow-privileged': true,
    'audit-policy-file': policy,
    'audit-log-path': join(folder, 'audit.log'),
    'shutdown-delay-duration': '0s',
    profiling: false,
  });
}

/**
 * Start etcd and an API server that knows NetworkAttachmentDefinitions, with namespaces and their default accounts as a
 * controller manager would have made them. Builds both programs when they are not kept: `node test/tools/go/build.mjs`
 * before the test spares it the minutes.
 */
export async function startApiServer(): Promise<ApiServer> {
  removeStale();
  const program = await goTool('kube-apiserver');
  const folder = mkdtempSync(join(tmpdir(), `multus-api-${process.pid}-`));
  const authority = await makeAuthority(join(folder, 'certificates'));
  const [serving, admin, { etcd, endpoint }] = await Promise.all([
    authority.server('kube-apiserver', 'kubernetes.default.svc'),
    authority.client('admin', 'system:masters'),
    startEtcd(folder),
  ]);
  const port = await freePort();
  const flags = [...apiServerFlags(folder, port, authority, serving), `--etcd-servers=${endpoint}`];
  const url = `https://127.0.0.1:${port}`;
  const api = new ApiServer({ url, folder, authority, admin, etcd, command: [program, flags] });
  try {
    await api.ready();
    const namespaces = ['default', 'kube-system'].map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    }));
    await api.apply(...namespaces, parse(readFileSync(CRD_FILE, 'utf8')));
  } catch (error) {
    await api.close();
    throw error;
  }
  return api;
}
