/**
 * What the daemon keeps in memory: by definitions of the cluster and pods of the node, behind a burst of 250 parallel ADDs,
 * and behind 1,000 ADDs and DELs; all of it inside a memory cgroup. Delegates do nothing.
 *
 *   npm run build && node --import tsx test/bench/memory.ts [--definitions 0,1000,10000] [--json] [--daemon 'COMMAND']
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatTable } from '../../src/cli/table.ts';
import { readSnapshot } from '../../src/cluster/snapshot/definitions-snapshot.ts';
import { makeAuthority } from '../e2e/lab/certificates.ts';
import { freePort, ServerProcess } from '../e2e/lab/server-process.ts';
import { DIST, Lab } from '../lab/lab.ts';
import { must, run, until } from '../lab/process.ts';
import { makeCgroup } from './cgroup.ts';

const NOOP_SOURCE = fileURLToPath(new URL('../fakes/noop.c', import.meta.url));
const API_SERVER = fileURLToPath(new URL('api-stand-in.ts', import.meta.url));
const CGROUP_MIB = 96;
const BURST = 250;
const CHURN = 1000;
/** Of the churn: as a node that replaces pods one after the other. */
const AT_A_TIME = 8;
/** Garbage collectors and allocators give back in their own time. */
const STILL_MS = 3000;
const STILL_KB = 256;

const { values: options } = parseArgs({
  options: {
    definitions: { type: 'string', default: '0,1000,10000' },
    daemon: { type: 'string', default: `${process.execPath} ${join(DIST, 'multusd.cjs')}` },
    json: { type: 'boolean', default: false },
  },
});

/** In kB. */
interface Footprint {
  rss: number;
  pss: number;
  /** What nobody else has: not the pages of programs and libraries that their files have, too. */
  anonymous: number;
}

interface Row extends Footprint {
  definitions: number;
  when: string;
  /** The largest since it started, in kB. */
  peakRss: number;
  cgroupPeak: number;
}

function footprint(pid: number): Footprint {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
  return { rss: kilobytes('Rss'), pss: kilobytes('Pss'), anonymous: kilobytes('Anonymous') };
}

