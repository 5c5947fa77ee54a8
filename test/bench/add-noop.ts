/**
 * ADD and DEL of one no-op delegate: through shim and daemon, through the standalone program, and the delegate run
 * directly. Interleaved in one run.
 *
 *   npm run build && node --import tsx test/bench/add-noop.ts [n]
 */
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatTable } from '../../src/cli/table.ts';
import { native } from '../../src/node/native.ts';
import { Lab } from '../lab/lab.ts';
import { must } from '../lab/process.ts';
import { summarise } from './statistics.ts';

const NOOP_SOURCE = fileURLToPath(new URL('../fakes/noop.c', import.meta.url));
const WARM_UPS = 5;

/** One execution as a runtime does it, without the cost of Node's fork. @returns milliseconds */
function execute(path: string, env: Record<string, string>, stdin: string): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const { id } = native().startProcess(
      { path, env: Object.entries(env).map(([key, value]) => `${key}=${value}`), maxStdout: 65536, maxStderr: 65536 },
      (exit) => {
        if (exit.exitCode === 0) resolve(performance.now() - started);
        else reject(new Error(`${path} failed: ${exit.stdout}${exit.stderr}`));
      },
    );
    native().feedProcess(id, Buffer.from(stdin), 0);
  });
}

interface Target {
  name: string;
  path: string;
  stdin: string;
  add: number[];
  del: number[];
}

async function measure(lab: Lab, n: number): Promise<Target[]> {
  const noop = { cniVersion: '1.0.0', name: 'noop', type: 'noop' };
  const config = { ...lab.config, delegates: [noop] };
  // A shim of which no daemon listens: it runs the standalone program.
  const alone = { ...config, daemonSocketDir: join(lab.directory, 'nobody') };
  const target = (name: string, path: string, stdin: unknown): Target => {
    return { name, path, stdin: JSON.stringify(stdin), add: [], del: [] };
  };
  const targets = [
    target('raw', join(lab.binDir, 'noop'), noop),
    target('shim + daemon', lab.shim, config),
    target('standalone', lab.shim, alone),
  ];
  for (let i = -WARM_UPS; i < n; i++) {
    for (const { path, stdin, add, del } of targets) {
      const env = {
        PATH: process.env['PATH'] ?? '',
        CNI_CONTAINERID: 'bench',
        CNI_NETNS: lab.netns('pod1'),
        CNI_IFNAME: 'eth0',
        CNI_PATH: lab.binDir,
      };
      // One after the other, the targets in turn: what slows the machine slows them all.
      const added = await execute(path, { ...env, CNI_COMMAND: 'ADD' }, stdin);
      const deleted = await execute(path, { ...env, CNI_COMMAND: 'DEL' }, stdin);
      if (i < 0) continue;
      add.push(added);
      del.push(deleted);
    }
  }
  return targets;
}

function report(targets: readonly Target[], n: number): void {
  process.stdout.write(`n = ${n}, Node ${process.version}, Linux ${release()}, ${cpus().length} CPUs\n`);
  const raw = targets[0] as Target;
  const rows = (['add', 'del'] as const).flatMap((command) =>
    targets.map((one) => {
      const { median, p99, min } = summarise(one[command]);
      const over = median - summarise(raw[command]).median;
      return [command.toUpperCase(), one.name, ...[median, p99, min, over].map((ms) => ms.toFixed(2))];
    }),
  );
  process.stdout.write(formatTable(['COMMAND', 'TARGET', 'MEDIAN MS', 'P99 MS', 'MIN MS', 'OVER RAW MS'], rows));
}

const n = Number(process.argv[2] ?? 50);
const lab = await Lab.create();
try {
  await must('cc', '-O2', '-static', '-o', join(lab.binDir, 'noop'), NOOP_SOURCE);
  await lab.addNetns('pod1');
  await lab.startDaemon('--log-level', 'info');
  report(await measure(lab, n), n);
} finally {
  await lab.close();
}
