/**
 * Credentials that are a server, an authority, and a token or a certificate: what the kubelet gives to pods, what `multus
 * install` writes, and what most administrators have. The official client, which knows all others, takes 50 ms of CPU time
 * to load: much for a program that answers one request.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { field } from '../object-fields.ts';
import { type Access, Connections, type CredentialsOrigin, holds, type LoadedCredentials } from './access.ts';

/** Whatever else a context, a cluster or a user has is for the client. */
const CONTEXT_KEYS = ['cluster', 'user', 'namespace'];
const CLUSTER_KEYS = [
  'server',
  'certificate-authority',
  'certificate-authority-data',
  'insecure-skip-tls-verify',
  'tls-server-name',
];
const USER_KEYS = [
  'token',
  'tokenFile',
  'client-certificate',
  'client-certificate-data',
  'client-key',
  'client-key-data',
];

/** Bytes of a file, read when they are needed, or those that were in the kubeconfig. */
type Part = { file: string } | { bytes: Buffer };

interface Parts {
  server: string;
  authority?: Part;
  certificate?: Part;
  key?: Part;
  /** Of the header. */
  token?: Part;
  serverName?: string;
  isUnverified?: boolean;
}

const bytesOf = (part: Part | undefined): Buffer | undefined =>
  part === undefined || 'bytes' in part ? part?.bytes : readFileSync(part.file);

/** What is not as these credentials are: no error, and nobody reads its words. */
class NotPlain extends Error {}

/** The member of a list of `{name, [kind]: {…}}` that has the name, when all its values are of strings and booleans. */
function named(config: unknown, [list, kind]: [string, string], name: unknown, keys: readonly string[]): unknown {
  const all = field(config, list);
  const found = Array.isArray(all) ? all.filter((one) => field(one, 'name') === name) : [];
  const value: unknown = field(found[0], kind);
  if (typeof name !== 'string' || found.length !== 1 || typeof value !== 'object' || value === null)
    throw new NotPlain();
  for (const [key, one] of Object.entries(value)) {
    const type = key === 'insecure-skip-tls-verify' ? 'boolean' : 'string';
    if (!keys.includes(key) || typeof one !== type || one === '') throw new NotPlain();
  }
  return value;
}

/** By a path, or by itself; both is for the client. */
function partOf(object: unknown, key: string, folder: string): Part | undefined {
  const path = field(object, key);
  const data = field(object, `${key}-data`);
  if (path !== undefined && data !== undefined) throw new NotPlain();
  if (typeof data === 'string') return { bytes: Buffer.from(data, 'base64') };
  return typeof path === 'string' ? { file: resolve(folder, path) } : undefined;
}

function tokenOf(user: unknown, folder: string): Part | undefined {
  const token = field(user, 'token');
  const path = field(user, 'tokenFile');
  if (token !== undefined && path !== undefined) throw new NotPlain();
  if (typeof token === 'string') return { bytes: Buffer.from(token) };
  return typeof path === 'string' ? { file: resolve(folder, path) } : undefined;
}

/** What we write ourselves is JSON, which needs no parser of YAML. */
function parsed(text: string): unknown {
  return text.startsWith('{') ? JSON.parse(text) : parse(text, { logLevel: 'error' });
}

/** @throws NotPlain, system errors, what parsing throws */
function readKubeconfig(path: string, nodeCertificate = ''): Parts {
  const config = parsed(readFileSync(path, 'utf8'));
  const folder = dirname(path);
  const context = named(config, ['contexts', 'context'], field(config, 'current-context'), CONTEXT_KEYS);
  const cluster = named(config, ['clusters', 'cluster'], field(context, 'cluster'), CLUSTER_KEYS);
  const user = named(config, ['users', 'user'], field(context, 'user'), USER_KEYS);
  const serverName = field(cluster, 'tls-server-name');
  const authority = partOf(cluster, 'certificate-authority', folder);
  const ofCluster = {
    server: String(field(cluster, 'server')),
    isUnverified: field(cluster, 'insecure-skip-tls-verify') === true,
    ...(authority && { authority }),
    ...(typeof serverName === 'string' && { serverName }),
  };
  if (holds(nodeCertificate)) {
    return { ...ofCluster, certificate: { file: nodeCertificate }, key: { file: nodeCertificate } };
  }
  const certificate = partOf(user, 'client-certificate', folder);
  const key = partOf(user, 'client-key', folder);
  const token = tokenOf(user, folder);
  return { ...ofCluster, ...(certificate && { certificate }), ...(key && { key }), ...(token && { token }) };
}

function partsOf(origin: CredentialsOrigin): Parts {
  if ('kubeconfig' in origin) return readKubeconfig(origin.kubeconfig, origin.certificate);
  const { server, folder } = origin;
  return { server, authority: { file: `${folder}/ca.crt` }, token: { file: `${folder}/token` } };
}

export class PlainConfig implements LoadedCredentials {
  readonly files: readonly string[];
  readonly connections = new Connections();
  private readonly parts: Parts;

  private constructor(parts: Parts) {
    this.parts = parts;
    const { authority, certificate, key, token } = parts;
    this.files = [authority, certificate, key, token].flatMap((part) =>
      part === undefined || 'bytes' in part ? [] : [part.file],
    );
  }

  /** undefined when there is more to them, or something is wrong with them. */
  static read(origin: CredentialsOrigin): PlainConfig | undefined {
    try {
      const config = new PlainConfig(partsOf(origin));
      const { server, isUnverified } = config.parts;
      const isOurs = server.startsWith('https://') || (server.startsWith('http://') && isUnverified === true);
      return isOurs && config.files.every((path) => existsSync(path)) ? config : undefined;
    } catch {
      return undefined;
    }
  }

  async access(earlier?: LoadedCredentials): Promise<Access> {
    const { server, authority, certificate, key, token, serverName, isUnverified } = this.parts;
    const material = {
      server,
      ca: bytesOf(authority),
      cert: bytesOf(certificate),
      key: bytesOf(key),
      servername: serverName,
      rejectUnauthorized: isUnverified === true ? false : undefined,
    };
    const agent = this.connections.agentOf(material, earlier?.connections);
    const bearer = bytesOf(token)?.toString('utf8').trim() ?? '';
    const headers: Record<string, string> = bearer === '' ? {} : { Authorization: `Bearer ${bearer}` };
    return { server: server.replace(/\/$/, ''), agent, headers };
  }
}
