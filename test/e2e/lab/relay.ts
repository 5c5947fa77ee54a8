/** A port of the test's own network, reachable in a machine: on 127.0.0.1 there too, so that certificates stay right. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Server, type Socket } from 'node:net';
import type { Machine } from './machine.ts';

/** A socket belongs to the namespace in which it was made: one process makes it there, hands it over, and ends. */
const LISTEN = `
const server = require('node:net').createServer();
process.on('disconnect', () => process.exit());
server.listen(Number(process.argv[1]), '127.0.0.1', () => process.send('listening', server));
`;

export class Relay {
  /** Milliseconds that what the client sends waits for: a slow network. */
  delayMs = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.server = server;
    server.on('connection', (socket: Socket) => this.pass(socket, connect(port, '127.0.0.1')));
  }

  /** @param port in the test's network, and of the machine */
  static async open(machine: Pick<Machine, 'netns'>, port: number): Promise<Relay> {
    const words = [`--net=${machine.netns}`, process.execPath, '-e', LISTEN, String(port)];
    const child = spawn('nsenter', words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`Cannot listen on port ${port} of the machine: the process ended with ${code}`);
    });
    const [, server] = (await Promise.race([once(child, 'message'), ended])) as [string, Server];
    child.disconnect();
    await ended.catch(() => undefined);
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
      if (this.delayMs === 0) target.write(bytes);
      else setTimeout(() => target.write(bytes), this.delayMs);
    });
    client.on('end', () => target.end());
    target.pipe(client);
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
