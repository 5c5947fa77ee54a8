/** A server on one socket, from its first caller to its last. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { readShimRequest, type ShimRequest } from './shim-request.ts';

/** Who found the socket's name before it led elsewhere has arrived within this time. */
const QUIET_MS = 100;

/** So long who has connected and not said anything is waited for at the end. */
const PATIENCE_MS = 1000;

/** Who has not said anything for so long is no caller. As long as Node's server waits for a head. */
const SILENCE_MS = 60_000;

export interface Handlers {
  /** A shim's request, before its body. */
  converse: (request: ShimRequest, socket: Socket) => Promise<void>;
  serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  upgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => Promise<void>;
}

export class Listener {
  readonly server: Server;
  private accepted = 0;
  /** Who has connected and not said anything yet. */
  private readonly silent = new Set<Socket>();

  constructor({ converse, serve, upgrade }: Handlers) {
    this.server = createServer((request, response) => {
      void serve(request, response);
    });
    this.server.on('upgrade', (request, socket, head) => {
      void upgrade(request, socket as Socket, head);
    });
    const [speakHttp] = this.server.listeners('connection') as ((socket: Socket) => void)[];
    this.server.removeAllListeners('connection').on('connection', (socket: Socket) => {
      this.accepted += 1;
      this.hearFirst(socket, (bytes) => {
        const request = readShimRequest(bytes);
        if (request !== undefined) return void converse(request, socket);
        socket.unshift(bytes);
        speakHttp?.call(this.server, socket);
        socket.resume();
      });
    });
  }

  /** Wait for the first bytes of a connection. The socket is paused then. */
  private hearFirst(socket: Socket, heard: (bytes: Buffer) => void): void {
    const drop = (): void => {
      this.silent.delete(socket);
      socket.destroy();
    };
    this.silent.add(socket);
    socket.on('error', drop).on('end', drop).setTimeout(SILENCE_MS, drop);
    socket.once('data', (bytes) => {
      this.silent.delete(socket);
      socket.off('error', drop).off('end', drop).off('timeout', drop).setTimeout(0).pause();
      heard(bytes);
    });
  }

  /** To be called when nobody finds the socket any more. Settles when all who did are served and have gone. */
  async drain(): Promise<void> {
    await this.emptyQueue();
    for (let waited = 0; this.silent.size > 0 && waited < PATIENCE_MS; waited += QUIET_MS) await delay(QUIET_MS);
    await new Promise((resolve) => {
      this.server.close(resolve);
      this.server.closeIdleConnections();
      for (const socket of this.silent) socket.destroy();
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
