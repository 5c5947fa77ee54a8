/** HTTP with an API server: one request, its answer or an ApiError; and an answer that does not end, line by line. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Access } from './access.ts';
import { ApiError, refusalOf, retryAfterOf } from './api-error.ts';

/** What is longer than any object that etcd takes is no answer of an API server. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const MAX_BODY_BYTES = 512 * 1024 * 1024;

export interface ApiRequest {
  /** @default 'GET' */
  method?: 'GET' | 'POST' | 'PATCH';
  /** From "/api" or "/apis", with its query. */
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  /** @default 'application/json' */
  contentType?: string;
  /** Ends the request, also while its answer is read. */
  signal: AbortSignal;
}

/** What the client gets to go with each request. */
export interface AccessSource {
  access(): Promise<Access>;
  /** For messages: "kubeconfig /etc/…". */
  readonly description: string;
  /** Told of each 401. */
  refused(): void;
}

export class ApiClient {
  private readonly credentials: AccessSource;
  private readonly userAgent: string;

  constructor(credentials: AccessSource, userAgent: string) {
    this.credentials = credentials;
    this.userAgent = userAgent;
  }

  /** @returns the answer's JSON. @throws ApiError */
  async json(request: ApiRequest): Promise<unknown> {
    const answer = await this.send(request);
    const what = nameOf(request);
    const text = await bodyOf(answer, what, request.signal);
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new ApiError(0, `the answer to ${what} is not JSON: ${(error as Error).message}`, { cause: error });
    }
  }

  /**
   * The lines of an answer that ends when the server wants, without empty ones. A last line without an end is left out:
   * it may be half of one.
   * @param onOpen called when the server begins to answer
   * @throws ApiError also between lines
   */
  async *lines(request: ApiRequest, onOpen?: () => void): AsyncGenerator<string> {
    const answer = await this.send(request);
    onOpen?.();
    let rest: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        let from = 0;
        for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
          const line = Buffer.concat([...rest, chunk.subarray(from, end)]).toString('utf8');
          rest = [];
          size = 0;
          from = end + 1;
          if (line.trim() !== '') yield line;
        }
        if (from < chunk.length) rest.push(chunk.subarray(from));
        size += chunk.length - from;
        if (size > MAX_LINE_BYTES)
          throw new ApiError(0, `a line of ${nameOf(request)} is longer than an object can be`);
      }
    } catch (error) {
      throw brokenOf(nameOf(request), error, request.signal);
    } finally {
      answer.destroy();
    }
  }

  /** @returns an answer of 2xx, to be read */
  private async send(request: ApiRequest): Promise<IncomingMessage> {
    const what = nameOf(request);
    request.signal.throwIfAborted();
    const access = await this.credentials.access();
    let answer: IncomingMessage;
    try {
      answer = await this.exchange(request, access);
    } catch (error) {
      throw brokenOf(what, error, request.signal);
    }
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    if (status === 401) this.credentials.refused();
    const text = await bodyOf(answer, what, request.signal);
    const asked = status === 401 ? `${what} (${this.credentials.description})` : what;
    throw refusalOf(asked, status, parsed(text), retryAfterOf(answer.headers['retry-after']));
  }

  private async exchange(request: ApiRequest, access: Access): Promise<IncomingMessage> {
    try {
      return await this.once(request, access);
    } catch (error) {
      // The server closed a kept connection at the moment at which we used it: nothing was asked yet.
      const isRace = (error as NodeJS.ErrnoException).code === 'ECONNRESET' && (error as Reused).wasReused === true;
      if (!isRace || (request.method ?? 'GET') !== 'GET') throw error;
      return this.once(request, access);
    }
  }

  private once({ method = 'GET', path, body, contentType, signal }: ApiRequest, access: Access) {
    const url = new URL(`${access.server}${path}`);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers: Record<string, string> = {
      ...access.headers,
      Accept: 'application/json',
      'User-Agent': this.userAgent,
      ...(text === undefined
        ? {}
        : { 'Content-Type': contentType ?? 'application/json', 'Content-Length': String(Buffer.byteLength(text)) }),
    };
    const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
    return new Promise<IncomingMessage>((resolve, reject) => {
      const request = send(url, { method, headers, agent: access.agent, signal }, resolve);
      request.on('error', (error: Reused) => {
        error.wasReused = request.reusedSocket;
        reject(error);
      });
      request.end(text);
    });
  }
}

interface Reused extends Error {
  wasReused?: boolean;
}

function nameOf({ method = 'GET', path }: ApiRequest): string {
  return `${method} ${path.split('?')[0]}`;
}

/** No answer, or the end of one. */
function brokenOf(what: string, error: unknown, signal: AbortSignal): ApiError {
  if (error instanceof ApiError) return error;
  const cause = signal.aborted ? (signal.reason as unknown) : error;
  const { message, name, code } = cause as NodeJS.ErrnoException;
  if (name === 'TimeoutError') return new ApiError(0, `the API server does not answer ${what} in time`, { cause });
  return new ApiError(0, `the API server cannot be asked (${what}): ${message || code || name}`, { cause });
}

async function bodyOf(answer: IncomingMessage, what: string, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_BODY_BYTES) throw new Error(`more than ${MAX_BODY_BYTES} bytes`);
    }
  } catch (error) {
    throw brokenOf(what, error, signal);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // of a proxy: its status says enough
  }
}
