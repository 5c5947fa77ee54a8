/** One connection of a shim that executes for us: frames in, frames out, and what happens when either side ends. */
import { statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { CniCode, CniError } from '../cni/errors.ts';
import { FrameRunner } from '../delegate/frame-runner.ts';
import { encodeDaemonFrame, ShimFrameDecoder } from '../wire/frames.ts';

/** The shim takes a silent daemon for lost after ten of these. */
const ALIVE_INTERVAL_MS = 1000;

/** How long orphans of a killed shim may take to die of SIGKILL. */
const ORPHAN_LIMIT_MS = 2000;
const ORPHAN_POLL_MS = 2;

/** Inode of our PID namespace, as the shim reports its own. */
function ownPidNamespace(): string {
  return String(statSync('/proc/self/ns/pid', { bigint: true }).ino);
}

function groupExists(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * A killed shim takes its plugins with it, but not what those started (a plugin's IPAM): end the whole groups, and
 * wait until they are gone, before anybody undoes what they did.
 */
async function endOrphans(groups: readonly number[]): Promise<void> {
  const limit = performance.now() + ORPHAN_LIMIT_MS;
  for (const group of groups) {
    while (groupExists(group) && performance.now() < limit) {
      process.kill(-group, 'SIGKILL');
      await delay(ORPHAN_POLL_MS);
    }
  }
}

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
    this.runner = new FrameRunner((bytes) => socket.write(bytes));
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
    if (this.answered) return;
    const reason = 'the runtime ended the request: its shim is gone';
    const groups = this.runner.runningGroups();
    if (this.sharesPids) await endOrphans(groups);
    this.gone.abort(new CniError(CniCode.cancelled, reason));
    this.runner.lost(reason);
  }
}
