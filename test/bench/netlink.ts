/**
 * The addon against the `ip` command line: VFs of a PF, links of a network namespace, a rename. Interleaved in one run.
 *
 *   npm run build && node --import tsx test/bench/netlink.ts [n]
 *   npm run lab -- uml --sh 'node --import tsx test/bench/netlink.ts'      (with VFs: these want netdevsim)
 *
 * Both sides end with objects: what ip prints is parsed. It is started by Node's spawn, as whoever shells out has to;
 * the row of `true` says how much of its time is that.
 */
import { execFile } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { promisify } from 'node:util';
import { formatTable } from '../../src/cli/table.ts';
import { native } from '../../src/node/native.ts';
import { ScratchNetns } from '../native/scratch-netns.ts';
import { Netdevsim } from '../vm/lab/netdevsim.ts';
import { summarise } from './statistics.ts';

const WARM_UPS = 3;
const VF_COUNTS = [1, 256, 1024];

const run = promisify(execFile);
const MAX_OUTPUT = { maxBuffer: 64 * 1024 * 1024 };

/** One way to do it; what it found, for the reader to see whether it is the same. */
interface Way {
  name: string;
  once: () => Promise<string>;
}

const ipJson = async (...args: string[]) => JSON.parse((await run('ip', ['-j', ...args], MAX_OUTPUT)).stdout || '[]');

/** The ways in turn, n times: what slows the machine slows them all. @returns rows of the table, the last way is 1 x */
async function compare(what: string, ways: readonly Way[], n: number): Promise<string[][]> {
  const series = ways.map(() => [] as number[]);
  const found = ways.map(() => '');
  for (let i = -WARM_UPS; i < n; i++) {
    for (const [at, way] of ways.entries()) {
      const started = performance.now();
      found[at] = await way.once();
      if (i >= 0) series[at]?.push(performance.now() - started);
    }
  }
  const slowest = summarise(series.at(-1) ?? []).median;
  return ways.map((way, at) => {
    const { median, p99, min } = summarise(series[at] ?? []);
    const ratio = slowest / median;
    const times = [median, p99, min].map((ms) => ms.toFixed(3));
    return [what, way.name, found[at] ?? '', ...times, `${ratio.toFixed(ratio < 10 ? 1 : 0)} x`];
  });
}

/** @param links how many pairs of links the namespace has */
async function compareLinks(links: number, n: number): Promise<string[][]> {
  const netns = new ScratchNetns();
  const host = native().openSocket(-1);
  const { fd } = native().openNetns(netns.path);
  try {
    for (let i = 0; i < links; i++) netns.addVeth(`net${i}`, `peer${i}`);
    const nsid = await native().netnsId(host, fd);
    const enter = async () => {
      const { fd: own } = native().openNetns(netns.path);
      const socket = native().openSocket(own);
      const found = await native().listLinks(socket);
      closeSync(socket);
      closeSync(own);
      return `${found.length} links`;
    };
    return await compare(
      'links of a netns',
      [
        { name: 'addon, from its path', once: enter },
        { name: 'addon, by its number', once: async () => `${(await native().listLinks(host, nsid)).length} links` },
        {
          name: 'true',
          once: async () => {
            await run('true');
            return '';
          },
        },
        { name: 'ip', once: async () => `${(await ipJson('-d', '-n', netns.name, 'link', 'show')).length} links` },
      ],
      n,
    );
  } finally {
    closeSync(fd);
    closeSync(host);
    netns.remove();
  }
}

async function compareRename(n: number): Promise<string[][]> {
  const netns = new ScratchNetns();
  try {
    const index = netns.addVeth('net1', 'peer1');
    let name = 'net1';
    const next = () => (name === 'net1' ? 'net2' : 'net1');
    netns.ip('link set net1 down'); // Kernels up to 6.1 rename only then.
    const byAddon = async () => {
      await native().renameLink(netns.socket, index, next());
      name = next();
      return '';
    };
    const byIp = async () => {
      await run('ip', ['-n', netns.name, 'link', 'set', name, 'name', next()]);
      name = next();
      return '';
    };
    return await compare(
      'rename',
      [
        { name: 'addon', once: byAddon },
        { name: 'ip', once: byIp },
      ],
      n,
    );
  } finally {
    netns.remove();
  }
}

async function compareVfs(count: number, n: number): Promise<string[][]> {
  const pf = new Netdevsim(count);
  const socket = native().openSocket(-1);
  try {
    const { index } = await native().getLink(socket, pf.link);
    return await compare(
      `${count} VF${count === 1 ? '' : 's'}`,
      [
        { name: 'addon', once: async () => `${(await native().getVfs(socket, index)).vfs.length} VFs` },
        {
          name: 'ip',
          once: async () => `${(await ipJson('-d', 'link', 'show', 'dev', pf.link))[0].vfinfo_list.length} VFs`,
        },
      ],
      n,
    );
  } finally {
    closeSync(socket);
    pf.remove();
  }
}

const n = Number(process.argv[2] ?? 50);
const rows = [...(await compareLinks(4, n)), ...(await compareRename(n))];
const hasVfs = existsSync('/sys/bus/netdevsim');
if (hasVfs) for (const count of VF_COUNTS) rows.push(...(await compareVfs(count, n)));

process.stdout.write(`n = ${n}, Node ${process.version}, Linux ${release()}, ${cpus().length} CPUs\n`);
process.stdout.write(formatTable(['WHAT', 'WITH', 'FOUND', 'MEDIAN MS', 'P99 MS', 'MIN MS', 'FASTER'], rows));
if (!hasVfs) process.stdout.write('No VFs: this kernel has no netdevsim; see the head of this file for the guest.\n');
