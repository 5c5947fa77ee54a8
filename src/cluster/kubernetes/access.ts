/** What a request to an API server needs, and the connections that requests share while their credentials stay the same. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent } from 'node:https';
import { createSecureContext } from 'node:tls';

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

/** Credentials as they were read once. */
export interface LoadedCredentials {
  /** A change of one of them makes this worthless. */
  readonly files: readonly string[];
  readonly connections: Connections;
  /** @param earlier whose connections are used on when they were made with the same. @throws when it cannot be used */
  access(earlier?: LoadedCredentials): Promise<Access>;
}

/** What a connection is made with. */
export interface Material extends Pick<AgentOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'> {
  server: string;
  /** Makes the connections instead: one of the client's, which knows proxies and keeps none. */
  proxied?: { url: string; agent: HttpAgent };
}

/** What may be half written is tried before it is used. @throws of node:crypto and OpenSSL */
function checkMaterial({ ca, cert, key }: Material): void {
  if (ca !== undefined) new X509Certificate(ca as Buffer);
  createSecureContext({ ca, cert, key });
}

function makeAgent({ server, proxied, ca, cert, key, servername, rejectUnauthorized }: Material): HttpAgent {
  if (proxied !== undefined) return proxied.agent;
  const options = { keepAlive: true, maxFreeSockets: 4, ca, cert, key, servername };
  if (server.startsWith('http:')) return new HttpAgent(options);
  return new HttpsAgent({ ...options, rejectUnauthorized: rejectUnauthorized ?? true });
}

/** The agent of loaded credentials, kept while it is made of the same. */
export class Connections {
  private agent: HttpAgent | undefined;
  private madeOf = '';

  /** @param earlier whose agent is used on when it is made of the same. @throws of node:crypto and OpenSSL */
  agentOf(material: Material, earlier?: Connections): HttpAgent {
    const { server, proxied, ca, cert, key, servername, rejectUnauthorized } = material;
    const madeOf = [server, proxied?.url, String(ca), String(cert), String(key), servername, rejectUnauthorized];
    const text = JSON.stringify(madeOf);
    if (this.agent !== undefined && text === this.madeOf) return this.agent;
    checkMaterial(material);
    this.agent = earlier?.madeOf === text && earlier.agent !== undefined ? earlier.agent : makeAgent(material);
    this.madeOf = text;
    return this.agent;
  }
}

/** Is there a certificate that has not ended? An API server refuses another, and a new one has to be asked for without it. */
export function holds(certificate: string): boolean {
  if (!existsSync(certificate)) return false;
  return Date.parse(new X509Certificate(readFileSync(certificate)).validTo) > Date.now();
}
