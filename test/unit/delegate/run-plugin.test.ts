import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CniError } from '../../../src/cni/errors.ts';
import { type Invocation, runPlugin } from '../../../src/delegate/run-plugin.ts';
import { DelegateLostError, DelegateStartError } from '../../../src/delegate/runner.ts';
import { FakeRunner, type FakeRunnerOptions, type Outcome, UNTIL_KILLED } from '../../fakes/fake-runner.ts';
import { laterRefusal } from '../cni/refusal.ts';

const INVOCATION: Invocation = {
  command: 'ADD',
  network: 'prod/data',
  plugin: 'macvlan',
  containerId: 'c0ffee',
  netns: '/run/netns/x',
  ifName: 'net1',
  args: 'IgnoreUnknown=1;K8S_POD_NAME=web',
  path: ['/opt/cni/bin', '/usr/lib/cni'],
  trace: { TRACEPARENT: '00-1' },
};

const WHO = 'plugin "macvlan" of network "prod/data"';
const never = new AbortController().signal;

function run(runner: FakeRunner, more: Partial<Invocation> = {}, signal = never): Promise<string> {
  return runPlugin({ ...INVOCATION, ...more }, '{"stdin":1}', { runner, deadlineMs: 1234, signal });
}

/** The error that a plugin's end becomes. */
const ending = (outcome: Outcome) => laterRefusal(() => run(new FakeRunner(() => outcome)));

/** Runs that must fail with an error that is none of CNI's. */
async function errorOf(options: FakeRunnerOptions, signal = never): Promise<Error> {
  return run(new FakeRunner(options), {}, signal).then(
    () => assert.unreachable('must reject') as never,
    (error: Error) => error,
  );
}

test("passes a plugin's own CNI error with its code and details, naming plugin and network", async () => {
  const stdout = Buffer.from('{"cniVersion":"1.0.0","code":11,"msg":"no address left","details":"pool 10.0.0.0/30"}');
  assert.equal(await ending({ exitCode: 1, stdout, stderr: Buffer.from('noise') }), {
    code: 11,
    message: `${WHO}: no address left`,
    details: 'pool 10.0.0.0/30',
  });
  assert.is((await ending({ exitCode: 3, stdout: Buffer.from('{"code":7,"msg":"x"}') })).code, 7);
});

test('a plugin that ends badly without a CNI error: whatever it printed is in the details', async () => {
  const message = `${WHO} exited with code 2 and without a CNI error for ADD`;
  assert.equal(await ending({ exitCode: 2, stderr: Buffer.from('  panic: nil map\n') }), {
    code: 100,
    message,
    details: 'stderr: panic: nil map',
  });
  assert.equal(await ending({ exitCode: 2, stdout: Buffer.from('usage: x\n'), stderr: Buffer.from('bad') }), {
    code: 100,
    message,
    details: 'stdout: usage: x; stderr: bad',
  });
  assert.equal(await ending({ exitCode: 2 }), { code: 100, message, details: 'it printed nothing' });
});

// Multus's weak point 20, of plugins that do as its shim does: errors get into events that everybody may read.
test('a plugin that appends its configuration to what went wrong does not publish it', async () => {
  const stdout = Buffer.from('{"code":7,"msg":"bad: StdinData: {\\"stdin\\":1}","details":"{\\"stdin\\":1}\\n"}');
  assert.equal(await ending({ exitCode: 1, stdout }), {
    code: 7,
    message: `${WHO}: bad: StdinData: (its configuration)`,
    details: '(its configuration)\n',
  });
  const { details } = await ending({ exitCode: 2, stderr: Buffer.from('read {"stdin":1}\n') });
  assert.is(details, 'stderr: read (its configuration)');
});

test('what looks like an error object and is none does not become one', async () => {
  for (const text of [
    '{}',
    '[]',
    '{"code":"7","msg":"x"}',
    '{"code":1.5}',
    '{"code":-1}',
    '{"code":7,"msg":{}}',
    'null',
  ]) {
    const { code, details } = await ending({ exitCode: 1, stdout: Buffer.from(text) });
    assert.equal([code, details], [100, `stdout: ${text}`]);
  }
});

test('keeps the end of a long output, where the reason is', async () => {
  const { details } = await ending({ exitCode: 1, stderr: Buffer.from(`${'x'.repeat(60_000)} the reason`) });
  assert.ok(details.length < 2100 && details.startsWith('stderr: …') && details.endsWith(' the reason'), details);
});

test('names the signal that ended a plugin', async () => {
  const segv = await ending({ exitCode: -1, signal: 11, stderr: Buffer.from('core') });
  assert.equal(segv, { code: 100, message: `${WHO} was ended by SIGSEGV during ADD`, details: 'stderr: core' });
  assert.match((await ending({ exitCode: -1, signal: 63 })).message, 'was ended by signal 63 during ADD');
});

test('a plugin that hangs is told apart from one that fails, with its limit', async () => {
  assert.equal(await ending({ exitCode: -1, signal: 9, timedOut: true, stderr: Buffer.from('waiting for DHCP') }), {
    code: 103,
    message: `${WHO} did not finish ADD within 1234 ms and was killed`,
    details: 'stderr: waiting for DHCP',
  });
  assert.is((await ending({ exitCode: 0, timedOut: true })).code, 103, 'its late success does not count');
});

