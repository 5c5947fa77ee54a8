/**
 * From one daemon to the next, without a moment in which nobody listens.
 *
 * The new one connects to the old one, puts its own socket in place, and only then says `POST /handover` on that
 * connection. What counts is the file, which only root can replace; the request merely lets the new one wait until the old
 * one has left the node's files alone. An old one that sleeps finds out by itself when it wakes.
 */
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../attach/operation.ts';

export const HANDOVER_PATH = '/handover';

/** A daemon that does not answer within this time hangs, or its plugins do. */
const ANSWER_LIMIT_MS = 3000;

/** Between two looks at whether a successor answers, and for how long it may not. */
const LOOK_MS = 500;
const DESERTED_MS = 5000;

/** Who listened before us: nobody, a connection to it, or one so stuck that it takes none. */
export type Predecessor = Socket | 'nobody' | 'stuck';

/** What became of the one who listened before us. */
export type Succession =
  /** There was none, or it has ended meanwhile. */
  | { kind: 'none' }
  /** It finishes what it has, and stands by. */
  | { kind: 'handed over'; version: string }
  /** It does not know of hand-over and believes that it still serves the node. */
  | { kind: 'unaware'; reason: string }
  | { kind: 'hangs' };

/** Connect to whoever listens there; EAGAIN says that its queue is full. */
export function reachPredecessor(path: string): Promise<Predecessor> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    // It may also end later, when nobody waits for this any more.
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EAGAIN' ? 'stuck' : 'nobody'));
  });
}

/** Does anybody listen there? */
export async function isServed(path: string): Promise<boolean> {
  const there = await reachPredecessor(path);
  if (typeof there !== 'string') there.destroy();
  return there !== 'nobody';
}

/** Tell the predecessor that its socket has been replaced, and wait until it has stood down. Never throws. */
export function succeed(predecessor: Predecessor, limitMs = ANSWER_LIMIT_MS): Promise<Succession> {
  if (predecessor === 'nobody') return Promise.resolve({ kind: 'none' });
  if (predecessor === 'stuck') return Promise.resolve({ kind: 'hangs' });
  return new Promise((resolve) => {
    const timer = setTimeout(() => end({ kind: 'hangs' }), limitMs);
    const end = (succession: Succession): void => {
      clearTimeout(timer);
      predecessor.destroy();
      resolve(succession);
    };
    const options = { createConnection: () => predecessor, method: 'POST', path: HANDOVER_PATH };
    const asked = request(options, (reply) => {
      let body = '';
      reply.on('data', (bytes) => {
        body += bytes;
      });
      reply.on('error', () => end({ kind: 'none' }));
      reply.on('end', () => {
        if (reply.statusCode === 200) end({ kind: 'handed over', version: body.trim() });
        else end({ kind: 'unaware', reason: `${HANDOVER_PATH}: HTTP status ${reply.statusCode}` });
      });
    });
    asked.on('error', () => end({ kind: 'none' }));
    asked.end();
  });
}

/** What an operator has to know of it. */
export function logSuccession(succession: Succession, log: Log): void {
  if (succession.kind === 'handed over') {
    log.info({ predecessor: succession.version }, 'took over from another daemon, which finishes what it has');
  } else if (succession.kind === 'unaware') {
    const { reason } = succession;
    log.warn(
      { reason },
      'took the socket of a daemon (of Multus, or an older one of ours) that does not notice: end it',
    );
  } else if (succession.kind === 'hangs') {
    log.warn({ afterMs: ANSWER_LIMIT_MS }, 'took the socket of a daemon that hangs: end it');
  }
}

/** Settles when nobody has listened there for a while: the daemon that took over is gone and was not started again. */
export async function deserted(path: string, { lookMs = LOOK_MS, limitMs = DESERTED_MS } = {}): Promise<void> {
  for (let since = performance.now(); performance.now() - since < limitMs; ) {
    await delay(lookMs);
    if (await isServed(path)) since = performance.now();
  }
}
