import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type DaemonFrame,
  EXEC_PROTOCOL,
  encodeDaemonFrame,
  FrameType,
  MAX_PAYLOAD,
  type ShimFrame,
  ShimFrameDecoder,
} from '../../../src/wire/frames.ts';
import { heard, rawFrame, shimBytes } from '../../fakes/fake-shim.ts';

const EXITED: ShimFrame = {
  type: 'exited',
  id: 7,
  exitCode: 0,
  signal: 0,
  timedOut: false,
  killed: false,
  stdoutOverflow: false,
  stderrTruncated: false,
  stdout: Buffer.from('{"cniVersion":"1.0.0"}'),
  stderr: Buffer.from('a warning\n'),
};

const decode = (bytes: Buffer): ShimFrame[] => new ShimFrameDecoder().push(bytes);

/** The RangeError with which a connection ends. */
function refused(bytes: Buffer): string {
  try {
    decode(bytes);
  } catch (error) {
    assert.instance(error, RangeError);
    return (error as RangeError).message;
  }
  return assert.unreachable('must throw a RangeError') as never;
}

test("ends the connection at an unknown frame: taken for another one, a plugin's end would be missed", () => {
  for (const type of [0, 1, 4, 5, 15, 19, 255]) {
    assert.is(refused(rawFrame(type, 1, Buffer.alloc(0))), `unknown frame type ${type}`);
  }
});

test('refuses a frame beyond the limit by its header, before any of it is kept', () => {
  const header = rawFrame(FrameType.exited, 1, Buffer.alloc(0), MAX_PAYLOAD + 1);
  assert.is(refused(header), `frame of ${MAX_PAYLOAD + 1} bytes is over ${MAX_PAYLOAD}`);
  assert.equal(
    decode(rawFrame(FrameType.exited, 1, Buffer.alloc(0), MAX_PAYLOAD)),
    [],
    'the limit itself is waited for',
  );
});

test('refuses a string that is longer than its frame, instead of reading the next frame as its end', () => {
  const lying = Buffer.alloc(20);
  lying.writeUInt32LE(100, 12); // stdout's length
  assert.is(refused(rawFrame(FrameType.exited, 1, lying)), 'string is longer than its frame');
  const huge = Buffer.alloc(20);
  huge.writeUInt32LE(0xffffffff, 4); // syscall's length
  assert.is(refused(rawFrame(FrameType.failed, 1, huge)), 'string is longer than its frame');
});

test('refuses every payload that is too short for its fields', () => {
  const whole = shimBytes(EXITED).subarray(12);
  for (let length = 0; length < whole.length; length++) {
    refused(rawFrame(FrameType.exited, 1, whole.subarray(0, length)));
  }
  for (let length = 0; length < 4; length++) refused(rawFrame(FrameType.started, 1, Buffer.alloc(length)));
});

test('throws only RangeError, whatever a foreign peer sends and however it is cut', () => {
  const nearly = fc
    .tuple(fc.constantFrom(16, 17, 18, 19), fc.uint8Array({ maxLength: 40 }))
    .map(([type, payload]) => rawFrame(type, 1, Buffer.from(payload)));
  const any = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.array(fc.oneof(nearly, any), { maxLength: 4 }), (chunks) => {
      const decoder = new ShimFrameDecoder();
      try {
        for (const chunk of chunks) decoder.push(chunk);
      } catch (error) {
        assert.instance(error, RangeError);
      }
    }),
    { numRuns: 1000 },
  );
});

const text = fc.string({ unit: 'binary-ascii', maxLength: 20 });
const u32 = fc.nat({ max: 0xffffffff });
const bytes = fc.uint8Array({ maxLength: 30 }).map((one) => Buffer.from(one));
const plain = { noNullPrototype: true } as const;
const shimFrame: fc.Arbitrary<ShimFrame> = fc.oneof(
  fc.record({ type: fc.constant('started' as const), id: u32, pid: u32, path: text }, plain),
  fc.record({ type: fc.constant('failed' as const), id: u32, errno: u32, syscall: text, detail: text }, plain),
  fc.record(
    {
      type: fc.constant('exited' as const),
      id: u32,
      exitCode: fc.integer({ min: -1, max: 255 }),
      signal: fc.integer({ min: 0, max: 64 }),
      timedOut: fc.boolean(),
      killed: fc.boolean(),
      stdoutOverflow: fc.boolean(),
      stderrTruncated: fc.boolean(),
      stdout: bytes,
      stderr: bytes,
    },
    plain,
  ),
);

