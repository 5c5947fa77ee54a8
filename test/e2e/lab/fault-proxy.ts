/** The network between a client and an API server, in all its moods: a TCP proxy that TLS passes through. */
import { EventEmitter, once } from 'node:events';
import { connect, type Server, type Socket } from 'node:net';
import { listenIn } from './listen-in.ts';
import { freePort } from './server-process.ts';

export type Fault =
  | 'pass'
  /** Nobody listens; open connections go on. */
  | 'refuse'
  /** Connections are accepted, and nothing is forwarded, on open ones either; what waits goes on afterwards. */
  | 'hang'
  /** Answers come later by this. */
  | { delayMs: number }
  /** A connection ends once so many bytes of answers have passed, counted from its beginning. */
  | { cutAfter: number };

export class FaultProxy {
  /** Of the same scheme as the target's. */
  readonly url: string;
  readonly #target: URL;
  readonly #port: number;
  readonly #netns: string;
  #server: Server | undefined;
  #fault: Fault = 'pass';
  readonly #faults = new EventEmitter().setMaxListeners(0);
  readonly #open = new Set<Socket>();
  /** Connections accepted so far. */
  accepted = 0;

  constructor(target: string, port: number, netns: string) {
    this.#target = new URL(target);
    this.#port = port;
    this.#netns = netns;
    this.url = `${this.#target.protocol}//127.0.0.1:${port}`;
  }

  /** From now on, for open connections, too. */
  async set(fault: Fault): Promise<void> {
    this.#fault = fault;
    this.#faults.emit('change');
    if (fault === 'refuse') this.#unlisten();
    else await this.#listen();
  }

  /** Reset all open connections. @returns how many there were, of clients */
  drop(): number {
    const sockets = [...this.#open];
    // Of a socket whose end is on its way, resetAndDestroy() leaves the handle open for ever.
    for (const socket of sockets) socket.writableEnded ? socket.destroy() : socket.resetAndDestroy();
    return sockets.length / 2;
  }

  async close(): Promise<void> {
    this.#unlisten();
    this.drop();
    await this.set('refuse'); // what waits for a hang's end ends
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined) return;
    this.#server = await listenIn(this.#netns, this.#port);
    this.#server.on('connection', (client) => this.#join(client));
  }

  #unlisten(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #join(client: Socket): void {
    this.accepted += 1;
    const server = connect(Number(this.#target.port), this.#target.hostname);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#open.delete(socket);
        if (!socket.readableEnded) other.destroy(); // else its end is forwarded, after what it has said
      });
    }
    this.#forward(client, server, 'asks');
    this.#forward(server, client, 'answers');
  }

  /** Chunk by chunk, in order. */
  #forward(from: Socket, to: Socket, way: 'asks' | 'answers'): void {
    let before = Promise.resolve();
    let passed = 0;
    const fault = () => ({ delayMs: 0, cutAfter: Number.POSITIVE_INFINITY, ...this.#faultOf(way) });
    const inTurn = (work: () => void) => {
      const due = performance.now() + fault().delayMs;
      before = before.then(async () => {
        const early = due - performance.now();
        if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
        while (this.#fault === 'hang') await once(this.#faults, 'change');
        if (to.writable) work();
      });
    };
    const write = (chunk: Buffer) => {
      const rest = fault().cutAfter - passed;
      passed += chunk.length;
      if (chunk.length <= rest) to.write(chunk);
      else to.end(chunk.subarray(0, Math.max(rest, 0)), () => to.destroy());
    };
    from.on('data', (chunk) => inTurn(() => write(chunk)));
    from.on('end', () => inTurn(() => to.end()));
  }

  #faultOf(way: 'asks' | 'answers'): { delayMs?: number; cutAfter?: number } {
    return way === 'answers' && typeof this.#fault === 'object' ? this.#fault : {};
  }
}

/**
 * @param target 'https://127.0.0.1:6443'
 * @param netns where it listens, on 127.0.0.1 at the target's port: what has an address there has the same one here, and
 *   certificates and kubeconfigs stay right. Without it in the test's own namespace, at another port.
 */
export async function startFaultProxy(target: string, netns?: string): Promise<FaultProxy> {
  const port = netns === undefined ? await freePort() : Number(new URL(target).port);
  const proxy = new FaultProxy(target, port, netns ?? '/proc/self/ns/net');
  await proxy.set('pass');
  return proxy;
}
