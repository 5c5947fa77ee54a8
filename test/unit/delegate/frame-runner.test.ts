import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FrameRunner } from '../../../src/delegate/frame-runner.ts';
import { DelegateLostError, DelegateStartError, MAX_STDERR, MAX_STDOUT } from '../../../src/delegate/runner.ts';
import { type ShimFrame, ShimFrameDecoder } from '../../../src/wire/frames.ts';
import { type Heard, heard, shimBytes } from '../../fakes/fake-shim.ts';

/** A runner with a shim at its other end that does nothing by itself. */
function connect() {
  const said: Heard[] = [];
  const runner = new FrameRunner(
    (bytes) => said.push(...heard(bytes)),
    () => undefined,
  );
  const decoder = new ShimFrameDecoder();
  const answer = (...frames: ShimFrame[]) => {
    for (const frame of decoder.push(Buffer.concat(frames.map(shimBytes)))) runner.receive(frame);
  };
  return { runner, said, answer };
}

const started = (id: number, pid = 100 + id): ShimFrame => ({ type: 'started', id, pid, path: `/opt/cni/bin/p${id}` });
const failed = (id: number, errno: number): ShimFrame => ({
  type: 'failed',
  id,
  errno,
  syscall: 'execve',
  detail: 'p',
});
const exited = (id: number, stdout = ''): ShimFrame => ({
  type: 'exited',
  id,
  exitCode: 0,
  signal: 0,
  timedOut: false,
  killed: false,
  stdoutOverflow: false,
  stderrTruncated: false,
  stdout: Buffer.from(stdout),
  stderr: Buffer.from('e'),
});

/** The error with which a promise ends. */
async function errorOf(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => assert.unreachable('must reject') as never,
    (error: Error) => error,
  );
}

test('a plugin that cannot be started is told by errno name: "not found" and "being replaced" are treated apart', async () => {
  for (const [errno, code] of [
    [2, 'ENOENT'],
    [13, 'EACCES'],
    [26, 'ETXTBSY'],
    [8, 'ENOEXEC'],
  ] as const) {
    const { runner, answer } = connect();
    const start = runner.start('p', {});
    answer(failed(1, errno));
    const error = await errorOf(start);
    assert.instance(error, DelegateStartError);
    assert.equal([(error as DelegateStartError).code, error.message], [code, `execve: ${code}, p`]);
  }
});

test('an errno that is none still ends the start: otherwise the request would wait for ever', async () => {
  for (const errno of [0, 5000, 0xffffffff]) {
    const { runner, answer } = connect();
    const start = runner.start('p', {});
    answer(failed(1, errno));
    assert.instance(await errorOf(start), DelegateStartError);
  }
});

test('frames in a wrong order still end what waits', async () => {
  const early = connect();
  const start = early.runner.start('p', {});
  early.answer(exited(1));
  assert.is(((await errorOf(start)) as DelegateStartError).code, 'EPROTO');

  const late = connect();
  const running = late.runner.start('p', {});
  late.answer(started(1), failed(1, 5));
  assert.instance(await errorOf((await running).ended), DelegateStartError);
});

test('a shim that is gone ends everything under way, and everything later, with DelegateLostError', async () => {
  const { runner, answer, said } = connect();
  const one = runner.start('p', {});
  answer(started(1));
  const delegate = await one;
  const two = runner.start('p', {});
  assert.ok(runner.alive);
  runner.lost('the shim is gone');
  runner.lost('a second reason does not count');
  assert.not(runner.alive);
  for (const promise of [delegate.ended, two, runner.start('p', {})]) {
    const error = await errorOf(promise);
    assert.instance(error, DelegateLostError);
    assert.is(error.message, 'the shim is gone');
  }
  const before = said.length;
  delegate.feed(Buffer.from('x'), 1);
  delegate.kill();
  assert.is(said.length, before, 'nothing is written to a connection that is closed');
});

