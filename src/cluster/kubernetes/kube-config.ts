/**
 * Kubeconfigs and what they lead to, by the official client: the only file that imports it. It is large, so this file is
 * a program part of its own (deploy/bundle.mjs), loaded when the first request is made.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent, type RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { parse } from 'yaml';
import { quote } from '../../cni/quote.ts';
import { field } from '../object-fields.ts';

/** Where the credentials of a program are. */
export type CredentialsOrigin =
  /** @param certificate file with certificate and key: in place of the user's while it holds */
  | { kubeconfig: string; certificate?: string }
  /** What the kubelet gives to a pod. @param server "https://10.96.0.1:443" @param folder has `token` and `ca.crt` */
  | { server: string; folder: string };

/** What a request needs. */
export interface Access {
  /** "https://10.96.0.1:443", perhaps with a path; no slash at the end. */
  server: string;
  agent: HttpAgent;
  headers: Record<string, string>;
}

/** Kubeconfigs name it, but the client does not read it. */
function tokenFileOf(text: string, userName: string): string {
  const users = field(parse(text, { logLevel: 'error' }), 'users');
  const user = Array.isArray(users) ? users.find((one) => field(one, 'name') === userName) : undefined;
  const path = field(field(user, 'user'), 'tokenFile');
  return typeof path === 'string' ? path : '';
}

/** An API server refuses one that has ended, and a new one has to be asked for with something else. */
function holds(certificate: string): boolean {
  if (!existsSync(certificate)) return false;
  return Date.parse(new X509Certificate(readFileSync(certificate)).validTo) > Date.now();
}

function readKubeConfig(path: string, certificate = ''): KubeConfig {
  const text = readFileSync(path, 'utf8');
  if (!Array.isArray(field(parse(text, { logLevel: 'error' }), 'clusters'))) {
    throw new Error('it has no list "clusters", so it is no kubeconfig');
  }
  const config = new KubeConfig();
  config.loadFromString(text);
  config.makePathsAbsolute(dirname(path));
  checkContext(config);
  const cluster = config.getCurrentCluster();
  if (cluster !== null && holds(certificate)) {
    config.loadFromClusterAndUser(cluster, { name: 'node', certFile: certificate, keyFile: certificate });
    return config;
  }
  const user = config.getCurrentUser();
  const named = user === null ? '' : tokenFileOf(text, user.name);
  const tokenFile = named === '' ? '' : resolve(dirname(path), named);
  checkFiles({
    'certificate-authority': cluster?.caFile,
    'client-certificate': user?.certFile,
    'client-key': user?.keyFile,
    tokenFile,
  });
  if (tokenFile !== '') Object.assign(user ?? {}, { token: undefined }, withTokenFile(tokenFile));
  return config;
}

function checkContext(config: KubeConfig): void {
  const name = config.getCurrentContext() ?? '';
  const names = config.getContexts().map((context) => context.name);
  if (!names.includes(name)) {
    throw new Error(`current-context ${quote(name)} is none of its contexts (${names.join(', ') || 'it has none'})`);
  }
}

/** Of the keys of a kubeconfig. */
function checkFiles(paths: Record<string, string | undefined>): void {
  for (const [key, path = ''] of Object.entries(paths)) {
    if (path !== '' && !existsSync(path)) throw new Error(`its key "${key}" names ${path}: there is no such file`);
  }
}

/** The client reads such a file anew each minute. */
function withTokenFile(tokenFile: string): { authProvider: unknown } {
  return { authProvider: { name: 'tokenFile', config: { tokenFile } } };
}

function inCluster(server: string, folder: string): KubeConfig {
  const config = new KubeConfig();
  const user = { name: 'pod', ...withTokenFile(`${folder}/token`) };
  config.loadFromClusterAndUser({ name: 'cluster', server, caFile: `${folder}/ca.crt`, skipTLSVerify: false }, user);
  return config;
}

/** What may be half written is tried before it is used. @throws of node:crypto and OpenSSL */
function checkMaterial({ ca, cert, key }: AgentOptions): void {
  if (ca !== undefined) new X509Certificate(ca as Buffer);
  createSecureContext({ ca, cert, key });
}

/** Credentials as they were read once; tokens of files and programs are renewed by the client. */
export class LoadedConfig {
  /** A change of one of them makes this worthless. */
  readonly files: readonly string[];
  private readonly config: KubeConfig;
  private agent: HttpAgent | undefined;
  /** What the agent was made of. */
  private material = '';

  /** @throws what reading and parsing throws */
  constructor(origin: CredentialsOrigin) {
    this.config =
      'kubeconfig' in origin
        ? readKubeConfig(origin.kubeconfig, origin.certificate)
        : inCluster(origin.server, origin.folder);
    const cluster = this.config.getCurrentCluster();
    const user = this.config.getCurrentUser();
    if (cluster === null) throw new Error('its current context names no cluster');
    if (!/^https?:\/\//.test(cluster.server)) {
      throw new Error(`the server of its cluster must begin with "https://", got ${quote(cluster.server)}`);
    }
    const tokenFile = user?.authProvider?.config?.['tokenFile'];
    const files = [cluster.caFile, user?.certFile, user?.keyFile, tokenFile];
    this.files = files.filter((path): path is string => typeof path === 'string' && path !== '');
  }

  /** @param earlier whose connections are used on when they were made with the same. @throws when it cannot be used */
  async access(earlier?: LoadedConfig): Promise<Access> {
    const options: RequestOptions = {};
    await this.config.applyToHTTPSOptions(options);
    const cluster = this.config.getCurrentCluster();
    const { ca, cert, key, rejectUnauthorized, servername } = options as AgentOptions;
    const material = JSON.stringify([cluster, String(ca), String(cert), String(key), servername, rejectUnauthorized]);
    if (this.agent === undefined || material !== this.material) {
      checkMaterial({ ca, cert, key });
      const ours = { keepAlive: true, maxFreeSockets: 4, ca, cert, key, servername };
      if (earlier?.agent !== undefined && earlier.material === material) this.agent = earlier.agent;
      // Agents of the client keep no connection, but know proxies.
      else if (cluster?.proxyUrl) this.agent = options.agent as HttpAgent;
      else if (cluster?.server.startsWith('http:')) this.agent = new HttpAgent(ours);
      else this.agent = new HttpsAgent({ ...ours, rejectUnauthorized: rejectUnauthorized ?? true });
      this.material = material;
    }
    const headers = Object.entries((options.headers ?? {}) as Record<string, string>);
    const basic = options.auth ? { Authorization: `Basic ${Buffer.from(options.auth).toString('base64')}` } : {};
    return {
      server: (cluster?.server ?? '').replace(/\/$/, ''),
      agent: this.agent,
      headers: { ...Object.fromEntries(headers.map(([name, value]) => [name, value.trim()])), ...basic },
    };
  }
}
