/** A port of the test's own network, reachable in a machine: on 127.0.0.1 there too, so that certificates stay right. */
import { connect, type Server, type Socket } from 'node:net';
import { listenIn } from './listen-in.ts';
import type { Machine } from './machine.ts';

export class Relay {
  /** Milliseconds that what the client sends waits for: a slow network. */
  delayMs = 0;
  /** Bytes so far, as the network carries them. */
  toServer = 0;
  toClient = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.server = server;
    server.on('connection', (socket: Socket) => this.pass(socket, connect(port, '127.0.0.1')));
  }

  /** @param port in the test's network, and of the machine */
  static async open(machine: Pick<Machine, 'netns'>, port: number): Promise<Relay> {
    const server = await listenIn(machine.netns, port);
    server.unref();
    return new Relay(server, port);
  }

  private pass(client: Socket, target: Socket): void {
    const drop = (): void => {
      for (const socket of [client, target]) {
        socket.destroy();
        this.sockets.delete(socket);
      }
    };
    for (const socket of [client, target]) {
      this.sockets.add(socket);
      socket.on('error', drop).on('close', drop);
    }
    client.on('data', (bytes) => {
      this.toServer += bytes.length;
      if (this.delayMs === 0) target.write(bytes);
      else setTimeout(() => target.write(bytes), this.delayMs);
    });
    client.on('end', () => target.end());
    target.on('data', (bytes) => {
      this.toClient += bytes.length;
    });
    target.pipe(client);
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
