/** The built shim (build/Release/multus) against a fake daemon, a fake standalone program and fake plugins. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Conversation, ShimDaemon } from '../fakes/shim-daemon.ts';

const built = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'build', 'Release', 'multus');

/** A stand-in for the standalone program: says that it ran, with what. */
const STANDALONE = 'printf \'{"standalone":"%s","stdin":"%s"}\' "$MULTUS_OPERATION" "$(base64 -w0)"';

interface Ended {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** A node of its own: the installed shim, plugin directories, and what runs on it. */
class Node {
  readonly dir = mkdtempSync(join(tmpdir(), 'shim-test-'));
  readonly shim = join(this.dir, 'multus');
  readonly binDir = join(this.dir, 'bin');
  private readonly daemons: ShimDaemon[] = [];
  /** Pids of delegates; none may be left when the test ends. */
  readonly delegates: number[] = [];

  constructor() {
    mkdirSync(this.binDir);
    copyFileSync(built, this.shim);
  }

  script(path: string, body: string, mode = 0o755): string {
    const absolute = join(this.dir, path);
    writeFileSync(absolute, `#!/bin/sh\n${body}\n`);
    chmodSync(absolute, mode);
    return absolute;
  }

  config(more: Record<string, unknown> = {}): string {
    return JSON.stringify({ cniVersion: '0.4.0', daemonSocketDir: this.dir, binDir: this.binDir, ...more });
  }

  async daemon(converse: (conversation: Conversation) => Promise<void> | void): Promise<ShimDaemon> {
    const daemon = await ShimDaemon.listen(this.dir, converse);
    this.daemons.push(daemon);
    return daemon;
  }

  /** Frames right away: the conversation begins after the upgrade. */
  execDaemon(converse: (conversation: Conversation) => Promise<void> | void): Promise<ShimDaemon> {
    return this.daemon((conversation) => {
      conversation.upgrade();
      return converse(conversation);
    });
  }

  launch(env: Record<string, string> = {}, args: string[] = []): ChildProcess {
    return spawn(this.shim, args, { env: { PATH: '/usr/bin:/bin', CNI_COMMAND: 'ADD', ...env } });
  }

  async run(stdin: string | Buffer, env: Record<string, string> = {}): Promise<Ended> {
    const child = this.launch(env);
    child.stdin?.on('error', () => {});
    child.stdin?.end(stdin);
    return this.ended(child);
  }

  /** Waits for the end of a shim, and throws what its conversation threw. */
  async ended(child: ChildProcess): Promise<Ended> {
    const end = await ended(child);
    for (const daemon of this.daemons) await daemon.settled();
    return end;
  }

  async started(conversation: Conversation): Promise<number> {
    const { pid } = await conversation.next('started');
    this.delegates.push(pid);
    return pid;
  }

  /** uvu calls it again after a test whose end it failed. */
  async close(): Promise<void> {
    if (!existsSync(this.dir)) return;
    await Promise.all(this.daemons.map((daemon) => daemon.close()));
    rmSync(this.dir, { recursive: true });
    for (const pid of this.delegates) await until(() => !isRunning(pid), `the end of delegate ${pid}`);
  }
}

async function ended(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (data) => {
    stdout += data;
  });
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, stdout, stderr };
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

const test = suite<{ node: Node }>('shim');
test.before.each((context) => {
  context.node = new Node();
});
test.after.each((context) => context.node.close());

/** The end of a run that went to the standalone program of STANDALONE. */
function assertStandalone(end: Ended, config: string, operation?: string): void {
  assert.is(end.code, 0, end.stdout + end.stderr);
  const seen = JSON.parse(end.stdout) as { standalone: string; stdin: string };
  assert.is(Buffer.from(seen.stdin, 'base64').toString(), config);
  assert.match(seen.standalone, /^[0-9a-f]{32}$/);
  if (operation !== undefined) assert.is(seen.standalone, operation);
}

// --- For people --------------------------------------------------------------------------------------------------

