/**
 * The daemon's unix socket: `POST /cni` with frames for our shim, plainly for others; `POST /delegate` for controllers;
 * `/healthz`, `/readyz`; `POST /handover` for the daemon that takes our place.
 */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from '../attach/engine.ts';
import type { Log } from '../attach/operation.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { convertResult, parseResult } from '../cni/result.ts';
import { isAtLeast } from '../cni/versions.ts';
import { LocalRunner } from '../delegate/local-runner.ts';
import { followFolders } from '../node-config/follow-folders.ts';
import { EXEC_PROTOCOL } from '../wire/frames.ts';
import {
  formatWireResult,
  MAX_BODY,
  OPERATION_HEADER,
  PIDNS_HEADER,
  parseWireRequest,
  type WireRequest,
} from '../wire/http.ts';
import { VERSION } from '../wire/version.ts';
import { HANDOVER_PATH, isServed, reachPredecessor, type Succession, succeed } from './hand-over.ts';
import { Listener } from './listener.ts';
import type { Caller, Requests } from './requests.ts';
import { ShimConnection } from './shim-connection.ts';
import type { ShimRequest } from './shim-request.ts';
import { SocketFile } from './socket-file.ts';

/** Between two looks at the socket without an event: who is not found serves nobody. */
const RECHECK_MS = 1000;

/** A request's body is sent at once, and is there long before. */
const BODY_MS = 5000;

/**
 * A container sees a folder of its host no more when somebody has removed and made it anew; started again, it does.
 */
const LOST_LIMIT_MS = 10_000;

export interface ServerOptions {
  socketDir: string;
  /** What plugins inherit that run as our own children. */
  delegateEnv: Readonly<Record<string, string | undefined>>;
  /** Called before callers can find us; no other daemon starts meanwhile. */
  prepare: () => void;
  /** Called when another daemon has the socket, maybe more than once. Settles when we have left the node alone. */
  onReplaced: () => Promise<void>;
  /** Called when callers have not found us for LOST_LIMIT_MS and we cannot change that. */
  onLost: (error: string) => void;
}

function header(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}

function reply(response: ServerResponse, code: number, body = '', type = 'text/plain'): void {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}

/** The oldest form that Multus's shim reads. */
const OTHERS_VERSION = '1.0.0';

/**
 * The result of an ADD for callers that are no shim of ours: Multus's shim reads a result of 1.x, whatever the runtime
 * asked for, and converts it. Of one of 0.2.0 it would leave nothing; and one of 1.1.0, unless the runtime asked for it,
 * is refused by a shim made with libcni 1.1.2, as Multus 4.0's is ("no converter for CNI result version 1.1.0").
 */
function resultForOthers(result: string): string {
  const parsed = parseResult(result, 'result');
  return convertResult(parsed, isAtLeast(parsed.cniVersion, OTHERS_VERSION) ? parsed.cniVersion : OTHERS_VERSION);
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
  const ofRequest = await readBody(request);
  const behind = await readFrom(socket, length - ofRequest.length - head.length);
  const received = Buffer.concat([ofRequest, head, ...behind]);
  return { body: received.subarray(0, length), rest: received.subarray(length) };
}

/** At least so many bytes; the socket is paused then. @throws Error when there are no more */
async function readFrom(socket: Socket, wanted: number): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  let missing = wanted;
  if (missing <= 0) return chunks;
  await new Promise<void>((resolve, reject) => {
    const fail = (): void => {
      clearTimeout(overdue);
      reject(new Error('the request ended before its body was complete'));
    };
    const overdue = setTimeout(fail, BODY_MS); // else it would keep a daemon from ending
    const collect = (chunk: Buffer): void => {
      chunks.push(chunk);
      missing -= chunk.length;
      if (missing > 0) return;
      // At once: what else is there already would be given to nobody.
      socket.off('data', collect).pause();
      clearTimeout(overdue);
      resolve();
    };
    if (socket.destroyed) fail();
    // The end of what a caller sends, as when it is killed, does not close a connection that is open on our side.
    socket.once('end', fail).once('close', fail).on('data', collect).resume();
  });
  return chunks;
}

