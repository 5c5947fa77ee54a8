/** A server on one socket, from its first caller to its last. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Who found the socket's name before it led elsewhere has arrived within this time. */
const QUIET_MS = 100;

export interface Handlers {
  serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  upgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => Promise<void>;
}

export class Listener {
  readonly server: Server;
  private accepted = 0;

  constructor({ serve, upgrade }: Handlers) {
    this.server = createServer((request, response) => {
      void serve(request, response);
    });
    this.server.on('upgrade', (request, socket, head) => {
      void upgrade(request, socket as Socket, head);
    });
    this.server.on('connection', () => {
      this.accepted += 1;
    });
  }

  /** To be called when nobody finds the socket any more. Settles when all who did are served and have gone. */
  async drain(): Promise<void> {
    await this.emptyQueue();
    await new Promise((resolve) => {
      this.server.close(resolve);
      this.server.closeIdleConnections();
    });
  }

  /** Closing the socket would reset those who have connected and wait to be accepted. */
  private async emptyQueue(): Promise<void> {
    for (let seen = -1; seen !== this.accepted; ) {
      seen = this.accepted;
      await delay(QUIET_MS);
      // The event loop accepts between timers and immediates: a process that slept finds its timers due first.
      await new Promise(setImmediate);
    }
  }
}
