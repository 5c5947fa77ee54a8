/** Child processes through the addon: what runs delegates without a shim. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type NativeExit, type NativeSpawnOptions, native } from '../../src/node/native.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const addon = join(root, 'build', 'Release', 'multus_native.node');
const dir = mkdtempSync(join(tmpdir(), 'process-test-'));
test.after(() => rmSync(dir, { recursive: true }));

function options(path: string, overrides: Partial<NativeSpawnOptions> = {}): NativeSpawnOptions {
  return { path, env: ['PATH=/usr/bin:/bin'], maxStdout: 1 << 22, maxStderr: 1 << 16, ...overrides };
}

function script(name: string, body: string): string {
  const path = join(dir, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Start, feed and wait. */
function run(spawnOptions: NativeSpawnOptions, stdin = '', deadlineMs = 0): Promise<NativeExit> {
  return new Promise((resolve) => {
    const { id } = native().startProcess(spawnOptions, resolve);
    native().feedProcess(id, Buffer.from(stdin), deadlineMs);
  });
}

/** A Node program that loads the addon as `native`; resolves with its exit code and what it printed. */
async function program(source: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['-e', `const native = require(${JSON.stringify(addon)});\n${source}`]);
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    output += data;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what} did not come true within 10 s`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

const ignored = () => {};

// A wrong call must say so instead of starting half a process.
test('startProcess() throws a TypeError for arguments of the wrong shape', () => {
  const start = native().startProcess as (...args: unknown[]) => unknown;
  const good = options('/bin/true');
  for (const args of [
    [],
    [good],
    ['/bin/true', ignored],
    [{ ...good, env: { A: '1' } }, ignored],
    [{ ...good, env: ['A=1\0B=2'] }, ignored],
    [{ ...good, env: [1] }, ignored],
    [{ ...good, path: '/bin/true\0' }, ignored],
    [{ ...good, maxStdout: -1 }, ignored],
    [{ ...good, maxStderr: '1' }, ignored],
  ]) {
    assert.throws(
      () => start(...args),
      (error: unknown) => error instanceof TypeError,
    );
  }
});

// The operator reads these when a plugin is missing or half-installed.
test('startProcess() throws what execve says, in the shape of Node', () => {
  const busy = join(dir, 'busy');
  execFileSync('cp', ['/bin/cat', busy]);
  const writer = openSync(busy, 'r+');
  const plain = join(dir, 'plain');
  writeFileSync(plain, 'x');
  const garbage = join(dir, 'garbage');
  writeFileSync(garbage, 'no program', { mode: 0o755 });
  for (const [path, code] of [
    [join(dir, 'absent'), 'ENOENT'],
    [plain, 'EACCES'],
    [busy, 'ETXTBSY'],
    [garbage, 'ENOEXEC'],
  ] as const) {
    try {
      native().startProcess(options(path), ignored);
      assert.unreachable(`${path} started`);
    } catch (caught) {
      const error = caught as NodeJS.ErrnoException;
      assert.is(error.code, code);
      assert.is(error.syscall, 'execve');
      assert.is(error.path, path);
      assert.ok(error.errno !== undefined && error.errno < 0);
    }
  }
  closeSync(writer);
});

test('onExit gets output, code and pid of the child', async () => {
  const exited = new Promise<{ pid: number; exit: NativeExit }>((resolve) => {
    const started = native().startProcess(options(script('echo', 'cat; echo $$ >&2; exit 3')), (exit) =>
      resolve({ pid: started.pid, exit }),
    );
    native().feedProcess(started.id, Buffer.from('{"cniVersion":"1.0.0"}'), 0);
  });
  const { pid, exit } = await exited;
  assert.equal(exit, {
    exitCode: 3,
    signal: 0,
    timedOut: false,
    killed: false,
    stdoutOverflow: false,
    stderrTruncated: false,
    stdout: Buffer.from('{"cniVersion":"1.0.0"}'),
    stderr: Buffer.from(`${pid}\n`),
  });
});

// A delegate that hangs, or that is superseded, must not keep its pod waiting.
test('a deadline and killProcess() end a child and say which it was', async () => {
  const late = await run(options(script('late', 'exec sleep 60')), '', 50);
  assert.is(late.timedOut, true);
  assert.is(late.killed, false);
  assert.is(late.signal, 15);

  const killed = await new Promise<NativeExit>((resolve) => {
    const { id } = native().startProcess(options(script('endless', 'exec sleep 60')), resolve);
    native().killProcess(id);
  });
  assert.is(killed.killed, true);
  assert.is(killed.timedOut, false);
  assert.is(killed.exitCode, -1);
});

test('limits of stdout and stderr hold', async () => {
  const over = await run(options('/bin/cat', { maxStdout: 5 }), '123456');
  assert.is(over.stdoutOverflow, true);
  assert.is(over.stdout.toString(), '12345');
  const chatty = await run(options(script('chatty', 'echo 123456 >&2'), { maxStderr: 5 }));
  assert.is(chatty.stderrTruncated, true);
  assert.is(chatty.stderr.toString(), '12345');
  assert.is(chatty.exitCode, 0);
});

// Requests race with ends: neither call may fail for that.
test('feedProcess() and killProcess() of an ended child have no effect; a second feed throws', async () => {
  let id = 0;
  await new Promise<NativeExit>((resolve) => {
    id = native().startProcess(options('/bin/true'), resolve).id;
  });
  native().feedProcess(id, Buffer.from('x'), 0);
  native().killProcess(id);

  await new Promise<NativeExit>((resolve) => {
    const started = native().startProcess(options('/bin/cat'), resolve);
    native().feedProcess(started.id, Buffer.alloc(0), 0);
    try {
      native().feedProcess(started.id, Buffer.alloc(0), 0);
      assert.unreachable('fed twice');
    } catch (error) {
      assert.is((error as NodeJS.ErrnoException).code, 'EALREADY');
    }
  });
});

// The daemon serves other pods meanwhile: what a delegate takes is not the loop's time.
test('the event loop runs while children do', async () => {
  let ticks = 0;
  const timer = setInterval(() => {
    ticks++;
  }, 5);
  await run(options(script('slow', 'sleep 0.5')));
  clearInterval(timer);
  assert.ok(ticks > 25, `only ${ticks} ticks in half a second`);
});

// Fork would copy page tables: with the heap of a daemon, 10 ms for every delegate of every pod.
test('starting a child does not depend on the size of the heap', async () => {
  const best = async () => {
    const times: number[] = [];
    for (let i = 0; i < 41; i++) {
      const started = performance.now();
      await new Promise<NativeExit>((resolve) => {
        native().startProcess(options('/bin/true'), resolve);
        times.push(performance.now() - started);
      });
    }
    return Math.min(...times); // What others do on the machine only adds to it.
  };
  const small = await best();
  const heap = Buffer.alloc(600_000_000, 1);
  const large = await best();
  assert.ok(heap.length > 0 && large < small + 3, `${small} ms with a small heap, ${large} ms with 600 MB`);
});

// A node that starts 50 pods at once.
test('50 children at once do not mix up their results', async () => {
  const exits = await Promise.all(
    Array.from({ length: 50 }, (_, i) => run(options('/bin/cat'), `${i}:${'x'.repeat(100_000)}`)),
  );
  exits.forEach((exit, i) => {
    assert.is(exit.exitCode, 0);
    assert.is(exit.stdout.length, `${i}:`.length + 100_000);
    assert.ok(exit.stdout.toString('latin1', 0, 3).startsWith(`${i}:`));
  });
});

// Without it promises resolved in onExit would wait for an unrelated event, and traces would lose their request.
test('onExit runs microtasks at once and keeps the async context', async () => {
  const storage = new AsyncLocalStorage<string>();
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    storage.run('request-1', () => {
      native().startProcess(options('/bin/true'), () => {
        order.push(`exit in ${storage.getStore()}`);
        setImmediate(() => {
          order.push('immediate');
          resolve();
        });
        process.nextTick(() => order.push('tick'));
        void Promise.resolve().then(() => order.push('microtask'));
      });
    });
  });
  assert.equal(order, ['exit in request-1', 'tick', 'microtask', 'immediate']);
});

// A bug in a callback must be seen, and must not take the other callbacks of the same turn with it.
test('what onExit throws is an uncaught exception', async () => {
  const { code, output } = await program(`
    process.on('uncaughtException', (error) => console.log('caught', error.message));
    const options = { path: '/bin/true', env: [], maxStdout: 1, maxStderr: 1 };
    native.startProcess(options, () => { throw new Error('boom'); });
    native.startProcess(options, () => console.log('second'));
    const until = Date.now() + 200; while (Date.now() < until);`);
  assert.is(code, 0);
  assert.ok(output.includes('caught boom') && output.includes('second'), output);
});

// The CLI must end when its work has, and not before.
test('children keep the program running, an idle addon does not', async () => {
  const { code, output } = await program(`
    native.startProcess({ path: '/bin/true', env: [], maxStdout: 1, maxStderr: 1 }, () => console.log('exit seen'));`);
  assert.is(code, 0);
  assert.is(output, 'exit seen\n');
  const failed = await program(`
    try { native.startProcess({ path: '/absent', env: [], maxStdout: 1, maxStderr: 1 }, () => {}); }
    catch (error) { console.log(error.code); }`);
  assert.is(failed.output, 'ENOENT\n');
});

// Reconcilers may run in a worker; terminating it must neither crash the daemon nor leave its delegates at work.
test('a worker has children of its own, which end with it', async () => {
  const endless = script('worker-endless', 'exec sleep 60');
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const native = require(${JSON.stringify(addon)});
     const limits = { env: [], maxStdout: 1000, maxStderr: 1000 };
     const endless = native.startProcess({ path: ${JSON.stringify(endless)}, ...limits }, () => {});
     const cat = native.startProcess({ path: '/bin/cat', ...limits }, (exit) =>
       parentPort.postMessage({ pid: endless.pid, stdout: exit.stdout.toString() }));
     native.feedProcess(cat.id, Buffer.from('from the worker'), 0);`,
    { eval: true },
  );
  const [message] = (await once(worker, 'message')) as [{ pid: number; stdout: string }];
  assert.is(message.stdout, 'from the worker');
  assert.ok(isRunning(message.pid));
  await worker.terminate();
  await until(() => !isRunning(message.pid), 'the end of the worker’s child');
  assert.not.ok(readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').includes(`${message.pid}`));
  assert.is((await run(options('/bin/true'))).exitCode, 0);
});