export class DaemonServer {
  private readonly requests: Requests;
  private readonly options: ServerOptions;
  private readonly socket: SocketFile;
  private listener: Listener;
  /** Listeners whose socket others have removed: they still have callers. */
  private readonly earlier: Promise<void>[] = [];
  private lostSince: number | undefined;
  private stopped: Promise<void> | undefined;

  constructor(requests: Requests, options: ServerOptions) {
    this.requests = requests;
    this.options = options;
    this.socket = new SocketFile(options.socketDir);
    this.listener = this.newListener();
  }

  private get isStopping(): boolean {
    return this.stopped !== undefined;
  }

  get path(): string {
    return this.socket.path;
  }

  /**
   * Listen on `<socketDir>/multus.sock` (directory 0700, socket 0600), in place of whoever did: callers reach us from here
   * on. Settles when the one before us has left the node alone, or does not answer.
   * @throws StartError 3 when what is there is no socket; system errors
   */
  listen(): Promise<Succession> {
    return this.socket.locked(async () => {
      this.socket.requireReplaceable();
      const predecessor = await reachPredecessor(this.socket.path);
      this.options.prepare();
      await this.socket.put(this.listener.server);
      return succeed(predecessor);
    });
  }

  /**
   * See to it that callers find us, until another daemon has the socket or `signal` aborts. Somebody may empty the folder:
   * Multus's daemon does when it starts.
   */
  async keepSocket(log: Log, signal: AbortSignal): Promise<void> {
    const { folder } = this.socket;
    const look = () => this.lookAtSocket(log);
    await followFolders({ folders: [folder], look, log, signal, recheckMs: RECHECK_MS });
  }

  private async lookAtSocket(log: Log): Promise<void> {
    const socket = this.socket.path;
    try {
      const { state } = this.socket;
      if (state === 'replaced' && (await isServed(this.socket.path))) void this.options.onReplaced();
      else if (state !== 'ours') await this.listenAnew(log);
      this.lostSince = undefined;
    } catch (thrown) {
      const error = (thrown as Error).message;
      if (this.lostSince === undefined) log.error({ socket, error }, 'callers do not find us');
      this.lostSince ??= performance.now();
      if (performance.now() - this.lostSince > LOST_LIMIT_MS) this.options.onLost(error);
    }
  }

  private listenAnew(log: Log): Promise<void> {
    return this.socket.locked(async () => {
      const isFree = this.socket.state === 'gone' || !(await isServed(this.socket.path));
      if (this.isStopping || !isFree) return;
      this.socket.requireReplaceable();
      log.error({ socket: this.socket.path }, 'somebody has removed our socket: listening anew');
      const next = this.newListener();
      this.options.prepare();
      await this.socket.put(next.server);
      this.earlier.push(this.listener.drain());
      this.listener = next;
    });
  }

  /** Let nobody else find us, and settle when those who did have their answers. */
  stop(): Promise<void> {
    this.stopped ??= this.drain();
    return this.stopped;
  }

  private async drain(): Promise<void> {
    // Who comes now must not wait for us. A daemon that starts this moment holds the lock, and replaces it anyway.
    if (this.socket.state === 'ours') await this.socket.locked(async () => this.socket.remove()).catch(() => undefined);
    await Promise.all([...this.earlier, this.listener.drain()]);
  }

  private newListener(): Listener {
    return new Listener({
      converse: (request, socket) => this.converse(request, socket),
      serve: (request, response) => this.serve(request, response),
      upgrade: (request, socket, head) => this.upgrade(request, socket, head),
    });
  }

  /** Our successor asks. @returns the status of the answer */
  private async handOver(): Promise<number> {
    if (this.socket.state !== 'replaced') return 409;
    await this.options.onReplaced();
    return 200;
  }

