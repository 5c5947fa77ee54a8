/** One connection of a shim that executes for us: frames in, frames out, and what happens when either side ends. */
import { statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { CniCode, CniError } from '../cni/errors.ts';
import { FrameRunner } from '../delegate/frame-runner.ts';
import { encodeDaemonFrame, ShimFrameDecoder } from '../wire/frames.ts';
import { endGroups } from './orphans.ts';

/** The shim takes a silent daemon for lost after ten of these. */
const ALIVE_INTERVAL_MS = 1000;

const GONE = 'the runtime ended the request: its shim is gone';

/** Inode of our PID namespace, as the shim reports its own. */
function ownPidNamespace(): string {
  pidNamespace ??= String(statSync('/proc/self/ns/pid', { bigint: true }).ino);
  return pidNamespace;
}

let pidNamespace: string | undefined; // a process never leaves it

export class ShimConnection {
  readonly runner: FrameRunner;
  private readonly socket: Socket;
  private readonly decoder = new ShimFrameDecoder();
  private readonly gone = new AbortController();
  private readonly alive: NodeJS.Timeout;
  private readonly sharesPids: boolean;
  private answered = false;

  /** @param pidNamespace what the shim said of its own, '' when it said nothing */
  constructor(socket: Socket, pidNamespace: string) {
    this.socket = socket;
    this.sharesPids = pidNamespace === ownPidNamespace();
    this.runner = new FrameRunner(
      (bytes) => socket.write(bytes),
      () => socket.destroy(),
    );
    this.alive = setInterval(() => socket.write(encodeDaemonFrame({ type: 'alive' })), ALIVE_INTERVAL_MS);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      void this.closed();
    });
  }

  /** Aborts when the shim is gone before it was answered, and its plugins with it. */
  get signal(): AbortSignal {
    return this.gone.signal;
  }

  /** @throws CniError 106 when the shim is gone by now: the kernel knows it before an event tells us */
  confirm(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(encodeDaemonFrame({ type: 'alive' }), (error) => {
        if (error) reject(new CniError(CniCode.cancelled, GONE, { cause: error }));
        else resolve();
      });
    });
  }

  /** Bytes that arrived on the connection. */
  receive(bytes: Buffer): void {
    try {
      for (const frame of this.decoder.push(bytes)) this.runner.receive(frame);
    } catch (error) {
      this.socket.destroy(error as Error); // not our protocol: it is as good as gone
    }
  }

  /** The last word: the shim prints it and exits. */
  answer(exitCode: number, stdout: string): void {
    this.answered = true;
    clearInterval(this.alive);
    this.socket.end(encodeDaemonFrame({ type: 'answer', exitCode, stdout: Buffer.from(stdout) }));
  }

  private async closed(): Promise<void> {
    clearInterval(this.alive);
    if (this.answered) return this.runner.lost(GONE); // it took plugins that were not needed along
    const groups = this.runner.runningGroups();
    if (this.sharesPids) await endGroups(groups);
    this.gone.abort(new CniError(CniCode.cancelled, GONE));
    this.runner.lost(GONE);
  }
}