// Runtimes and people call a CNI plugin without CNI_COMMAND to see what it is; stdout is for results only.
test('without CNI_COMMAND it says what it is', async ({ node }) => {
  const end = await node.run('', { CNI_COMMAND: '' });
  assert.is(end.code, 0);
  assert.is(end.stdout, '');
  assert.match(end.stderr, /^multus 0\.1\.0 .*0\.1\.0, 0\.2\.0, 0\.3\.0, 0\.3\.1, 0\.4\.0, 1\.0\.0, 1\.1\.0\n$/);
});

test('with arguments it is the command line beside it', async ({ node }) => {
  node.script('multus-cli', 'echo "$@"; exit 4');
  const end = await node.ended(node.launch({ CNI_COMMAND: '' }, ['ps', '--output', 'json']));
  assert.is(end.stdout, 'ps --output json\n');
  assert.is(end.code, 4);
  node.script('multus-cli', 'true', 0o644);
  const broken = await node.ended(node.launch({ CNI_COMMAND: '' }, ['ps']));
  assert.is(broken.code, 1);
  assert.match(broken.stderr, /multus-cli: Permission denied/);
});

// --- The request -------------------------------------------------------------------------------------------------

// The daemon sees all that the CNI protocol says, and none of the runtime's secrets.
test('the request carries the configuration and the CNI environment only', async ({ node }) => {
  const seen: Conversation['request'][] = [];
  await node.execDaemon((conversation) => {
    seen.push(conversation.request);
    conversation.answer('{}');
  });
  const config = node.config({ name: 'Zürich "quoted"' });
  const env = {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'abc',
    CNI_ARGS: 'K8S_POD_NAME=a;X=\u0001"\\ü',
    TRACEPARENT: '00-1-2-03',
    TRACESTATE: 'a=b',
    BAGGAGE: 'k=v',
  };
  await node.run(config, { ...env, AWS_SECRET: 'x', NOT_CNI_X: 'y' });
  await node.run(config, env);
  const [first, second] = seen;
  assert.ok(first !== undefined && second !== undefined);
  assert.is(first.startLine, 'POST /cni HTTP/1.1');
  assert.equal(first.env, env);
  assert.is(first.config.toString(), config);
  const { 'content-length': _, 'x-multus-operation': operation = '', ...fixed } = first.headers;
  const pidNamespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0];
  assert.equal(fixed, {
    host: 'multus',
    'content-type': 'application/json',
    connection: 'Upgrade',
    upgrade: 'multus-exec/1',
    expect: '100-continue',
    'x-multus-shim': '0.1.0',
    'x-multus-pidns': pidNamespace,
  });
  assert.match(operation, /^[0-9a-f]{32}$/);
  assert.is.not(operation, second.headers['x-multus-operation']);
});

// A broken configuration is the daemon's to explain.
test('a configuration of any length and bytes arrives as it is', async ({ node }) => {
  const seen: Buffer[] = [];
  await node.execDaemon((conversation) => {
    seen.push(conversation.request.config);
    conversation.answer('{}');
  });
  const configs = ['', 'x', 'xx', 'xxx', '\0\xff{'].map((tail) =>
    Buffer.concat([Buffer.from(node.config()), Buffer.from(' '.repeat(tail.length), 'latin1')]),
  );
  for (const config of configs) await node.run(config);
  assert.equal(seen, configs);
});

test('a configuration of 16 MiB passes, one byte more is refused with code 6', async ({ node }) => {
  let length = 0;
  await node.execDaemon((conversation) => {
    length = conversation.request.config.length;
    conversation.answer('{}');
  });
  const limit = 16 * 1024 * 1024;
  const config = Buffer.from(node.config().padEnd(limit));
  assert.is((await node.run(config)).stdout, '{}');
  assert.is(length, limit);
  const over = await node.run(Buffer.concat([config, Buffer.from(' ')]));
  assert.is(over.code, 1);
  assert.is((JSON.parse(over.stdout) as { code: number }).code, 6);
});

