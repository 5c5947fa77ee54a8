/** An API server that answers what a real one does not on demand: errors, half an answer, or nonsense. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Authority } from './certificates.ts';
import { freePort } from './server-process.ts';

export type Answer =
  /** A Status object of this code, unless a body is given. */
  | { status: number; headers?: Record<string, string>; body?: string }
  /** Bytes instead of HTTP; then the connection ends. */
  | { raw: string };

export interface AskedRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** What a real API server calls them. */
const REASONS: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function statusObject(code: number): string {
  const reason = REASONS[code] ?? '';
  const status = { status: 'Failure', message: `the lab answers ${code} ${reason}`, reason, code };
  return JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, ...status });
}

export class FakeApi {
  readonly url: string;
  /** Every request, in order. */
  readonly asked: AskedRequest[] = [];
  /** The next answers; a function is asked for each. */
  answer: Answer | ((request: AskedRequest) => Answer) = { status: 500 };
  readonly #server: Server;

  constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `https://127.0.0.1:${port}`;
    server.on('request', async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const asked = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
      this.asked.push(asked);
      const answer = typeof this.answer === 'function' ? this.answer(asked) : this.answer;
      if ('raw' in answer) {
        request.socket.end(answer.raw);
        return;
      }
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
      response.end(answer.body ?? statusObject(answer.status));
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/**
 * It answers 500 until told otherwise.
 *
 * @param authority the lab's own (`api.authority`), or another one: a certificate that clients must not trust
 */
export async function startFakeApi(authority: Authority): Promise<FakeApi> {
  const { certFile, keyFile } = await authority.server('fake-api');
  const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return new FakeApi(server, port);
}
