/**
 * Kubeconfigs and what they lead to, by the official client: the only file that imports it. It is large, so this file is
 * a program part of its own (deploy/bundle.mjs), loaded for what `plain-config.ts` does not know.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { Agent as HttpAgent } from 'node:http';
import type { AgentOptions, RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { parse } from 'yaml';
import { quote } from '../../cni/quote.ts';
import { field } from '../object-fields.ts';
import { type Access, Connections, type CredentialsOrigin, holds, type LoadedCredentials } from './access.ts';

/** Kubeconfigs name it, but the client does not read it. */
function tokenFileOf(text: string, userName: string): string {
  const users = field(parse(text, { logLevel: 'error' }), 'users');
  const user = Array.isArray(users) ? users.find((one) => field(one, 'name') === userName) : undefined;
  const path = field(field(user, 'user'), 'tokenFile');
  return typeof path === 'string' ? path : '';
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

/** What the client made of them; tokens of files and programs are renewed by the client. */
export class LoadedConfig implements LoadedCredentials {
  readonly files: readonly string[];
  readonly connections = new Connections();
  private readonly config: KubeConfig;

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

  async access(earlier?: LoadedCredentials): Promise<Access> {
    const options: RequestOptions = {};
    await this.config.applyToHTTPSOptions(options);
    const cluster = this.config.getCurrentCluster();
    const server = cluster?.server ?? '';
    const { ca, cert, key, rejectUnauthorized, servername } = options as AgentOptions;
    const proxied = cluster?.proxyUrl ? { url: cluster.proxyUrl, agent: options.agent as HttpAgent } : undefined;
    const material = { server, ca, cert, key, rejectUnauthorized, servername, ...(proxied && { proxied }) };
    const agent = this.connections.agentOf(material, earlier?.connections);
    const headers = Object.entries((options.headers ?? {}) as Record<string, string>);
    const basic = options.auth ? { Authorization: `Basic ${Buffer.from(options.auth).toString('base64')}` } : {};
    return {
      server: server.replace(/\/$/, ''),
      agent,
      headers: { ...Object.fromEntries(headers.map(([name, value]) => [name, value.trim()])), ...basic },
    };
  }
}
