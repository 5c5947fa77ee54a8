/**
 * A daemon as the shim sees it, by the byte: a unix socket, one HTTP request per connection, then whatever the test
 * says. Not node:http, so that tests can reply what no HTTP library would.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type DaemonFrame, encodeDaemonFrame, type ShimFrame, ShimFrameDecoder } from '../../src/wire/frames.ts';

/** What the shim asked for. */
export interface ShimRequest {
  startLine: string;
  /** Names in lower case. */
  headers: Record<string, string>;
  env: Record<string, string>;
  /** Decoded bytes of the configuration. */
  config: Buffer;
}

export class Conversation {
  readonly request: ShimRequest;
  private readonly socket: Socket;
  private readonly decoder = new ShimFrameDecoder();
  private readonly frames: ShimFrame[] = [];
  private readonly waiting: ((frame: ShimFrame) => void)[] = [];
  /** Resolves when the shim has closed its end. */
  readonly closed: Promise<unknown>;

  constructor(socket: Socket, request: ShimRequest) {
    this.socket = socket;
    this.request = request;
    this.closed = once(socket, 'close');
    socket.on('data', (bytes: Buffer) => {
      for (const frame of this.decoder.push(bytes)) {
        const next = this.waiting.shift();
        if (next === undefined) this.frames.push(frame);
        else next(frame);
      }
    });
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }
  end(bytes: string | Buffer = ''): void {
    this.socket.end(bytes);
  }
  upgrade(): void {
    this.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: multus-exec/1\r\n\r\n');
  }
  send(frame: DaemonFrame): void {
    this.write(encodeDaemonFrame(frame));
  }
  answer(stdout: string, exitCode = 0): void {
    this.send({ type: 'answer', exitCode, stdout: Buffer.from(stdout) });
  }
  start(id: number, plugin: string, env: string[] = [], ahead = false): void {
    this.send({ type: 'start', id, ahead, plugin, env, maxStdout: 1 << 20, maxStderr: 1 << 16 });
  }
  feed(id: number, stdin = '', deadlineMs = 0): void {
    this.send({ type: 'feed', id, deadlineMs, stdin: Buffer.from(stdin) });
  }

  /** The next frame; throws when it is of another type. */
  async next<T extends ShimFrame['type']>(type: T): Promise<Extract<ShimFrame, { type: T }>> {
    const frame =
      this.frames.shift() ??
      (await Promise.race([
        new Promise<ShimFrame>((resolve) => {
          this.waiting.push(resolve);
        }),
        this.closed.then(() => {
          throw new Error(`the shim closed the connection instead of sending ${type}`);
        }),
      ]));
    if (frame.type !== type) throw new Error(`the shim sent ${JSON.stringify(frame)} instead of ${type}`);
    return frame as Extract<ShimFrame, { type: T }>;
  }
}

/** The last byte of every request. */
const BODY_END = '}'.charCodeAt(0);

function parseRequest(bytes: Buffer): ShimRequest | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [startLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const body = bytes.subarray(end + 4);
  if (body.length < Number(headers['content-length'])) return undefined;
  const { env, config } = JSON.parse(body.toString()) as { env: Record<string, string>; config: string };
  return { startLine, headers, env, config: Buffer.from(config, 'base64') };
}

/** Listens on `<dir>/multus.sock` and has `converse` talk to every shim that connects. Close it with `close()`. */
export class ShimDaemon {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly talks: Promise<void>[] = [];

  private constructor(converse: (conversation: Conversation) => Promise<void> | void) {
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
      const received: Buffer[] = [];
      const collect = (bytes: Buffer) => {
        received.push(bytes);
        if (bytes.at(-1) !== BODY_END) return; // Joining 16 MiB at every read would take seconds.
        const request = parseRequest(Buffer.concat(received));
        if (request === undefined) return;
        socket.off('data', collect);
        const talk = (async () => converse(new Conversation(socket, request)))();
        talk.catch(() => socket.destroy());
        this.talks.push(talk);
      };
      socket.on('data', collect);
    });
  }

  static async listen(
    dir: string,
    converse: (conversation: Conversation) => Promise<void> | void,
  ): Promise<ShimDaemon> {
    const daemon = new ShimDaemon(converse);
    daemon.server.listen(join(dir, 'multus.sock'));
    await once(daemon.server, 'listening');
    return daemon;
  }

  /** Waits for all conversations; throws what `converse` threw. To be called when no shim is at work any more. */
  async settled(): Promise<void> {
    await Promise.all(this.talks);
  }

  /** Ends all connections, as a crash does. */
  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}