// --- Executing for the daemon ------------------------------------------------------------------------------------

// The way of every ADD: delegates run where the runtime would run them, with the environment that the daemon decided.
test('plugins run as children of the shim, with the environment that the daemon decided', async ({ node }) => {
  node.script('bin/bridge', 'cat; env | grep -e ^CNI_ -e ^MULTUS_ -e ^KEPT | sort; echo note >&2; exit 3');
  await node.execDaemon(async (conversation) => {
    conversation.start(5, 'bridge', ['CNI_COMMAND=DEL', 'CNI_IFNAME=net1', 'KEPT_NOT', 'CNI_NEW=a=b']);
    const started = await conversation.next('started');
    assert.is(started.id, 5);
    assert.is(started.path, join(node.binDir, 'bridge'));
    assert.match(readFileSync(`/proc/${started.pid}/status`, 'utf8'), new RegExp(`^PPid:\t${shim.pid}$`, 'm'));
    conversation.feed(5, 'the stdin\n');
    const exited = await conversation.next('exited');
    assert.is(exited.id, 5);
    assert.is(exited.exitCode, 3);
    assert.is(exited.signal, 0);
    // What was said to the shim is not for the plugin: another plugin's CNI_ARGS, for one.
    assert.is(exited.stdout.toString(), 'the stdin\nCNI_COMMAND=DEL\nCNI_IFNAME=net1\nCNI_NEW=a=b\nKEPT=1\n');
    assert.is(exited.stderr.toString(), 'note\n');
    conversation.answer('{"code":7}', 1);
  });
  const shim = node.launch({ CNI_ARGS: 'x', MULTUS_X: 'x', CNI_IFNAME: 'eth0', KEPT: '1', KEPT_NOT: '1' });
  shim.stdin?.end(node.config());
  const end = await node.ended(shim);
  assert.is(end.stdout, '{"code":7}');
  assert.is(end.code, 1);
});

// Design decision 6: the next plugin starts while the current one works.
test('several plugins run at once and wait for their stdin', async ({ node }) => {
  node.script('bin/p', 'cat');
  await node.execDaemon(async (conversation) => {
    for (const id of [1, 2, 3]) conversation.start(id, 'p');
    for (const _ of [1, 2, 3]) await node.started(conversation);
    conversation.feed(2, 'two');
    assert.is((await conversation.next('exited')).id, 2);
    conversation.feed(1, 'one'.repeat(500_000));
    const first = await conversation.next('exited');
    assert.is(first.id, 1);
    assert.is(first.stdoutOverflow, true);
    conversation.send({ type: 'kill', id: 3 });
    const third = await conversation.next('exited');
    assert.is(third.killed, true);
    conversation.answer('done');
  });
  assert.is((await node.run(node.config())).stdout, 'done');
});

// A script does what it does before it reads, or without ever reading: also when its turn never comes.
test('only an ELF file is started ahead of its turn', async ({ node }) => {
  const trace = join(node.dir, 'trace');
  node.script('bin/script', `echo ran >> ${trace}; cat`);
  copyFileSync('/bin/cat', join(node.binDir, 'elf'));
  await node.execDaemon(async (conversation) => {
    conversation.start(1, 'script', [], true);
    const failed = await conversation.next('failed');
    assert.equal([failed.id, failed.errno, failed.syscall], [1, constants.errno.ENOEXEC, 'start ahead']);
    assert.is(failed.detail, `${join(node.binDir, 'script')} is no ELF file`);
    conversation.start(2, 'elf', [], true);
    await node.started(conversation);
    conversation.feed(2, 'its turn');
    assert.is((await conversation.next('exited')).stdout.toString(), 'its turn');
    conversation.answer('done');
  });
  assert.is((await node.run(node.config())).stdout, 'done');
  assert.is(existsSync(trace), false);
});

