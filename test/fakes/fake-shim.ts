/**
 * The shim's end of a connection, written from the table in native/core/frames.h and not from src/wire/frames.ts: so
 * that a mistake made there is not made here too.
 */
import type { ShimFrame } from '../../src/wire/frames.ts';

const HEADER = 12;

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};
const sized = (content: Buffer | string): Buffer => {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([u32(bytes.length), bytes]);
};

/** Any frame, also one that no shim would send. */
export function rawFrame(type: number, id: number, payload: Buffer, length = payload.length): Buffer {
  return Buffer.concat([u32(length), Buffer.from([type, 0, 0, 0]), u32(id), payload]);
}

/** The bytes that a shim sends. */
export function shimBytes(frame: ShimFrame): Buffer {
  switch (frame.type) {
    case 'started':
      return rawFrame(16, frame.id, Buffer.concat([u32(frame.pid), Buffer.from(frame.path)]));
    case 'failed':
      return rawFrame(17, frame.id, Buffer.concat([u32(frame.errno), sized(frame.syscall), sized(frame.detail)]));
    case 'exited': {
      const flags =
        (frame.timedOut ? 1 : 0) |
        (frame.killed ? 2 : 0) |
        (frame.stdoutOverflow ? 4 : 0) |
        (frame.stderrTruncated ? 8 : 0);
      const head = [u32(frame.exitCode), u32(frame.signal), u32(flags)];
      return rawFrame(18, frame.id, Buffer.concat([...head, sized(frame.stdout), sized(frame.stderr)]));
    }
  }
}

/** What a daemon's bytes say to a shim. */
export type Heard =
  | {
      type: 'start';
      id: number;
      ahead: boolean;
      maxStdout: number;
      maxStderr: number;
      plugin: string;
      env: string[];
    }
  | { type: 'feed'; id: number; deadlineMs: number; stdin: string }
  | { type: 'kill'; id: number }
  | { type: 'answer'; exitCode: number; stdout: string }
  | { type: 'alive' };

function heardStart(id: number, ahead: boolean, payload: Buffer): Heard {
  const texts: string[] = [];
  let at = HEADER;
  for (let left = payload.readUInt32LE(8); left > 0; left--) {
    const end = at + 4 + payload.readUInt32LE(at);
    texts.push(payload.toString('utf8', at + 4, end));
    at = end;
  }
  if (at !== payload.length) throw new Error(`${payload.length - at} bytes behind the last string of a start frame`);
  const [plugin = '', ...env] = texts;
  const [maxStdout, maxStderr] = [payload.readUInt32LE(0), payload.readUInt32LE(4)];
  return { type: 'start', id, ahead, maxStdout, maxStderr, plugin, env };
}

function heardOne(type: number, flags: number, id: number, payload: Buffer): Heard {
  switch (type) {
    case 1:
      return heardStart(id, flags === 1, payload);
    case 2:
      return { type: 'feed', id, deadlineMs: payload.readUInt32LE(0), stdin: payload.toString('utf8', 4) };
    case 3:
      return { type: 'kill', id };
    case 4:
      return { type: 'answer', exitCode: payload.readUInt32LE(0), stdout: payload.toString('utf8', 4) };
    case 5:
      return { type: 'alive' };
    default:
      throw new Error(`a shim does not know frame type ${type}`);
  }
}

/** Read whole frames off a daemon's bytes. Throws where a shim would end the connection. */
export function heard(bytes: Buffer): Heard[] {
  const frames: Heard[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + HEADER + bytes.readUInt32LE(at);
    if (end > bytes.length) throw new Error('the last frame is not whole');
    const [type, flags] = [bytes.readUInt8(at + 4), bytes.readUInt8(at + 5)];
    if (flags > (type === 1 ? 1 : 0)) throw new Error(`a frame of type ${type} has no flags ${flags}`);
    if (bytes.readUInt16LE(at + 6) !== 0) throw new Error('the bytes behind the flags must be zero');
    frames.push(heardOne(type, flags, bytes.readUInt32LE(at + 8), bytes.subarray(at + HEADER, end)));
    at = end;
  }
  return frames;
}
