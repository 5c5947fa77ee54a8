/**
 * A machine made of namespaces: network, processes, `/run` and `/var/lib/cni` of its own, so that any number of them run
 * on the standard paths side by side. Everything else of the file system is the one outside. It ends with this process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Finished, type RunOptions, run, until } from '../../lab/process.ts';

/** Its first process: says under which id it is known outside, reaps orphans, and ends when its stdin does. */
const INIT = `
read outside rest </proc/self/stat
set -e
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock /var/lib/cni
mount -t tmpfs -o mode=755 tmpfs /var/lib/cni
ip link set lo up
echo $outside
cat
exit
`;

const CGROUPS = '/sys/fs/cgroup';

export interface Started {
  /** Id outside of the machine. */
  pid: number;
  /** Resolves when it has ended. */
  ended: Promise<void>;
  isRunning(): boolean;
  /** End it and wait for that. SIGSTOP and SIGCONT return at once. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** The one child of an nsenter that changed the namespace of processes. */
function childOf(pid: number): number | undefined {
  try {
    const child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return child === '' ? undefined : Number(child);
  } catch {
    return undefined; // it ended
  }
}

function readlinkOr(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // it ended
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it ended
  }
}

export class Machine {
  /** Names what it has outside: cgroups, folder. The run's number lets the runner find what a test left. */
  readonly id = `mn${process.env['MULTUS_TEST_RUN'] ?? ''}-${randomBytes(3).toString('hex')}`;
  /** Scratch space that has the same path inside. */
  readonly folder: string;
  private readonly init: ChildProcess;
  private pid = 0;

  private constructor() {
    this.folder = mkdtempSync(join(tmpdir(), `multus-e2e-${this.id}-`));
    const flags = ['--mount', '--net', '--pid', '--ipc', '--fork', '--kill-child'];
    this.init = spawn('unshare', [...flags, 'sh', '-c', INIT], { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  /** @throws Error when the kernel does not let us, or programs are missing; the reason is on stderr */
  static async start(): Promise<Machine> {
    const machine = new Machine();
    const stdout = machine.init.stdout;
    if (stdout === null) throw new Error('unshare has no stdout');
    const ended = once(machine.init, 'exit');
    const [line] = await Promise.race([once(createInterface(stdout), 'line'), ended]);
    machine.pid = Number(line);
    if (!(machine.pid > 1)) throw new Error('Cannot make the namespaces of a machine: unshare failed');
    return machine;
  }

  /** A path inside, as it is reached from outside. */
  path(inside: string): string {
    return join(`/proc/${this.pid}/root`, inside.replace(/^\/var\/run\//, '/run/')); // a link would lead outside
  }

  /** The machine's own network namespace, for `nsenter --net=`. */
  get netns(): string {
    return `/proc/${this.pid}/ns/net`;
  }

  /** Words of nsenter(1) that run a program inside. */
  words(file: string, args: readonly string[]): string[] {
    return ['-t', String(this.pid), '--mount', '--net', '--pid', '--ipc', '--', file, ...args];
  }

  /** Run a program inside, to its end. */
  run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return run('nsenter', this.words(file, args), options);
  }

  /** Run a program in a network namespace of the machine, with the file system outside. */
  inNetns(netns: string, file: string, ...args: string[]): Promise<Finished> {
    return run('nsenter', [`--net=${netns}`, file, ...args]);
  }

  /** Start a program inside, its output goes to the end of file `log`. */
  async spawn(file: string, args: readonly string[], log: string, env = process.env): Promise<Started> {
    const output = openSync(log, 'a');
    const child = spawn('nsenter', this.words(file, args), { stdio: ['ignore', output, output], env });
    closeSync(output);
    let isRunning = true;
    const ended = once(child, 'exit').then(() => {
      isRunning = false;
    });
    let pid: number | undefined;
    await until(`${file} is started`, () => {
      pid = child.pid && childOf(child.pid);
      return pid !== undefined || !isRunning;
    });
    if (pid === undefined) throw new Error(`${file} ended at once: ${readFileSync(log, 'utf8')}`);
    const started = pid;
    return {
      pid: started,
      ended,
      isRunning: () => isRunning,
      async kill(signal = 'SIGTERM') {
        if (!isRunning) return;
        process.kill(started, signal);
        if (signal === 'SIGSTOP') return;
        child.kill('SIGCONT'); // nsenter stops with its child, and continues it
        if (signal !== 'SIGCONT') await ended;
      },
    };
  }

  /** Id outside and command line of each process inside. */
  processes(): string[] {
    const namespace = readlinkOr(`/proc/${this.pid}/ns/pid`);
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids
      .filter((pid) => namespace !== '' && readlinkOr(`/proc/${pid}/ns/pid`) === namespace)
      .map((pid) => `${pid} ${readOr(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`);
  }

  /** Mounts inside, as proc(5) has them in mountinfo. */
  mounts(): string[] {
    return readFileSync(`/proc/${this.pid}/mountinfo`, 'utf8').trimEnd().split('\n');
  }

  /** Cgroups that are named for the machine, in all hierarchies, the deepest first. */
  cgroups(): string[] {
    const roots = [CGROUPS, ...readdirSync(CGROUPS).map((name) => join(CGROUPS, name))].map((root) =>
      join(root, this.id),
    );
    const below = (path: string): string[] => {
      const folders = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
      return [...folders.flatMap(({ name }) => below(join(path, name))), path];
    };
    return roots.filter((root) => existsSync(root)).flatMap(below);
  }

  /** End all processes inside; what they mounted and made goes with the namespaces. */
  async close(): Promise<void> {
    const ended = once(this.init, 'exit');
    if (this.init.exitCode === null && this.init.signalCode === null) {
      this.init.stdin?.end();
      await ended;
    }
    for (const path of this.cgroups()) {
      await until(`cgroup ${path} is removed`, () => {
        try {
          rmdirSync(path);
          return true;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false;
          throw error;
        }
      });
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