test('reads what a shim sends, wherever the stream is cut', () => {
  const frames: ShimFrame[] = [
    { type: 'started', id: 1, pid: 4711, path: '/opt/cni/bin/bridge' },
    { type: 'failed', id: 2, errno: 2, syscall: 'access', detail: 'not found in /opt/cni/bin' },
    { ...EXITED, exitCode: -1, signal: 9, killed: true, stderrTruncated: true },
  ];
  const stream = Buffer.concat(frames.map(shimBytes));
  for (let cut = 0; cut <= stream.length; cut++) {
    const decoder = new ShimFrameDecoder();
    assert.equal([...decoder.push(stream.subarray(0, cut)), ...decoder.push(stream.subarray(cut))], frames, `${cut}`);
  }
});

test('reads any frames, byte by byte as well as all at once', () => {
  fc.assert(
    fc.property(fc.array(shimFrame, { maxLength: 4 }), (frames) => {
      const stream = Buffer.concat(frames.map(shimBytes));
      assert.equal(decode(stream), frames);
      const decoder = new ShimFrameDecoder();
      const single = Array.from(stream, (_, i) => decoder.push(stream.subarray(i, i + 1)));
      assert.equal(single.flat(), frames);
    }),
  );
});

test("hands a frame over as soon as it is whole, not when the next one arrives: a plugin's end would come late", () => {
  const decoder = new ShimFrameDecoder();
  const one = shimBytes(EXITED);
  assert.equal(decoder.push(one.subarray(0, -1)), []);
  assert.equal(decoder.push(one.subarray(-1)), [EXITED]);
});

test('keeps binary output of plugins as it is', () => {
  const [frame] = decode(shimBytes({ ...EXITED, stdout: Buffer.from([0, 255, 10, 128]) }));
  assert.equal(frame?.type === 'exited' && [...frame.stdout], [0, 255, 10, 128]);
});

test('writes what a shim reads', () => {
  const start: DaemonFrame = {
    type: 'start',
    id: 3,
    ahead: false,
    plugin: 'macvlan',
    env: ['A=b=c', 'UNSET', ''],
    maxStdout: 10,
    maxStderr: 20,
  };
  const frames: DaemonFrame[] = [
    start,
    { ...start, ahead: true },
    { type: 'feed', id: 3, deadlineMs: 0xffffffff, stdin: Buffer.from('{"name":"ä"}') },
    { type: 'kill', id: 0xffffffff },
    { type: 'alive' },
    { type: 'answer', exitCode: 1, stdout: Buffer.from('{"code":11}') },
  ];
  assert.equal(heard(Buffer.concat(frames.map(encodeDaemonFrame))), [
    start,
    { ...start, ahead: true },
    { type: 'feed', id: 3, deadlineMs: 0xffffffff, stdin: '{"name":"ä"}' },
    { type: 'kill', id: 0xffffffff },
    { type: 'alive' },
    { type: 'answer', exitCode: 1, stdout: '{"code":11}' },
  ]);
});

test('writes frames without content too: an empty stdin still is end of file for the plugin', () => {
  const [feed] = heard(encodeDaemonFrame({ type: 'feed', id: 1, deadlineMs: 1, stdin: Buffer.alloc(0) }));
  assert.equal(feed, { type: 'feed', id: 1, deadlineMs: 1, stdin: '' });
});

test('agrees with the table of the shim in native/core/frames.h', () => {
  const header = readFileSync('native/core/frames.h', 'utf8');
  const types = [...header.matchAll(/^\s*k(\w+) = (\d+),/gm)].map(([, name, number]) => [name, Number(number)]);
  const ours = Object.entries(FrameType).map(([name, number]) => [name[0]?.toUpperCase() + name.slice(1), number]);
  assert.equal(types, ours);
  const shim = [header, readFileSync('native/shim/conversation.cc', 'utf8')].join('\n');
  assert.match(shim, EXEC_PROTOCOL);
});

test.run();
