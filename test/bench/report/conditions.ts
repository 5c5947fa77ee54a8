/** Under which conditions a run was made, for those who compare it with another. */
import { spawnSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { referencePlugins } from '../../lab/lab.ts';

export interface Conditions {
  date: string;
  machine: string;
  kernel: string;
  node: string;
  commit: string;
  plugins: string;
  load: string;
  api: string;
  'daemon limits': string;
}

function firstLine(file: string, ...args: string[]): string {
  const { stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', input: '' });
  return `${stdout ?? ''}${stderr ?? ''}`.split('\n')[0] ?? '';
}

export function conditionsOf(api: string, limits: { cpu: string; memory: string }): Conditions {
  const all = cpus();
  const folder = referencePlugins();
  return {
    date: new Date().toISOString(),
    machine: `${all.length} × ${all[0]?.model ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: release(),
    node: process.version,
    commit: firstLine('git', '-C', import.meta.dirname, 'describe', '--always', '--dirty'),
    plugins: `${folder}, ${firstLine(join(folder, 'bridge'))}`,
    load: `${loadavg()[0]?.toFixed(2)} before the run, 1-minute average`,
    api,
    'daemon limits': `${limits.cpu || 'no CPU limit'}, ${limits.memory || 'no memory limit'}`,
  };
}