/** In kB; the kernel's own counters, which cost nothing to read. */
function statusOf(pid: number, name: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** As soon as it stands still. */
async function settled(pid: number): Promise<Footprint> {
  let last = 0;
  let since = 0;
  const isStill = (): boolean => {
    const now = statusOf(pid, 'VmRSS');
    if (Math.abs(now - last) > STILL_KB) [last, since] = [now, performance.now()];
    return performance.now() - since > STILL_MS;
  };
  await until('its memory stands still', isStill, 60_000);
  return footprint(pid);
}

/** Runs the shim as a runtime does. */
class Runtime {
  readonly lab: Lab;
  readonly config: string;

  constructor(lab: Lab) {
    this.lab = lab;
    const { manifestsDir: _, ...config } = lab.config;
    this.config = JSON.stringify({ ...config, delegates: [{ cniVersion: '1.0.0', name: 'noop', type: 'noop' }] });
  }

  async cni(command: 'ADD' | 'DEL', i: number): Promise<void> {
    const env = {
      PATH: process.env['PATH'],
      CNI_COMMAND: command,
      MULTUS_SHIM_TIMEOUT_MS: '60000', // parallel on a machine of two processors
      CNI_CONTAINERID: `c${i}`,
      CNI_NETNS: this.lab.netns('pod'),
      CNI_IFNAME: 'eth0',
      CNI_ARGS: this.lab.podArgs(`pod${i % 500}`),
      CNI_PATH: this.lab.binDir,
    };
    const { code, stdout, stderr, ms } = await run(this.lab.shim, [], { env, input: this.config });
    if (code !== 0) throw new Error(`${command} of c${i} failed after ${Math.round(ms)} ms: ${stdout}${stderr}`);
  }

  /** Parallel. */
  async all(command: 'ADD' | 'DEL', count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, i) => this.cni(command, i)));
  }

  async churn(count: number): Promise<void> {
    let next = 0;
    const work = async (): Promise<void> => {
      for (let i = next++; i < count; i = next++) {
        await this.cni('ADD', i);
        await this.cni('DEL', i);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
  }
}

function writeKubeconfig(lab: Lab, server: string, authority: string): string {
  const path = join(lab.directory, 'kubeconfig');
  const config = {
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority': authority } }],
    users: [{ name: 'u', user: { token: 'secret' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

async function measure(definitions: number): Promise<Row[]> {
  const rows: Row[] = [];
  const lab = await Lab.create();
  const cgroup = makeCgroup(lab.id, CGROUP_MIB * 2 ** 20);
  const servers: ServerProcess[] = [];
  try {
    await must('cc', '-O2', '-static', '-o', join(lab.binDir, 'noop'), NOOP_SOURCE);
    await lab.addNetns('pod');
    const authority = await makeAuthority(join(lab.directory, 'certificates'));
    const { certFile, keyFile } = await authority.server('api');
    const port = await freePort();
    const api = ['--import', 'tsx', API_SERVER, String(port), certFile, keyFile, String(definitions)];
    servers.push(new ServerProcess(process.execPath, api, join(lab.directory, 'api.log')));
    const ask = (path: string) =>
      run('curl', ['-sf', '--cacert', authority.caFile, '-X', 'POST', `https://127.0.0.1:${port}${path}`]);
    await until('the API server answers', async () => (await ask('/pods/0')).code === 0);
    const kubeconfig = writeKubeconfig(lab, `https://127.0.0.1:${port}`, authority.caFile);
    const daemonLog = join(lab.directory, 'multusd.log');
    const folders = ['--socket-dir', lab.socketDir, '--cni-dir', lab.stateDir];
    const args = [...folders, '--kubeconfig', kubeconfig, '--node-name', 'node1'];
    const inCgroup = ['-c', 'echo 0 > "$0" && exec "$@"', cgroup.procs];
    const daemon = new ServerProcess('sh', [...inCgroup, ...options.daemon.split(/ +/), ...args], daemonLog);
    servers.push(daemon);
    const note = async (when: string): Promise<void> => {
      rows.push({
        definitions,
        when,
        ...(await settled(daemon.pid)),
        peakRss: statusOf(daemon.pid, 'VmHWM'),
        cgroupPeak: cgroup.peak() / 1024,
      });
    };
    await daemon.ready(async () => {
      const snapshot = readSnapshot(lab.stateDir);
      return snapshot.outcome === 'found' && snapshot.definitions.size === definitions;
    });
    const runtime = new Runtime(lab);
    for (const pods of [0, 250, 500]) {
      await ask(`/pods/${pods}`);
      await note(`${pods} pods`);
    }
    await runtime.all('ADD', BURST);
    await note(`${BURST} ADDs at once`);
    await runtime.all('DEL', BURST);
    await runtime.churn(CHURN);
    await note(`${CHURN} ADDs and DELs`);
  } finally {
    for (const server of servers) await server.end();
    cgroup.remove();
    await lab.close();
  }
  return rows;
}

const rows: Row[] = [];
for (const definitions of options.definitions.split(',')) rows.push(...(await measure(Number(definitions))));
if (options.json) {
  process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
} else {
  const mib = (kilobytes: number): string => (kilobytes / 1024).toFixed(1);
  process.stdout.write(`Node ${process.version}; MiB; cgroup of ${CGROUP_MIB} MiB\n`);
  process.stdout.write(
    formatTable(
      ['DEFINITIONS', 'AFTER', 'RSS', 'PSS', 'ANONYMOUS', 'PEAK RSS', 'CGROUP PEAK'],
      rows.map(({ definitions, when, rss, pss, anonymous, peakRss, cgroupPeak }) => {
        return [String(definitions), when, ...[rss, pss, anonymous, peakRss, cgroupPeak].map(mib)];
      }),
    ),
  );
}