test('a lost shim is no unhandled rejection while nobody has asked for the end yet', async () => {
  const { runner, answer } = connect();
  const start = runner.start('p', {});
  answer(started(1));
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', onUnhandled);
  const delegate = await start;
  runner.lost('gone');
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', onUnhandled);
  assert.equal(unhandled, []);
  assert.instance(await errorOf(delegate.ended), DelegateLostError);
});

test('frames of a number that nobody started, or that has ended, change nothing', async () => {
  const { runner, answer } = connect();
  const start = runner.start('p', {});
  answer(started(9), exited(9, 'of another'), failed(9, 2), started(1), exited(1, 'own'), exited(1, 'late'));
  assert.is((await (await start).ended).stdout.toString(), 'own');
});

test('asks for a plugin with its environment, unset variables named without "="', async () => {
  const { runner, answer, said } = connect();
  const start = runner.start('macvlan', { CNI_COMMAND: 'ADD', CNI_ARGS: undefined, EMPTY: '' });
  assert.equal(said, [
    {
      type: 'start',
      id: 1,
      ahead: false,
      plugin: 'macvlan',
      env: ['CNI_COMMAND=ADD', 'CNI_ARGS', 'EMPTY='],
      maxStdout: MAX_STDOUT,
      maxStderr: MAX_STDERR,
    },
  ]);
  answer(started(1, 4711));
  const { pid, path } = await start;
  assert.equal([pid, path], [4711, '/opt/cni/bin/p1']);
});

test('says which plugins start ahead of their turn: a script must not', () => {
  const { runner, said } = connect();
  void runner.start('p', {}, { ahead: true });
  assert.equal(said[0]?.type === 'start' && said[0].ahead, true);
});

// The shim would be cut off in the middle of another plugin's work, seconds later.
test('nothing is expected of a plugin that has ended before it was fed or killed', async () => {
  const { runner, answer } = connect();
  const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  for (const id of [1, 2]) {
    const start = runner.start('p', {});
    answer(started(id));
    const delegate = await start;
    answer(exited(id));
    const before = timers();
    if (id === 1) delegate.feed(Buffer.from('{}'), 1);
    else delegate.kill();
    assert.is(timers(), before, 'a timer would end the connection');
  }
});

test('feeds and kills by the number of the plugin; a deadline is never rounded to "none"', async () => {
  const { runner, answer, said } = connect();
  const first = runner.start('p', {});
  const second = runner.start('q', {});
  answer(started(2), started(1));
  (await first).feed(Buffer.from('{}'), 0.2);
  (await second).kill();
  assert.equal(said.slice(2), [
    { type: 'feed', id: 1, deadlineMs: 1, stdin: '{}' },
    { type: 'kill', id: 2 },
  ]);
});

test('keeps plugins that run at once apart, in whatever order they end', async () => {
  const { runner, answer } = connect();
  const starts = [runner.start('a', {}), runner.start('b', {}), runner.start('c', {})];
  answer(started(3), started(1), started(2), exited(2, 'b'), exited(3, 'c'), exited(1, 'a'));
  const ends = await Promise.all((await Promise.all(starts)).map(({ ended }) => ended));
  assert.equal(
    ends.map(({ stdout }) => stdout.toString()),
    ['a', 'b', 'c'],
  );
});

test('hands over how a plugin ended', async () => {
  const { runner, answer } = connect();
  const start = runner.start('p', {});
  const end = { exitCode: -1, signal: 9, timedOut: true, killed: true, stdoutOverflow: true, stderrTruncated: true };
  answer(started(1), { ...exited(1, 'out'), ...end } as ShimFrame);
  const exit = await (await start).ended;
  assert.equal({ ...exit }, { ...exited(1, 'out'), ...end });
});

test('knows the process groups that are still running: they are ended with a killed shim', async () => {
  const { runner, answer } = connect();
  const starts = [runner.start('a', {}), runner.start('b', {}), runner.start('c', {})];
  answer(started(1, 11), started(2, 22), exited(1));
  assert.equal(runner.runningGroups(), [22], 'c has no process yet, a has ended');
  runner.lost('gone');
  assert.equal(runner.runningGroups(), []);
  await errorOf(starts[2] as Promise<unknown>);
});

test.run();
