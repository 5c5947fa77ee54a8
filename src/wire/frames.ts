/**
 * Frames between daemon and shim after `101 Switching Protocols` (protocol "multus-exec/1").
 *
 * A frame is a 12-byte header, little-endian: payload length u32, type u8, flags u8, two zero bytes, process id u32
 * (an operation-local number chosen by the daemon, 0 where none applies), followed by the payload. `start` has a flag:
 * 1, started ahead of its turn, which only an ELF file is; other frames have none.
 * native/core/frames.h is the same table for the shim.
 */

/** Protocol name in the `Upgrade` header. */
export const EXEC_PROTOCOL = 'multus-exec/1';

/** A longer payload ends the connection: no plugin input or output is that big. */
export const MAX_PAYLOAD = 64 * 1024 * 1024;

const HEADER = 12;

/** Position of the flags. */
const FLAGS = 5;

export const FrameType = {
  /** daemon → shim: start a plugin, stdin withheld. */
  start: 1,
  /** daemon → shim: deadlineMs u32, then stdin bytes. */
  feed: 2,
  /** daemon → shim: end the plugin's process group. */
  kill: 3,
  /** daemon → shim: exit code u32, then the CNI answer for stdout. The last frame. */
  answer: 4,
  /** daemon → shim: the operation is alive. */
  alive: 5,
  /** shim → daemon: pid u32, then the path that was executed. */
  started: 16,
  /** shim → daemon: errno u32, then syscall and detail as strings. */
  failed: 17,
  /** shim → daemon: how a plugin ended. */
  exited: 18,
} as const;

export interface StartFrame {
  type: 'start';
  id: number;
  ahead: boolean;
  plugin: string;
  env: string[];
  maxStdout: number;
  maxStderr: number;
}

export type DaemonFrame =
  | StartFrame
  | { type: 'feed'; id: number; deadlineMs: number; stdin: Buffer }
  | { type: 'kill'; id: number }
  | { type: 'answer'; exitCode: number; stdout: Buffer }
  | { type: 'alive' };

export type ShimFrame =
  | { type: 'started'; id: number; pid: number; path: string }
  | { type: 'failed'; id: number; errno: number; syscall: string; detail: string }
  | {
      type: 'exited';
      id: number;
      exitCode: number;
      signal: number;
      timedOut: boolean;
      killed: boolean;
      stdoutOverflow: boolean;
      stderrTruncated: boolean;
      stdout: Buffer;
      stderr: Buffer;
    };

/** Bits of `flags` in an `exited` frame. */
const EXIT_FLAGS = { timedOut: 1, killed: 2, stdoutOverflow: 4, stderrTruncated: 8 } as const;

/** The flag of a `start` frame. */
const AHEAD = 1;

function frame(type: number, id: number, ...parts: Buffer[]): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(
    parts.reduce((sum, part) => sum + part.length, 0),
    0,
  );
  header.writeUInt8(type, 4);
  header.writeUInt32LE(id, 8);
  return Buffer.concat([header, ...parts]);
}

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    bytes.writeUInt32LE(value, i * 4);
  });
  return bytes;
}

function sized(content: string | Buffer): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return Buffer.concat([u32(bytes.length), bytes]);
}

function startFrame({ id, ahead, plugin, env, maxStdout, maxStderr }: StartFrame): Buffer {
  const limits = u32(maxStdout, maxStderr, env.length + 1);
  const bytes = frame(FrameType.start, id, limits, sized(plugin), ...env.map(sized));
  bytes.writeUInt8(ahead ? AHEAD : 0, FLAGS);
  return bytes;
}

/** Bytes of a frame that the daemon sends. `start` carries maxStdout, maxStderr, a count, then plugin and env as strings. */
export function encodeDaemonFrame(message: DaemonFrame): Buffer {
  switch (message.type) {
    case 'start':
      return startFrame(message);
    case 'feed':
      return frame(FrameType.feed, message.id, u32(message.deadlineMs), message.stdin);
    case 'kill':
      return frame(FrameType.kill, message.id);
    case 'answer':
      return frame(FrameType.answer, 0, u32(message.exitCode), message.stdout);
    case 'alive':
      return frame(FrameType.alive, 0);
  }
}

/** Reads fields off a payload; throws RangeError where it is too short. */
class PayloadReader {
  private offset = 0;
  private readonly payload: Buffer;
  constructor(payload: Buffer) {
    this.payload = payload;
  }
  u32(): number {
    const value = this.payload.readUInt32LE(this.offset);
    this.offset += 4;
    return value;
  }
  i32(): number {
    return this.u32() | 0;
  }
  sized(): Buffer {
    const length = this.u32();
    if (this.offset + length > this.payload.length) throw new RangeError('string is longer than its frame');
    const bytes = this.payload.subarray(this.offset, this.offset + length);
    this.offset += length;
    return bytes;
  }
  rest(): Buffer {
    return this.payload.subarray(this.offset);
  }
}

function decodeShimPayload(type: number, id: number, payload: Buffer): ShimFrame {
  const reader = new PayloadReader(payload);
  switch (type) {
    case FrameType.started:
      return { type: 'started', id, pid: reader.u32(), path: reader.rest().toString() };
    case FrameType.failed:
      return {
        type: 'failed',
        id,
        errno: reader.u32(),
        syscall: reader.sized().toString(),
        detail: reader.sized().toString(),
      };
    case FrameType.exited: {
      const exitCode = reader.i32();
      const signal = reader.i32();
      const flags = reader.u32();
      return {
        type: 'exited',
        id,
        exitCode,
        signal,
        timedOut: (flags & EXIT_FLAGS.timedOut) !== 0,
        killed: (flags & EXIT_FLAGS.killed) !== 0,
        stdoutOverflow: (flags & EXIT_FLAGS.stdoutOverflow) !== 0,
        stderrTruncated: (flags & EXIT_FLAGS.stderrTruncated) !== 0,
        stdout: reader.sized(),
        stderr: reader.sized(),
      };
    }
    default:
      throw new RangeError(`unknown frame type ${type}`);
  }
}

/** Collects bytes from the shim and yields whole frames. */
export class ShimFrameDecoder {
  private pending: Buffer = Buffer.alloc(0);

  /**
   * Add received bytes and return the frames that are now whole.
   * @throws RangeError for an unknown type, a payload beyond MAX_PAYLOAD, or a field beyond its frame.
   */
  push(bytes: Buffer): ShimFrame[] {
    this.pending = this.pending.length === 0 ? bytes : Buffer.concat([this.pending, bytes]);
    const frames: ShimFrame[] = [];
    while (this.pending.length >= HEADER) {
      const length = this.pending.readUInt32LE(0);
      if (length > MAX_PAYLOAD) throw new RangeError(`frame of ${length} bytes is over ${MAX_PAYLOAD}`);
      if (this.pending.length < HEADER + length) break;
      const payload = this.pending.subarray(HEADER, HEADER + length);
      frames.push(decodeShimPayload(this.pending.readUInt8(4), this.pending.readUInt32LE(8), payload));
      this.pending = this.pending.subarray(HEADER + length);
    }
    return frames;
  }
}