test('the deadline of a plugin is kept', async ({ node }) => {
  node.script('bin/hang', 'exec sleep 60');
  await node.execDaemon(async (conversation) => {
    conversation.start(1, 'hang');
    await node.started(conversation);
    conversation.feed(1, '', 50);
    const exited = await conversation.next('exited');
    assert.is(exited.timedOut, true);
    assert.is(exited.signal, 15);
    conversation.answer('late');
  });
  assert.is((await node.run(node.config())).stdout, 'late');
});

// The directories of the node decide what may run, not whoever speaks on the socket.
test('a plugin that is no bare name is refused', async ({ node }) => {
  node.script('evil', 'echo ran');
  await node.execDaemon(async (conversation) => {
    for (const plugin of ['../evil', '/bin/sh', 'sub/evil', './bridge', '.', '..', '', 'a\0b']) {
      conversation.start(1, plugin);
      const failed = await conversation.next('failed');
      assert.is(failed.errno, 22, plugin);
      assert.is(failed.syscall, 'find');
    }
    conversation.answer('ok');
  });
  assert.is((await node.run(node.config())).stdout, 'ok');
});

// A plugin of the daemon's own binDir would be found without the daemon only (src/attach/overlay-file.ts).
test('binDir of the daemon, for its whole node, counts before that of the configuration', async ({ node }) => {
  const nodeBin = join(node.dir, 'node-bin');
  mkdirSync(nodeBin);
  node.script('bin/tool', 'exit 0');
  node.script('node-bin/tool', 'exit 0');
  await node.execDaemon(async (conversation) => {
    conversation.start(1, 'tool');
    const { path, pid } = await conversation.next('started');
    node.delegates.push(pid);
    conversation.answer(dirname(path));
  });
  const foundBy = async (overlay: string): Promise<string> => {
    writeFileSync(join(node.dir, 'overlay.json'), overlay);
    return (await node.run(node.config())).stdout;
  };
  assert.is(await foundBy(JSON.stringify({ BINDIR: nodeBin })), nodeBin);
  for (const none of ['{}', '{"binDir": 5}', `{"binDir": "${nodeBin}"`, '']) {
    assert.is(await foundBy(none), node.binDir, none);
  }
});

test('a plugin is sought in binDir, then in CNI_PATH, and only executable files count', async ({ node }) => {
  for (const dir of ['path1', 'path2', 'bin/directory']) mkdirSync(join(node.dir, dir));
  node.script('bin/both', 'echo bin');
  node.script('path1/both', 'echo path1');
  node.script('bin/shadow', 'echo bin', 0o644);
  node.script('path2/shadow', 'echo path2');
  node.script('bin/forbidden', 'echo bin', 0o644);
  await node.execDaemon(async (conversation) => {
    const pathOf = async (plugin: string) => {
      conversation.start(1, plugin);
      const { path, pid } = await conversation.next('started');
      node.delegates.push(pid);
      await conversation.next('exited');
      return path;
    };
    assert.is(await pathOf('both'), join(node.dir, 'bin/both'));
    assert.is(await pathOf('shadow'), join(node.dir, 'path2/shadow'));

    conversation.start(1, 'absent');
    const absent = await conversation.next('failed');
    assert.is(absent.errno, 2);
    assert.is(absent.syscall, 'find');
    for (const dir of ['bin', 'path1', 'path2']) assert.ok(absent.detail.includes(join(node.dir, dir)), absent.detail);

    conversation.start(1, 'directory');
    assert.is((await conversation.next('failed')).errno, 2);
    conversation.start(1, 'forbidden');
    const forbidden = await conversation.next('failed');
    assert.is(forbidden.errno, 13);
    assert.ok(forbidden.detail.includes(join(node.dir, 'bin/forbidden')));
    conversation.answer('ok');
  });
  const path = `${join(node.dir, 'path1')}::${join(node.dir, 'path2')}`;
  assert.is((await node.run(node.config(), { CNI_PATH: path })).stdout, 'ok');
});