  private serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    return this.route(request, response, () => readBody(request));
  }

  private async route(
    request: IncomingMessage,
    response: ServerResponse,
    bodyOf: () => Promise<Buffer>,
  ): Promise<void> {
    const pathname = (request.url ?? '/').replace(/[?#].*$/, '');
    if (pathname === '/healthz') return reply(response, 200);
    if (pathname === '/readyz') return reply(response, this.isStopping ? 500 : 200);
    if (pathname === HANDOVER_PATH) return reply(response, await this.handOver(), VERSION);
    if (pathname !== '/cni' && pathname !== '/delegate') return reply(response, 404, `no such endpoint: ${pathname}\n`);
    if (request.method !== 'POST') return reply(response, 405, 'use POST\n');
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort(new CniError(CniCode.cancelled, 'the caller is gone'));
    });
    try {
      const body = await bodyOf();
      const caller: Caller = {
        operation: header(request, OPERATION_HEADER),
        runner: (searchPath) => this.localRunner(searchPath),
        signal: gone.signal,
      };
      const answer = await (pathname === '/delegate'
        ? this.requests.answerHotplug(body, caller)
        : this.answerPlainly(parseWireRequest(body), caller, header(request, 'upgrade') !== ''));
      if (answer.exitCode === 0) reply(response, 200, formatWireResult(answer.stdout), 'application/json');
      else reply(response, 400, answer.stdout, 'application/json');
    } catch (error) {
      reply(response, 400, (error as Error).message);
    }
  }

  /** @param isOurs a shim of ours, of another version: it hands on what it gets */
  private async answerPlainly(wire: WireRequest, caller: Caller, isOurs: boolean): Promise<Answer> {
    const answer = await this.requests.answer(wire, caller);
    if (isOurs || answer.exitCode !== 0 || wire.env['CNI_COMMAND'] !== 'ADD') return answer;
    return { ...answer, stdout: resultForOthers(answer.stdout) };
  }

  private upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const offered = header(request, 'upgrade')
      .split(',')
      .map((one) => one.trim());
    const isShim = request.method === 'POST' && request.url === '/cni' && offered.includes(EXEC_PROTOCOL);
    if (!isShim) return this.serveAsIs(request, socket, head);
    return this.converseOverHttp(request, socket, head);
  }

  /** Who offers only what we do not know, as a later shim may, is answered as if nothing had been offered (RFC 9110, 7.8). */
  private async serveAsIs(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.end());
    if (header(request, 'expect') === '100-continue') response.writeContinue(); // it knows then that we are at work
    await this.route(request, response, async () => {
      const { body } = await readUpgradeBody(request, socket, head);
      socket.once('end', () => socket.destroy()); // a caller that is killed: nobody parses the connection any more
      socket.resume();
      return body;
    });
  }

  /** With a shim of ours that says it otherwise than ours do by now. */
  private async converseOverHttp(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    try {
      const { body, rest } = await readUpgradeBody(request, socket, head);
      const [operation, pidNamespace] = [header(request, OPERATION_HEADER), header(request, PIDNS_HEADER)];
      await this.converse(
        { operation, pidNamespace, bodyLength: body.length, rest: Buffer.concat([body, rest]) },
        socket,
      );
    } catch (error) {
      socket.destroy(error as Error);
    }
  }

  private async converse(request: ShimRequest, socket: Socket): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      const { operation, pidNamespace, bodyLength } = request;
      const behind = await readFrom(socket, bodyLength - request.rest.length);
      const received = behind.length === 0 ? request.rest : Buffer.concat([request.rest, ...behind]);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${EXEC_PROTOCOL}\r\n\r\n`);
      const shim = new ShimConnection(socket, pidNamespace);
      if (received.length > bodyLength) shim.receive(received.subarray(bodyLength));
      socket.on('data', (bytes) => shim.receive(bytes));
      socket.resume();
      const answer = await this.requests.answer(parseWireRequest(received.subarray(0, bodyLength)), {
        operation,
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
