/**
 * The daemon's unix socket: `POST /cni` with frames for our shim, plainly for others; `POST /delegate` for controllers;
 * `/healthz`, `/readyz`.
 */
import { lstatSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { CniCode, CniError } from '../cni/errors.ts';
import { LocalRunner } from '../delegate/local-runner.ts';
import { makeFolder } from '../node/make-folder.ts';
import { RangeLock } from '../node/range-lock.ts';
import { EXEC_PROTOCOL } from '../wire/frames.ts';
import {
  formatWireResult,
  MAX_BODY,
  OPERATION_HEADER,
  PIDNS_HEADER,
  parseWireRequest,
  SOCKET_NAME,
} from '../wire/http.ts';
import type { Caller, Requests } from './requests.ts';
import { ShimConnection } from './shim-connection.ts';
import { StartError } from './start-error.ts';

/** How long another daemon's start may hold up this one's. */
const START_LIMIT_MS = 10_000;

export interface ServerOptions {
  socketDir: string;
  /** What plugins inherit that run as our own children. */
  delegateEnv: Readonly<Record<string, string | undefined>>;
}

function header(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}

function reply(response: ServerResponse, code: number, body = '', type = 'text/plain'): void {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}

/** A request's body. @throws RangeError beyond MAX_BODY */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BODY) throw new RangeError(`the request body is over ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * The body of a request with `Upgrade`. Node up to 24 leaves it unread at the start of the upgraded stream; later
 * ones deliver it as the request's own. What is behind it is the first frame.
 */
async function readUpgradeBody(request: IncomingMessage, socket: Socket, head: Buffer) {
  const length = Number(header(request, 'content-length'));
  if (!Number.isInteger(length) || length < 0 || length > MAX_BODY) {
    throw new RangeError(`Content-Length must be a number up to ${MAX_BODY}`);
  }
  let received = await readBody(request);
  let behind = head;
  while (received.length < length) {
    received = Buffer.concat([received, behind]);
    behind = Buffer.alloc(0);
    if (received.length < length) {
      behind = await new Promise<Buffer>((resolve, reject) => {
        socket.once('data', resolve);
        socket.once('close', () => reject(new Error('closed before the body was complete')));
        socket.resume();
      });
      socket.pause();
    }
  }
  return { body: received.subarray(0, length), rest: Buffer.concat([received.subarray(length), behind]) };
}

/** Is a process listening there? */
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

export class DaemonServer {
  private readonly requests: Requests;
  private readonly options: ServerOptions;
  private readonly server: Server;
  private stopping = false;

  constructor(requests: Requests, options: ServerOptions) {
    this.requests = requests;
    this.options = options;
    this.server = createServer((request, response) => {
      void this.serve(request, response);
    });
    this.server.on('upgrade', (request, socket, head) => {
      void this.upgrade(request, socket as Socket, head);
    });
  }

  /**
   * Listen on `<socketDir>/multus.sock` (directory 0700, socket 0600).
   * @param prepare called when the directory is ours: no other daemon is there, and no request can come yet
   * @throws StartError when another daemon listens there or what is there is no socket; system errors
   */
  async listen(prepare: () => void): Promise<string> {
    const { socketDir } = this.options;
    const path = join(socketDir, SOCKET_NAME);
    makeFolder(socketDir, 0o700);
    // Of daemons that start at a time, each would remove the other's socket for that of one that was killed.
    const signal = AbortSignal.timeout(START_LIMIT_MS);
    const lock = await RangeLock.acquire(join(socketDir, `.${SOCKET_NAME}.lock`), { start: 0, length: 0, signal });
    try {
      await this.takeSocket(path, prepare);
    } finally {
      lock.release();
    }
    return path;
  }

  private async takeSocket(path: string, prepare: () => void): Promise<void> {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there !== undefined) {
      if (!there.isSocket()) throw new StartError(3, `Cannot listen on ${path}: something else than a socket is there`);
      if (await isListening(path)) throw new StartError(3, `Cannot listen on ${path}: another daemon does`);
      rmSync(path); // of a daemon that was killed; nothing else in the directory is touched
    }
    prepare();
    // The socket is made within the call: it is root's from the first moment, not after a chmod.
    const umask = process.umask(0o177);
    const listening = new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(path, resolve);
    });
    process.umask(umask);
    await listening;
  }

  /** Take no new connections; settles when those there have ended. */
  async stop(): Promise<void> {
    this.stopping = true;
    await new Promise((resolve) => {
      this.server.close(resolve);
      this.server.closeIdleConnections();
    });
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pathname = (request.url ?? '/').replace(/[?#].*$/, '');
    if (pathname === '/healthz') return reply(response, 200);
    if (pathname === '/readyz') return reply(response, this.stopping ? 500 : 200);
    if (pathname !== '/cni' && pathname !== '/delegate') return reply(response, 404, `no such endpoint: ${pathname}\n`);
    if (request.method !== 'POST') return reply(response, 405, 'use POST\n');
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort(new CniError(CniCode.cancelled, 'the caller is gone'));
    });
    try {
      const body = await readBody(request);
      const caller: Caller = {
        operation: header(request, OPERATION_HEADER),
        runner: (searchPath) => this.localRunner(searchPath),
        signal: gone.signal,
      };
      const answer =
        pathname === '/delegate'
          ? await this.requests.answerHotplug(body, caller)
          : await this.requests.answer(parseWireRequest(body), caller);
      if (answer.exitCode === 0) reply(response, 200, formatWireResult(answer.stdout), 'application/json');
      else reply(response, 400, answer.stdout, 'application/json');
    } catch (error) {
      reply(response, 400, (error as Error).message);
    }
  }

  private async upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    if (request.method !== 'POST' || request.url !== '/cni' || header(request, 'upgrade') !== EXEC_PROTOCOL) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    socket.on('error', () => socket.destroy());
    try {
      const { body, rest } = await readUpgradeBody(request, socket, head);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${EXEC_PROTOCOL}\r\n\r\n`);
      const shim = new ShimConnection(socket, header(request, PIDNS_HEADER));
      if (rest.length > 0) shim.receive(rest);
      socket.on('data', (bytes) => shim.receive(bytes));
      socket.resume();
      const answer = await this.requests.answer(parseWireRequest(body), {
        operation: header(request, OPERATION_HEADER),
        runner: (searchPath) => (shim.runner.alive ? shim.runner : this.localRunner(searchPath)),
        signal: shim.signal,
        confirm: () => shim.confirm(),
      });
      shim.answer(answer.exitCode, answer.stdout);
    } catch (error) {
      socket.destroy(error as Error);
    }
  }

  private localRunner(searchPath: readonly string[]): LocalRunner {
    return new LocalRunner({ searchPath, baseEnv: this.options.delegateEnv });
  }
}
