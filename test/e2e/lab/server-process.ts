/** A server of a lab as a child process: it dies with the test, and tells what it said when it does not start. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** How long a server may take to end by itself before it is killed. */
const GRACE_MS = 3000;

export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<unknown>;

  /** @param log the file that its output is appended to */
  constructor(file: string, args: readonly string[], log: string, env: NodeJS.ProcessEnv = process.env) {
    this.#log = log;
    const output = openSync(log, 'a', 0o600);
    // However the test ends, kill -9 included: setpriv becomes the server, and the kernel ends it with us. A terminal's
    // Ctrl-C is for us only, who still need the server to clean up: hence a session of its own.
    const words = ['--pdeathsig', 'KILL', file, ...args];
    this.#child = spawn('setpriv', words, { env, stdio: ['ignore', output, output], detached: true });
    closeSync(output);
    this.#ended = once(this.#child, 'exit');
    this.#ended.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Wait until `ready` holds. @throws Error with the log's end when the server ended, or after `limitMs` */
  async ready(ready: () => Promise<boolean>, limitMs = 60_000): Promise<void> {
    const limit = performance.now() + limitMs;
    while (!(await ready())) {
      const problem = this.running ? performance.now() > limit && `is not ready after ${limitMs} ms` : 'ended';
      if (problem) throw new Error(`${this.#child.spawnargs[3]} ${problem}:\n${this.#tail()}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) this.#child.kill(name);
  }

  /** SIGSTOP, and wait until its last thread stands still: one on another CPU would still answer what is asked at once. */
  freeze(): void {
    this.signal('SIGSTOP');
    const limit = performance.now() + GRACE_MS;
    while (this.running && !this.#standsStill()) {
      if (performance.now() > limit) throw new Error(`process ${this.pid} does not stop`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }

  #standsStill(): boolean {
    const tasks = `/proc/${this.pid}/task`;
    // "pid (name) state …" (proc(5)); names may have brackets in them.
    return readdirSync(tasks).every((tid) => /\) T [^)]*$/.test(readFileSync(`${tasks}/${tid}/stat`, 'utf8')));
  }

  /** End it; by force if it is stopped, or takes longer than 3 s. */
  async end(): Promise<void> {
    this.signal('SIGTERM');
    this.signal('SIGCONT');
    const timer = setTimeout(() => this.signal('SIGKILL'), GRACE_MS);
    if (this.running) await this.#ended;
    clearTimeout(timer);
  }

  #tail(): string {
    return readFileSync(this.#log, 'utf8').split('\n').slice(-30).join('\n');
  }
}

/** A TCP port of 127.0.0.1 that nobody has, and nobody is given for a connection while its server is down. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000); // below the kernel's ip_local_port_range
    const probe = createServer().listen(port, '127.0.0.1');
    const free = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}