test('what execve says goes to the daemon', async ({ node }) => {
  const busy = join(node.binDir, 'busy');
  copyFileSync('/bin/cat', busy);
  const writer = openSync(busy, 'r+');
  writeFileSync(join(node.binDir, 'garbage'), 'no program', { mode: 0o755 });
  await node.execDaemon(async (conversation) => {
    for (const [plugin, errno] of [
      ['busy', 26],
      ['garbage', 8],
    ] as const) {
      conversation.start(1, plugin);
      const failed = await conversation.next('failed');
      assert.is(failed.errno, errno);
      assert.is(failed.syscall, 'execve');
      assert.is(failed.detail, join(node.binDir, plugin));
    }
    closeSync(writer);
    conversation.start(1, 'busy');
    await node.started(conversation);
    conversation.answer('ok');
  });
  assert.is((await node.run(node.config())).stdout, 'ok');
});

// The answer ends the operation: a delegate that outlived it would act on a pod that is believed finished.
test('an answer kills what still runs before the shim ends', async ({ node }) => {
  node.script('bin/stubborn', "trap '' TERM; while :; do sleep 1; done");
  await node.execDaemon(async (conversation) => {
    conversation.start(1, 'stubborn');
    await node.started(conversation);
    conversation.answer('early');
  });
  const end = await node.run(node.config());
  assert.is(end.stdout, 'early');
  assert.ok(node.delegates.length === 1 && node.delegates.every((pid) => !isRunning(pid)));
});

test('a long answer arrives whole though the runtime reads late', async ({ node }) => {
  const long = 'x'.repeat(3_000_000);
  await node.execDaemon((conversation) => conversation.answer(long));
  const shim = node.launch();
  shim.stdin?.end(node.config());
  shim.stdout?.pause();
  await new Promise((resolve) => setTimeout(resolve, 50)); // The pipe is full by then, or the test proves less.
  shim.stdout?.resume();
  assert.is((await node.ended(shim)).stdout.length, long.length);
});

test('a runtime that does not read gets the exit code all the same', async ({ node }) => {
  await node.execDaemon(async (conversation) => {
    shim.stdout?.destroy();
    await once(shim.stdout as NonNullable<typeof shim.stdout>, 'close');
    conversation.answer('x'.repeat(1_000_000), 1);
  });
  const shim = node.launch();
  shim.stdin?.end(node.config());
  const [code] = await once(shim, 'exit');
  assert.is(code, 1);
});

// --- Daemons that do not upgrade ---------------------------------------------------------------------------------