test('a plugin that prints without end has no result, even when it exits with 0', async () => {
  const { code, message } = await ending({ stdoutOverflow: true, stdout: Buffer.from('{"cniVersion":"1.0.0"}') });
  assert.equal([code, message], [100, `${WHO} printed more than 22 bytes for ADD and was killed`]);
});

test('says that a plugin was not found, and where it was looked for', async () => {
  const onStart = () => new DelegateStartError('ENOENT', 'not found in /opt/cni/bin');
  const error = await laterRefusal(() => run(new FakeRunner({ onStart })));
  assert.equal(error, { code: 101, message: `Cannot start ${WHO}: not found in /opt/cni/bin`, details: '' });
  for (const code of ['EACCES', 'ENOEXEC', 'EAGAIN']) {
    const other = new FakeRunner({ onStart: () => new DelegateStartError(code, code) });
    assert.is((await laterRefusal(() => run(other))).code, 100);
    assert.is(other.runs.length, 1, `${code} is not tried again`);
  }
});

test('a binary that is being replaced is tried again: an upgrade of the plugins fails no pod', async () => {
  let busy = 2;
  const onStart = () => (busy-- > 0 ? new DelegateStartError('ETXTBSY', 'text file busy') : undefined);
  const runner = new FakeRunner({ onStart, onFeed: () => 'result' });
  assert.is(await run(runner), 'result');
  assert.is(runner.runs.length, 3);
});

test('a binary that stays busy is an error in the end', async () => {
  const runner = new FakeRunner({ onStart: () => new DelegateStartError('ETXTBSY', 'execve: ETXTBSY') });
  const { code, message } = await laterRefusal(() => run(runner));
  assert.equal([code, message, runner.runs.length], [100, `Cannot start ${WHO}: execve: ETXTBSY`, 6]);
});

test('a request that is cancelled while a binary is busy ends at once, with the reason for it', async () => {
  const controller = new AbortController();
  const reason = new CniError(106, 'a DEL arrived');
  const onStart = () => {
    controller.abort(reason);
    return new DelegateStartError('ETXTBSY', 'busy');
  };
  assert.is(await errorOf({ onStart }, controller.signal), reason);
});

test('a request that is cancelled ends its plugin, and before it was fed leaves it without work', async () => {
  const fed = new AbortController();
  const working = new FakeRunner(() => {
    fed.abort();
    return UNTIL_KILLED;
  });
  const ended = await laterRefusal(() => run(working, {}, fed.signal));
  assert.equal([ended.code, ended.message], [106, `${WHO} was ended: the operation was cancelled`]);
  assert.is(working.runs[0]?.kills, 1);

  const starting = new AbortController();
  const onStart = () => {
    starting.abort();
    return undefined;
  };
  const waiting = new FakeRunner({ onStart });
  assert.is((await laterRefusal(() => run(waiting, {}, starting.signal))).code, 106);
  assert.equal([waiting.runs[0]?.kills, waiting.runs[0]?.stdin], [1, undefined]);
});

test('a request that was cancelled before starts nothing', async () => {
  const reason = new CniError(103, 'ADD did not finish within 1 ms');
  const runner = new FakeRunner();
  assert.is(await run(runner, {}, AbortSignal.abort(reason)).catch((error) => error), reason);
  assert.is(runner.runs.length, 0);
});

test('a plugin that has ended is not killed by what happens later', async () => {
  const controller = new AbortController();
  const runner = new FakeRunner(() => 'result');
  await run(runner, {}, controller.signal);
  controller.abort();
  assert.is(runner.runs[0]?.kills, 0);
});

test('a shim that is gone is no failure of the plugin: the error stays its own kind', async () => {
  const lost = new DelegateLostError('the shim is gone');
  assert.is(await errorOf({ onFeed: () => lost }), lost);
  assert.is(await errorOf({ onStart: () => lost }), lost);
});

test('gives a plugin the environment of the specification and its stdin, and returns its bytes', async () => {
  const runner = new FakeRunner(() => ({ stdout: Buffer.from(' {"a": 1e400}\n'), stderr: Buffer.from('a warning') }));
  assert.is(await run(runner), ' {"a": 1e400}\n');
  const [one] = runner.runs;
  assert.equal(one, {
    plugin: 'macvlan',
    env: {
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: 'c0ffee',
      CNI_NETNS: '/run/netns/x',
      CNI_IFNAME: 'net1',
      CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=web',
      CNI_PATH: '/opt/cni/bin:/usr/lib/cni',
      CNI_NETNS_OVERRIDE: undefined,
      TRACEPARENT: '00-1',
    },
    stdin: '{"stdin":1}',
    deadlineMs: 1234,
    kills: 0,
  });
});

test('a DEL without namespace sets CNI_NETNS to nothing; commands of the node have none of the container', async () => {
  const runner = new FakeRunner();
  await run(runner, { command: 'DEL', netns: '' });
  assert.is(runner.runs[0]?.env['CNI_NETNS'], '');
  await run(runner, { command: 'GC', containerId: '', netns: '', ifName: '', args: '' });
  const env = runner.runs[1]?.env ?? {};
  for (const name of ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS']) {
    assert.ok(name in env, `${name} of our own environment must be unset, not inherited`);
    assert.is(env[name], undefined);
  }
});

test.run();
