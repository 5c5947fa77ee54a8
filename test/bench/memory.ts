/**
 * What the daemon keeps in memory: by definitions of the cluster and pods of the node, behind a burst of 250 parallel ADDs,
 * and behind 1,000 ADDs and DELs; all of it inside a memory cgroup. Delegates do nothing.
 *
 *   npm run build && node --import tsx test/bench/memory.ts [--definitions 0,1000,10000] [--json] [--daemon 'COMMAND']
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatTable } from '../../src/cli/table.ts';
import { readSnapshot } from '../../src/cluster/snapshot/definitions-snapshot.ts';
import { ServerProcess } from '../e2e/lab/server-process.ts';
import { DIST, Lab } from '../lab/lab.ts';
import { must, run } from '../lab/process.ts';
import type { BenchApi } from './api/bench-api.ts';
import { realisticDefinition } from './api/realistic-definition.ts';
import { startStandIn } from './api/stand-in.ts';
import { type Footprint, rssOf, settledFootprint } from './footprint.ts';
import { DaemonGroup } from './targets/daemon-group.ts';

const NOOP_SOURCE = fileURLToPath(new URL('../fakes/noop.c', import.meta.url));
const CGROUP_MIB = 96;
const BURST = 250;
const CHURN = 1000;
/** Of the churn: as a node that replaces pods one after the other. */
const AT_A_TIME = 8;
const NODE = 'node1';
const PODS = 500;

const { values: options } = parseArgs({
  options: {
    definitions: { type: 'string', default: '0,1000,10000' },
    daemon: { type: 'string', default: `${process.execPath} ${join(DIST, 'multusd.cjs')}` },
    json: { type: 'boolean', default: false },
  },
});

interface Row extends Footprint {
  definitions: number;
  when: string;
  /** The largest since it started, in KiB. */
  peakRss: number;
  cgroupPeak: number;
}

/** Runs the shim as a runtime does. */
class Runtime {
  readonly lab: Lab;
  readonly config: string;
  /** UIDs of the pods, as the API server has them. */
  private readonly uids: readonly string[];

  constructor(lab: Lab, uids: readonly string[]) {
    this.lab = lab;
    this.uids = uids;
    const { manifestsDir: _, ...config } = lab.config;
    this.config = JSON.stringify({ ...config, delegates: [{ cniVersion: '1.0.0', name: 'noop', type: 'noop' }] });
  }

  async cni(command: 'ADD' | 'DEL', i: number): Promise<void> {
    const pod = i % PODS;
    const args = { K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: `pod${pod}`, K8S_POD_UID: this.uids[pod] ?? '' };
    const env = {
      PATH: process.env['PATH'],
      CNI_COMMAND: command,
      MULTUS_SHIM_TIMEOUT_MS: '60000', // parallel on a machine of two processors
      CNI_CONTAINERID: `c${i}`,
      CNI_NETNS: this.lab.netns('pod'),
      CNI_IFNAME: 'eth0',
      CNI_ARGS: ['IgnoreUnknown=1', ...Object.entries(args).map((pair) => pair.join('='))].join(';'),
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

/** Every pod asks for two of the definitions. @returns its UID */
async function createPod(api: BenchApi, i: number, definitions: number): Promise<string> {
  const networks = definitions === 0 ? [] : [`lan${i % definitions}`, `lan${(i + 1) % definitions}`];
  const annotations = { 'k8s.v1.cni.cncf.io/networks': networks.join() };
  return (await api.createPod({ name: `pod${i}`, nodeName: NODE, annotations })).uid;
}

async function measure(definitions: number): Promise<Row[]> {
  const rows: Row[] = [];
  const lab = await Lab.create();
  const group = new DaemonGroup(lab.id, { cpu: '', memory: `${CGROUP_MIB}Mi` });
  const closes = [() => group.remove(), () => lab.close()];
  try {
    await must('cc', '-O2', '-static', '-o', join(lab.binDir, 'noop'), NOOP_SOURCE);
    await lab.addNetns('pod');
    const api = await startStandIn();
    closes.unshift(() => api.close());
    await api.apply(...Array.from({ length: definitions }, (_, i) => realisticDefinition(i)));
    const daemonLog = join(lab.directory, 'multusd.log');
    const folders = ['--socket-dir', lab.socketDir, '--cni-dir', lab.stateDir];
    const args = [...folders, '--kubeconfig', api.adminKubeconfig, '--node-name', NODE];
    const [enter = '', ...words] = [...group.wrapper, ...options.daemon.split(/ +/), ...args];
    const daemon = new ServerProcess(enter, words, daemonLog);
    closes.unshift(() => daemon.end());
    const note = async (when: string): Promise<void> => {
      rows.push({
        definitions,
        when,
        ...(await settledFootprint(daemon.pid)),
        peakRss: rssOf(daemon.pid, 'VmHWM'),
        cgroupPeak: group.peakBytes / 1024,
      });
    };
    await daemon.ready(async () => {
      const snapshot = readSnapshot(lab.stateDir);
      return snapshot.outcome === 'found' && snapshot.definitions.size === definitions;
    });
    const uids: string[] = [];
    for (const pods of [0, PODS / 2, PODS]) {
      while (uids.length < pods) uids.push(await createPod(api, uids.length, definitions));
      await note(`${pods} pods`);
    }
    const runtime = new Runtime(lab, uids);
    await runtime.all('ADD', BURST);
    await note(`${BURST} ADDs at once`);
    await runtime.all('DEL', BURST);
    await runtime.churn(CHURN);
    await note(`${CHURN} ADDs and DELs`);
  } finally {
    for (const close of closes) await close();
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
