/** Network namespaces for kernel tests: made with `ip netns add`, removed when the test process ends, however it ends. */
import { execFileSync } from 'node:child_process';
import { closeSync } from 'node:fs';
import { native } from '../../src/node/native.ts';

export const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('SKIPPED: needs root to make network namespaces');

const living = new Set<ScratchNetns>();
process.on('exit', () => {
  for (const netns of [...living]) netns.remove();
});

let made = 0;

/** A namespace of its own, with a netlink socket of the addon inside. */
export class ScratchNetns {
  /** The run's number lets the runner find what it left. */
  readonly name = `mn${process.env['MULTUS_TEST_RUN'] ?? ''}-test-${process.pid}-${++made}`;
  readonly path = `/run/netns/${this.name}`;
  readonly socket: number;

  constructor() {
    const addon = native(); // First: without it there is nothing to test, and nothing to remove.
    execFileSync('ip', ['netns', 'add', this.name]);
    living.add(this);
    const { fd } = addon.openNetns(this.path);
    this.socket = addon.openSocket(fd);
    closeSync(fd); // The socket does not need it, and every test proves that.
  }

  /** `ip -n <this namespace> ...`, its standard output. */
  ip(command: string): string {
    // Not what a sanitizer of ours preloads: it finds a fault of iproute2's own.
    const { LD_PRELOAD: _, ...env } = process.env;
    return execFileSync('ip', ['-n', this.name, ...command.split(' ')], { encoding: 'utf8', stdio: 'pipe', env });
  }

  /** The same with -j, parsed: what iproute2 says, as the second opinion. */
  // biome-ignore lint/suspicious/noExplicitAny: iproute2's JSON has no types.
  ipJson(command: string): any[] {
    return JSON.parse(this.ip(`-d -j ${command}`) || '[]');
  }

  /** A veth pair, both ends here and up; the index of the first. */
  addVeth(name: string, peer: string): number {
    this.ip(`link add ${name} type veth peer name ${peer}`);
    this.ip(`link set ${name} up`);
    this.ip(`link set ${peer} up`);
    return this.indexOf(name);
  }

  indexOf(name: string): number {
    return this.ipJson(`link show dev ${name}`)[0].ifindex;
  }

  remove(): void {
    if (!living.delete(this)) return;
    execFileSync('ip', ['netns', 'del', this.name]);
    if (this.socket !== undefined) closeSync(this.socket); // Unset when the constructor failed half-way.
  }
}

/** What a call of the addon failed with, in Node's shape. */
export interface NativeFailure extends Error {
  errno: number;
  code: string;
  syscall: string;
  ifname?: string;
  path?: string;
  detail?: string;
}

/** The error that `call` throws or rejects with; fails the test when it does neither. */
export async function failureOf(call: () => unknown): Promise<NativeFailure> {
  try {
    await call();
  } catch (error) {
    return error as NativeFailure;
  }
  throw new Error('it succeeded, an error was expected');
}
