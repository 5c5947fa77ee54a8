/**
 * A real kubelet on a lab's node, of a lab's API server. It believes to have a machine of its own: what it would change
 * of the kernel's settings, and what it keeps below /var/log, is in a mount namespace that goes with it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { until } from '../../lab/process.ts';
import { goTool } from '../../tools/go/build.mjs';
import type { ApiServer } from './api-server.ts';
import type { Started } from './machine.ts';
import type { LabNode } from './node.ts';
import { PAUSE_IMAGE } from './pause-image.ts';

/** What a kubelet wants them to be. It writes those that differ, and they belong to the whole kernel. */
const KERNEL_SETTINGS = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
};

const CGROUPS = '/sys/fs/cgroup';

/** A node's own address: a kubelet has no use for 127.0.0.1. */
const NODE_IP = '192.0.2.1';

/** The least of a pod that can run here: its one container does nothing. */
export const PAUSE_SPEC = {
  containers: [{ name: 'c', image: PAUSE_IMAGE, imagePullPolicy: 'Never' }],
  automountServiceAccountToken: false, // its volume would wait for a controller manager
  terminationGracePeriodSeconds: 1,
};

export class Kubelet {
  private readonly node: LabNode;
  private readonly folder: string;
  private process: Started | undefined;

  private constructor(node: LabNode) {
    this.node = node;
    this.folder = join(node.runtime.machine.folder, 'kubelet');
  }

  /** Start it and wait until the API server has the node as ready. It ends with the node's machine. */
  static async start(node: LabNode, api: ApiServer): Promise<Kubelet> {
    const kubelet = new Kubelet(node);
    mkdirSync(kubelet.staticPods, { recursive: true });
    const { machine } = node.runtime;
    await machine.run('ip', ['address', 'add', `${NODE_IP}/24`, 'dev', 'lo']);
    const certificate = await api.authority.client(`system:node:${node.name}`, 'system:nodes');
    writeFileSync(kubelet.at('config.json'), JSON.stringify(kubelet.configuration(api)));
    for (const hierarchy of readdirSync(CGROUPS)) mkdirSync(join(CGROUPS, hierarchy, machine.id), { recursive: true });
    const program = await goTool('kubelet');
    const words = [
      ...[program, '--config', kubelet.at('config.json'), '--kubeconfig', api.kubeconfigOf(certificate)],
      ...['--root-dir', kubelet.at('root'), '--cert-dir', kubelet.at('pki')],
      ...['--hostname-override', node.name, '--node-ip', NODE_IP],
    ];
    const started = await machine.spawn(
      'unshare',
      ['--mount', 'sh', '-ec', kubelet.script(), ...words],
      kubelet.at('log'),
    );
    kubelet.process = started;
    const isReady = async () => {
      if (!started.isRunning()) throw new Error(`the kubelet ended: ${kubelet.log.slice(-4000)}`);
      const conditions: { type: string; status: string }[] =
        (await api.get(`/api/v1/nodes/${node.name}`))?.status.conditions ?? [];
      return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
    };
    await until('the node is ready', isReady, 60_000);
    return kubelet;
  }

  /** Folder of static pods' manifests: they start and end with their files. */
  get staticPods(): string {
    return this.at('static');
  }

  get log(): string {
    return existsSync(this.at('log')) ? readFileSync(this.at('log'), 'utf8') : '';
  }

  /** End it when no pod runs any more, and remove what it keeps for later: stopped sandboxes, cgroups for all pods. */
  async stop(): Promise<void> {
    await this.process?.kill();
    const { runtime } = this.node;
    for (const { id, isReady } of await runtime.list()) if (!isReady) await runtime.remove(id);
    const ofPods = runtime.machine.cgroups().filter((path) => path.includes('/kubepods'));
    for (const path of ofPods) rmdirSync(path);
  }

  private at(name: string): string {
    return join(this.folder, name);
  }

  private configuration(api: ApiServer): object {
    const { machine, socket } = this.node.runtime;
    return {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      containerRuntimeEndpoint: `unix://${socket}`,
      authentication: { anonymous: { enabled: false }, x509: { clientCAFile: api.caFile } },
      staticPodPath: this.staticPods,
      fileCheckFrequency: '1s',
      podLogsDir: this.at('pods'),
      volumePluginDir: this.at('volume-plugins'),
      // Cgroups below the machine's own; this kernel has version 1 in part, which the kubelet would no more begin with.
      cgroupDriver: 'cgroupfs',
      cgroupRoot: `/${machine.id}`,
      enforceNodeAllocatable: [],
      failCgroupV1: false,
      failSwapOn: false,
      oomScoreAdj: 0, // less takes a capability that not every machine's root has
      localStorageCapacityIsolation: false,
      makeIPTablesUtilChains: false,
      healthzPort: 0,
    };
  }

  /** Runs the words that follow it. */
  private script(): string {
    const settings = Object.entries(KERNEL_SETTINGS).map(([name, value]) => {
      const file = this.at(join('settings', name));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${value}\n`);
      return `mount --bind ${file} /proc/sys/${name}`;
    });
    return [...settings, 'mount -t tmpfs tmpfs /var/log', 'exec "$0" "$@"'].join('\n');
  }
}
