/** An API server that answers as it is told, over real HTTP. */
import { Agent, createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApiClient } from '../../src/cluster/kubernetes/api-client.ts';

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

export interface Asked {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingMessage['headers'];
  body: string;
}

/** An answer that is complete. */
export function says(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return (response) => {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

/** An answer in pieces that stays open, unless it is told to end. */
export function streams(pieces: readonly (string | Buffer)[], end = false): Answer {
  return (response) => {
    response.writeHead(200);
    response.flushHeaders();
    const next = (i: number): void => {
      const piece = pieces[i];
      if (piece === undefined) {
        if (end) response.end();
        return;
      }
      response.write(piece, () => setImmediate(next, i + 1)); // each is a chunk of its own
    };
    next(0);
  };
}

/** Ends the connection without an answer. */
export const drops: Answer = (response) => {
  response.destroy();
};

/** Never answers. */
export const hangs: Answer = () => undefined;

export class FakeApi {
  readonly asked: Asked[] = [];
  /** How often it was told that its credentials were not taken. */
  refusals = 0;
  private readonly server: Server;
  private readonly agent = new Agent({ keepAlive: true });
  private answers: Answer[] = [];
  private otherwise: Answer = hangs;

  private constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const url = new URL(request.url ?? '', 'http://x');
        this.asked.push({
          method: request.method ?? '',
          path: url.pathname,
          query: Object.fromEntries(url.searchParams),
          headers: request.headers,
          body: Buffer.concat(chunks).toString(),
        });
        (this.answers.shift() ?? this.otherwise)(response, request);
      });
    });
  }

  static async start(): Promise<FakeApi> {
    const api = new FakeApi();
    await new Promise<void>((resolve) => api.server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  /** Answers to the next requests, one each; @param otherwise to those behind them. @default never */
  script(answers: readonly Answer[], otherwise: Answer = hangs): void {
    this.answers = [...answers];
    this.otherwise = otherwise;
  }

  client(): ApiClient {
    const { port } = this.server.address() as AddressInfo;
    const access = { server: `http://127.0.0.1:${port}`, agent: this.agent, headers: { Authorization: 'Bearer t' } };
    const refused = (): void => {
      this.refusals += 1;
    };
    return new ApiClient({ access: async () => access, refused, description: 'credentials of the test' }, 'fake-test');
  }

  async close(): Promise<void> {
    this.agent.destroy();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