// A node that moves from Multus to us, or back, has for a while the one's shim and the other's daemon.
// Multus's daemon answers in 1.1.0, which the libcni of containerd 1.6 does not take.
test('a result of a foreign daemon is printed as it is, in the version that was asked for', async ({ node }) => {
  const result = '{"cniVersion":"1.1.0", "ips":[{"address":"10.0.0.1/24"}]}';
  const body = `{"Result":${result}}`;
  const replies = [
    `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n${body.slice(0, 5)}\r\n${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\n`,
    `HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${body}`,
  ];
  await node.daemon((conversation) => conversation.end(replies.shift()));
  while (replies.length > 0) {
    const end = await node.run(node.config());
    assert.is(end.stdout, result.replace('1.1.0', '0.4.0'));
    assert.is(end.code, 0);
  }
  for (const { version, printed } of [
    { version: '1.0.0', printed: result.replace('1.1.0', '1.0.0') },
    { version: '0.2.0', printed: result }, // has no such form
  ]) {
    replies.push(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    assert.is((await node.run(node.config({ cniVersion: version }))).stdout, printed);
  }
});

test('a foreign daemon that has nothing to say is a success', async ({ node }) => {
  const bodies = ['', '{"Result":null}'];
  await node.daemon((conversation) => {
    const body = bodies.shift() ?? '';
    conversation.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  while (bodies.length > 0) {
    const end = await node.run(node.config(), { CNI_COMMAND: 'DEL' });
    assert.is(end.stdout, '');
    assert.is(end.code, 0);
  }
});

test('an error of a foreign daemon becomes a CNI error', async ({ node }) => {
  const cniError = '{"cniVersion":"1.0.0","code":7,"msg":"bad","details":"d"}';
  const bodies = [cniError, 'pod "a" not found\n', ''];
  await node.daemon((conversation) => {
    const body = bodies.shift() ?? '';
    conversation.write(`HTTP/1.1 400 Bad Request\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  const passed = await node.run(node.config());
  assert.is(passed.stdout, cniError);
  assert.is(passed.code, 1);
  const text = await node.run(node.config());
  assert.equal(JSON.parse(text.stdout), { cniVersion: '0.4.0', code: 999, msg: 'pod "a" not found' });
  assert.is(text.code, 1);
  const silent = await node.run('{"daemonSocketDir":'.concat(JSON.stringify(node.dir), '}'));
  const error = JSON.parse(silent.stdout) as { cniVersion: string; code: number; msg: string };
  assert.is(error.cniVersion, '1.0.0');
  assert.is(error.code, 999);
  assert.match(error.msg, /400/);
});

// Such a daemon runs the delegates before it replies: running them a second time beside it would break the pod.
test('a daemon that said 100 Continue has all the time it needs', async ({ node }) => {
  node.script('multus-standalone', STANDALONE);
  await node.daemon(async (conversation) => {
    conversation.write('HTTP/1.1 100 Continue\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 600)); // Longer than the timeout below.
    conversation.write('HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"Result":{}} ');
  });
  assert.is((await node.run(node.config(), { MULTUS_SHIM_TIMEOUT_MS: '100' })).stdout, '{}');
});

// --- No daemon, or none any more ---------------------------------------------------------------------------------

// Without this a node whose daemon is being upgraded starts no pods.
test('without a daemon the standalone program gets the same request', async ({ node }) => {
  node.script('multus-standalone', `${STANDALONE}; env >&2; exit 0`);
  const config = node.config();
  const end = await node.run(config, { CNI_CONTAINERID: 'abc', OTHER: 'kept' });
  assertStandalone(end, config);
  for (const line of ['CNI_COMMAND=ADD', 'CNI_CONTAINERID=abc', 'OTHER=kept']) {
    assert.ok(end.stderr.split('\n').includes(line), line);
  }
});

test('the standalone program gets a clean process and its exit code is ours', async ({ node }) => {
  node.script('multus-standalone', 'grep -E "^Sig(Blk|Ign)" /proc/self/status; ls -l /proc/$$/fd; exit 5');
  await node.execDaemon((conversation) => conversation.end());
  const end = await node.run(node.config());
  assert.match(end.stdout, /^SigBlk:\t0{16}\nSigIgn:\t0{16}\n/);
  // Neither the daemon's connection, nor epoll, timer or signal descriptors.
  assert.not.match(end.stdout, /[3-9] -> (socket|anon_inode)/);
  assert.is(end.code, 5);
});

test('a daemon that dies in mid-operation: its delegates are killed, the operation goes on alone', async ({ node }) => {
  node.script('bin/busy', "trap '' TERM; while :; do sleep 1; done");
  node.script('multus-standalone', STANDALONE);
  let operation = '';
  const daemon = await node.execDaemon(async (conversation) => {
    operation = conversation.request.headers['x-multus-operation'] ?? '';
    conversation.start(1, 'busy');
    conversation.start(2, 'busy');
    await node.started(conversation);
    await node.started(conversation);
    void daemon.close();
  });
  const config = node.config();
  const end = await node.run(config);
  assertStandalone(end, config, operation);
  assert.ok(node.delegates.length === 2 && node.delegates.every((pid) => !isRunning(pid)));
});

test('a daemon that breaks off or talks nonsense is lost', async ({ node }) => {
  node.script('multus-standalone', STANDALONE);
  const answer = Buffer.from('0600000004000000000000000000000061', 'hex'); // 6 bytes announced, 5 there.
  const ways: ((conversation: Conversation) => void)[] = [
    (c) => c.end(),
    (c) => c.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort'),
    (c) => c.write('220 smtp ready\r\n\r\n'),
    (c) => c.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'),
    (c) => {
      c.upgrade();
      c.write(Buffer.alloc(64, 0xff));
    },
    (c) => {
      c.upgrade();
      c.end(answer);
    },
  ];
  await node.daemon((conversation) => ways.shift()?.(conversation));
  const config = node.config();
  while (ways.length > 0) assertStandalone(await node.run(config), config);
});

// A daemon that is stopped, or swapped out, keeps its socket open.
test('a daemon that does not reply, or falls silent, is lost', async ({ node }) => {
  node.script('multus-standalone', STANDALONE);
  node.script('bin/busy', 'exec sleep 60');
  const ways: ((conversation: Conversation) => void | Promise<void>)[] = [
    () => {},
    (c) => c.upgrade(),
    async (c) => {
      c.upgrade();
      c.start(1, 'busy');
      await node.started(c);
    },
  ];
  await node.daemon((conversation) => ways.shift()?.(conversation));
  const config = node.config();
  while (ways.length > 0) {
    assertStandalone(await node.run(config, { MULTUS_SHIM_TIMEOUT_MS: '150' }), config);
  }
  assert.ok(node.delegates.length === 1 && node.delegates.every((pid) => !isRunning(pid)));
});

test('a daemon whose backlog is full is lost', async ({ node }) => {
  node.script('multus-standalone', STANDALONE);
  const socket = join(node.dir, 'multus.sock');
  const listener = spawn(process.execPath, [
    '-e',
    `require('node:net').createServer().listen({ path: ${JSON.stringify(socket)}, backlog: 1 }, () => console.log('up'))`,
  ]);
  await once(listener.stdout, 'data');
  listener.kill('SIGSTOP');
  await until(() => /^\d+ \(.*\) T/s.test(readFileSync(`/proc/${listener.pid}/stat`, 'utf8')), 'the stop');
  const waiting = Array.from({ length: 4 }, () => connect(socket).on('error', () => {}));
  const config = node.config();
  const end = await node.run(config, { MULTUS_SHIM_TIMEOUT_MS: '150' });
  for (const connection of waiting) connection.destroy();
  listener.kill('SIGKILL');
  assertStandalone(end, config);
});

// A long ADD is not a dead daemon.
test('ALIVE frames keep a long operation going', async ({ node }) => {
  node.script('multus-standalone', STANDALONE);
  await node.execDaemon(async (conversation) => {
    for (let i = 0; i < 12; i++) {
      conversation.send({ type: 'alive' });
      await new Promise((resolve) => setTimeout(resolve, 50)); // The interval is what is tested.
    }
    conversation.answer('patience');
  });
  assert.is((await node.run(node.config(), { MULTUS_SHIM_TIMEOUT_MS: '400' })).stdout, 'patience');
});

// The message is all that the operator sees in the pod's events.
test('with neither daemon nor standalone program the error says what is missing and what to do', async ({ node }) => {
  const check = async (why: RegExp) => {
    const end = await node.run(node.config());
    assert.is(end.code, 1);
    const error = JSON.parse(end.stdout) as { cniVersion: string; code: number; msg: string; details: string };
    assert.is(error.cniVersion, '0.4.0');
    assert.is(error.code, 11);
    assert.ok(error.msg.includes(join(node.dir, 'multus.sock')), error.msg);
    assert.ok(error.msg.includes(join(node.dir, 'multus-standalone')), error.msg);
    assert.match(error.msg, why);
    assert.match(error.details, /multusd/);
  };
  await check(/No such file or directory.*No such file or directory/);
  node.script('multus-standalone', 'true', 0o644);
  await check(/No such file or directory.*Permission denied/);
  const server = createServer().listen(join(node.dir, 'multus.sock'));
  await once(server, 'listening');
  server.close();
  writeFileSync(join(node.dir, 'multus.sock'), '');
  await check(/Connection refused/);
});

// The runtime would show nothing but exit code 127: env says on stderr what is missing.
test('a standalone program without Node in PATH is an error that says so, to the runtime and to people', async ({
  node,
}) => {
  const script = '#!/usr/bin/env node\nconsole.log("ran");\n';
  for (const name of ['multus-standalone', 'multus-cli']) writeFileSync(join(node.dir, name), script, { mode: 0o755 });
  const PATH = `${node.binDir}::/nowhere`;
  const missing = `cannot start: no "node" in PATH (${PATH}); install Node 20 or the single executable`;
  const end = await node.run(node.config(), { PATH });
  assert.is(end.code, 1);
  const error = JSON.parse(end.stdout) as { cniVersion: string; code: number; msg: string; details: string };
  assert.equal([error.cniVersion, error.code, error.msg], ['0.4.0', 5, `multus-standalone ${missing}`]);
  assert.ok(error.details.includes(join(node.dir, 'multus.sock')), error.details);
  const people = await ended(node.launch({ PATH, CNI_COMMAND: '' }, ['ps']));
  assert.equal([people.code, people.stderr], [1, `multus: multus-cli ${missing}\n`]);
  const withNode = await node.run(node.config(), { PATH: `${node.binDir}:${dirname(process.execPath)}` });
  assert.equal([withNode.code, withNode.stdout], [0, 'ran\n']);
});

test('a socket path that cannot be is no crash', async ({ node }) => {
  for (const daemonSocketDir of [`/${'x'.repeat(200)}`, '/a\0b']) {
    const end = await node.run(node.config({ daemonSocketDir }));
    assert.is((JSON.parse(end.stdout) as { code: number }).code, 11);
  }
  const standard = await node.run('not JSON');
  assert.match(standard.stdout, /"cniVersion":"1\.0\.0".*\/run\/multus\/multus\.sock/);
});

test('closed standard descriptors are no crash', async ({ node }) => {
  node.script('multus-standalone', 'ls /proc/$$/fd > out; cat >> out');
  const child = spawn('/bin/sh', ['-c', `exec ${node.shim} 0<&- 1>&- 2>&-`], {
    cwd: node.dir,
    env: { CNI_COMMAND: 'DEL', PATH: '/usr/bin:/bin' },
  });
  assert.is((await ended(child)).code, 0);
  assert.ok(existsSync(join(node.dir, 'out')));
});

// --- Ends that others decide -------------------------------------------------------------------------------------

// The runtime gave up: nothing of the operation may go on, and the daemon must learn of it at once.
test('TERM, INT and HUP end the operation with all its delegates', async ({ node }) => {
  node.script('bin/stubborn', "trap '' TERM INT HUP; while :; do sleep 1; done");
  node.script('multus-standalone', STANDALONE);
  let closed = 0;
  let shim: ChildProcess;
  let signal: NodeJS.Signals = 'SIGTERM';
  await node.execDaemon(async (conversation) => {
    conversation.start(1, 'stubborn');
    await node.started(conversation);
    shim.kill(signal);
    await conversation.closed;
    closed++;
  });
  for (const [name, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const) {
    signal = name;
    shim = node.launch();
    shim.stdin?.end(node.config());
    const end = await node.ended(shim);
    assert.is(end.code, code);
    assert.is(end.stdout, '');
    assert.ok(node.delegates.every((pid) => !isRunning(pid)));
  }
  await until(() => closed === 3, 'three closed connections');
});

// Even a runtime that kills the shim outright leaves no delegate at work.
test('KILL takes the delegates along', async ({ node }) => {
  node.script('bin/stubborn', "trap '' TERM; exec sleep 60");
  await node.execDaemon(async (conversation) => {
    conversation.start(1, 'stubborn');
    await node.started(conversation);
    shim.kill('SIGKILL');
    await conversation.closed;
  });
  const shim = node.launch();
  shim.stdin?.end(node.config());
  assert.is((await node.ended(shim)).signal, 'SIGKILL');
  for (const pid of node.delegates) await until(() => !isRunning(pid), 'the end of the delegate');
});

test.run();
