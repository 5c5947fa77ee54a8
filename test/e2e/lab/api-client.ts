/** HTTP requests to a lab's API server, as an administrator or with a token. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { parseJson } from '../../lab/process.ts';
import type { Certificate } from './certificates.ts';

/** How the lab names itself to API servers. */
export const LAB_AGENT = 'multus-native-lab';

export interface Reply {
  status: number;
  /** JSON, or the text when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into objects of the API
  body: any;
}

export interface RequestOptions {
  /** Instead of the administrator's certificate. */
  token?: string;
  contentType?: string;
  /** Default: application/json. */
  accept?: string;
  signal?: AbortSignal;
}

export class ApiClient {
  readonly #url: string;
  readonly #ca: Buffer;
  /** Two: a connection with the administrator's certificate is the administrator's, whatever the token. */
  readonly #admin: Agent;
  readonly #others: Agent;

  constructor(url: string, caFile: string, admin: Certificate) {
    this.#url = url;
    this.#ca = readFileSync(caFile);
    const certificate = { cert: readFileSync(admin.certFile), key: readFileSync(admin.keyFile) };
    this.#admin = new Agent({ ca: this.#ca, keepAlive: true, ...certificate });
    this.#others = new Agent({ ca: this.#ca, keepAlive: true });
  }

  request(method: string, path: string, body?: unknown, options: RequestOptions = {}): Promise<Reply> {
    const { token, contentType = 'application/json', accept = 'application/json', signal } = options;
    const headers: Record<string, string> = { accept, 'user-agent': LAB_AGENT };
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    const text = body === undefined ? '' : JSON.stringify(body);
    if (body !== undefined) headers['content-type'] = contentType;
    headers['content-length'] = String(Buffer.byteLength(text)); // Node leaves it out for DELETE
    const agent = token === undefined ? this.#admin : this.#others;
    return new Promise((resolve, reject) => {
      const sent = request(`${this.#url}${path}`, { method, headers, agent, ...(signal && { signal }) }, (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          answer += chunk;
        });
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parseJson(answer) ?? answer }));
      });
      sent.on('error', reject);
      sent.end(text);
    });
  }

  /** A request that must succeed. @returns the body @throws Error with the API server's message */
  async must(method: string, path: string, body?: unknown, options?: RequestOptions): Promise<Reply['body']> {
    const reply = await this.request(method, path, body, options);
    if (reply.status < 300) return reply.body;
    throw new Error(`${method} ${path}: ${reply.status} ${reply.body?.message ?? reply.body}`);
  }

  close(): void {
    this.#admin.destroy();
    this.#others.destroy();
  }
}
