/**
 * The standalone program's start, by turns: the script with a Node, and the single executable made of it with that Node.
 *   node deploy/build-sea.mjs /tmp/programs && node --import tsx test/bench/start.ts /tmp/programs [N]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DIST } from '../lab/lab.ts';

const [folder = '', count = '30'] = process.argv.slice(2);
const state = mkdtempSync(join(tmpdir(), 'multus-start-'));
/** A DEL of a container that nobody knows: configuration, addon, lock and journal, and no plugin. */
const config = {
  cniVersion: '1.0.0',
  name: 'n',
  type: 'multus',
  cniDir: state,
  daemonSocketDir: state,
  delegates: [{ cniVersion: '1.0.0', name: 'd', type: 'none' }],
};
const request = { CNI_COMMAND: 'DEL', CNI_NETNS: '', CNI_IFNAME: 'eth0', CNI_PATH: '/nonexistent' };

const targets: [string, string, string[]][] = [
  ['node + script', process.execPath, [join(DIST, 'multus-standalone')]],
  ['single executable', join(folder, 'multus-standalone'), []],
];
const times = new Map<string, number[]>(targets.map(([name]) => [name, []]));
for (let i = -2; i < Number(count); i++) {
  for (const [name, file, args] of targets) {
    const env = { PATH: process.env['PATH'], ...request, CNI_CONTAINERID: `c${i + 2}` };
    const start = performance.now();
    const { status, stdout } = spawnSync(file, args, { env, input: JSON.stringify(config) });
    if (status !== 0) throw new Error(`${name}: ${stdout}`);
    if (i >= 0) times.get(name)?.push(performance.now() - start);
  }
}
rmSync(state, { recursive: true });

console.log(`n = ${count}, Node ${process.version}`);
console.log('PROGRAM            MEDIAN MS  MIN MS  MIB');
for (const [name, file] of targets) {
  const sorted = (times.get(name) ?? []).sort((a, b) => a - b);
  const [median = 0, least = 0] = [sorted[sorted.length >> 1], sorted[0]];
  const size = statSync(file).size / 2 ** 20;
  console.log(
    `${name.padEnd(18)} ${median.toFixed(1).padStart(9)} ${least.toFixed(1).padStart(7)} ${size.toFixed(0).padStart(4)}`,
  );
}
