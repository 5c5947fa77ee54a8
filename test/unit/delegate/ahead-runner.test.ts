/**
 * Plugins started ahead of their turn. A user loses: time, when none is; and worse, a plugin that runs with another
 * network's arguments, or one that stays behind when the operation is over.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AheadRunner, type Execution } from '../../../src/delegate/ahead-runner.ts';
import { DelegateStartError } from '../../../src/delegate/runner.ts';
import { FakeRunner, type FakeRunnerOptions } from '../../fakes/fake-runner.ts';
import { until } from '../../lab/process.ts';

const execution = (plugin: string, ifName = 'eth0'): Execution => ({
  plugin,
  env: { CNI_COMMAND: 'ADD', CNI_IFNAME: ifName, CNI_ARGS: undefined },
});

const [BRIDGE, TUNING, MACVLAN] = [execution('bridge'), execution('tuning'), execution('macvlan', 'net1')];

const fake = (options: FakeRunnerOptions = {}): FakeRunner => new FakeRunner({ ahead: true, ...options });

/** Start and feed. */
async function run(runner: AheadRunner, { plugin, env }: Execution): Promise<void> {
  const delegate = await runner.start(plugin, env);
  delegate.feed(Buffer.from(plugin), 1000);
  await delegate.ended;
}

test('the first plugin starts at once, the next one as soon as the one before it has its stdin', async () => {
  const inner = fake();
  const runner = new AheadRunner(inner, [BRIDGE, TUNING, MACVLAN]);
  assert.equal(inner.calls, ['ADD bridge']);
  const bridge = await runner.start(BRIDGE.plugin, BRIDGE.env);
  assert.equal(inner.calls, ['ADD bridge']);
  bridge.feed(Buffer.from('bridge'), 1000);
  assert.equal(inner.calls, ['ADD bridge', 'ADD tuning']);
  await run(runner, TUNING);
  await run(runner, MACVLAN);
  runner.end();
  await Promise.resolve();
  assert.equal(inner.calls, ['ADD bridge', 'ADD tuning', 'ADD macvlan'], 'none twice');
  assert.equal(
    inner.runs.map(({ stdin, kills }) => [stdin, kills]),
    [
      ['bridge', 0],
      ['tuning', 0],
      ['macvlan', 0],
    ],
  );
});

test('what was started and does not come to its turn is killed, and never fed', async () => {
  const inner = fake();
  const runner = new AheadRunner(inner, [BRIDGE, TUNING, MACVLAN]);
  await run(runner, BRIDGE);
  runner.end();
  runner.end();
  await new Promise(setImmediate);
  assert.equal(inner.calls, ['ADD bridge', 'ADD tuning']);
  assert.equal([inner.runs[1]?.stdin, inner.runs[1]?.kills], [undefined, 1]);
});

// One that gives up without stdin, or that somebody ends, would fail an ADD that it could do.
test('a plugin that ends before its turn is started anew in its turn', async () => {
  const inner = fake();
  const runner = new AheadRunner(inner, [BRIDGE, TUNING]);
  await run(runner, BRIDGE);
  inner.end(inner.runs[1], { signal: 14, exitCode: -1 });
  await new Promise(setImmediate);
  await run(runner, TUNING);
  assert.equal(inner.calls, ['ADD bridge', 'ADD tuning', 'ADD tuning']);
  assert.equal([inner.runs[1]?.stdin, inner.runs[2]?.stdin], [undefined, 'tuning']);
});

// It may hold what other pods' plugins want: Azure's take a lock before they read.
test('a plugin whose turn does not come soon is killed, and started anew in its turn', async () => {
  const inner = fake();
  const runner = new AheadRunner(inner, [BRIDGE]);
  await until('it is given up', () => inner.runs[0]?.kills === 1);
  await run(runner, BRIDGE);
  assert.equal(
    inner.runs.map(({ stdin, kills }) => [stdin, kills]),
    [
      [undefined, 1],
      ['bridge', 0],
    ],
  );
  runner.end();
  await new Promise(setImmediate);
  assert.equal([inner.runs.length, inner.runs[1]?.kills], [2, 0]);
});

test('a plugin with other arguments than foreseen is started anew, and what was foreseen is over', async () => {
  const others: Execution[] = [
    TUNING,
    execution('bridge', 'net1'),
    { plugin: 'bridge', env: { ...BRIDGE.env, CNI_ARGS: 'IgnoreUnknown=1' } },
    { plugin: 'bridge', env: { CNI_COMMAND: 'ADD', CNI_IFNAME: 'eth0', CNI_PATH: undefined } },
    { plugin: 'bridge', env: { ...BRIDGE.env, TRACEPARENT: '00' } },
  ];
  for (const other of others) {
    const inner = fake();
    const runner = new AheadRunner(inner, [BRIDGE, MACVLAN]);
    await run(runner, other);
    await new Promise(setImmediate);
    const [foreseen, started, ...more] = inner.runs;
    assert.equal([foreseen?.stdin, foreseen?.kills], [undefined, 1]);
    assert.equal([started?.plugin, started?.env, started?.stdin], [other.plugin, other.env, other.plugin]);
    assert.equal(more, []);
  }
});

test('a plugin that cannot be started ahead is started in its turn, and the ones behind it ahead again', async () => {
  const inner = fake({
    onStart: ({ plugin }) =>
      plugin === 'bridge' && inner.runs.length === 1 ? new DelegateStartError('ENOEXEC', 'a script') : undefined,
  });
  const runner = new AheadRunner(inner, [BRIDGE, MACVLAN]);
  await run(runner, BRIDGE);
  assert.equal(inner.calls, ['ADD bridge', 'ADD bridge', 'ADD macvlan']);
});

test('a plugin that is missing fails in its turn and not before', async () => {
  const inner = fake({
    onStart: ({ plugin }) => (plugin === 'tuning' ? new DelegateStartError('ENOENT', 'not found') : undefined),
  });
  const runner = new AheadRunner(inner, [BRIDGE, TUNING]);
  await run(runner, BRIDGE);
  try {
    await run(runner, TUNING);
    assert.unreachable();
  } catch (error) {
    assert.is((error as DelegateStartError).code, 'ENOENT');
  }
});

test.run();