test('workers that start nothing and workers in number come and go', async () => {
  const source = (body: string) => `const native = require(${JSON.stringify(addon)});${body}`;
  const run10 = (body: string) =>
    Promise.all(
      Array.from({ length: 10 }, async () => {
        const [code] = await once(new Worker(source(body), { eval: true }), 'exit');
        assert.is(code, 0);
      }),
    );
  await run10('');
  await run10(`native.startProcess({ path: '/bin/true', env: [], maxStdout: 1, maxStderr: 1 }, () => {});`);
  await run10(`native.startProcess({ path: '/bin/cat', env: [], maxStdout: 1, maxStderr: 1 }, () => {});
               process.exit(0);`);
});

// A daemon that is killed leaves nothing running: the next one would meet a delegate at work on the same pod.
test('children die with a program that is killed', async () => {
  const endless = script('orphan', 'exec sleep 60');
  const child = spawn(process.execPath, [
    '-e',
    `const native = require(${JSON.stringify(addon)});
     const limits = { env: [], maxStdout: 1, maxStderr: 1 };
     console.log(native.startProcess({ path: ${JSON.stringify(endless)}, ...limits }, () => {}).pid);`,
  ]);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  assert.ok(isRunning(pid));
  child.kill('SIGKILL');
  await until(() => !isRunning(pid), 'the end of the orphan');
});

// Node's own children must stay Node's.
test('child_process works beside it', async () => {
  const codes = await Promise.all(
    Array.from({ length: 10 }, async (_, i) => {
      const child = spawn('/bin/sh', ['-c', `exit ${i}`]);
      const [[code]] = await Promise.all([once(child, 'close'), run(options('/bin/true'))]);
      return code as number;
    }),
  );
  assert.equal(
    codes,
    Array.from({ length: 10 }, (_, i) => i),
  );
});

test.run();
