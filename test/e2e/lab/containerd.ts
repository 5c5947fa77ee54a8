/** containerd with runc, in a machine of its own, and pods in it: what the kubelet does to start and end them. */
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { IpLink } from '../../lab/lab.ts';
import { until } from '../../lab/process.ts';
import { containerdConfig } from './containerd-config.ts';
import { callRuntime } from './cri.ts';
import { debianPackages } from './debian-packages.ts';
import { Machine, type Started } from './machine.ts';
import { PAUSE_IMAGE, pauseImage } from './pause-image.ts';
import type { Message } from './protobuf.ts';

/** Which suite has which containerd: 1.6.20, and what is newest. */
const SUITES = { 1: 'bookworm', 2: 'sid' } as const;
/** sid's runc wants a newer libc than bookworm has. */
const RUNC_SUITE = 'bookworm';

export type Major = keyof typeof SUITES;

export interface Pod {
  namespace?: string;
  name: string;
  uid: string;
  annotations?: Record<string, string>;
  labels?: Record<string, string>;
  /** How often it was started before. */
  attempt?: number;
  ports?: { containerPort: number; hostPort: number }[];
}

export interface Sandbox {
  id: string;
  pod: Pod;
}

export interface SandboxStatus {
  isReady: boolean;
  ip: string;
  additionalIps: string[];
  /** For `nsenter --net=` outside of the machine. */
  netns: string;
  /** As the runtime knows it, inside of the machine. */
  netnsInside: string;
  // biome-ignore lint/suspicious/noExplicitAny: what go-cni made of the CNI result
  cniResult: any;
}

/** Standard folders of reference plugins, of the newest version that Debian has. @returns folder and version */
export async function newestPlugins(): Promise<{ folder: string; version: string }> {
  const [found] = await debianPackages('sid', 'containernetworking-plugins');
  return { folder: join(found?.folder ?? '', 'usr/lib/cni'), version: found?.version ?? '' };
}

export class Runtime {
  readonly machine: Machine;
  /** `1.6.20`, `2.1.9`. */
  readonly version: string;
  /** Outside and inside. */
  readonly cniConfDir: string;
  /** Outside and inside; has the reference plugins. */
  readonly cniBinDir: string;
  readonly socket: string;
  readonly logFile: string;
  private readonly start: () => Promise<Started>;
  private process: Started | undefined;

  private constructor(machine: Machine, version: string, start: (runtime: Runtime) => Promise<Started>) {
    const at = (name: string): string => join(machine.folder, name);
    this.machine = machine;
    this.version = version;
    this.cniConfDir = at('net.d');
    this.cniBinDir = at('cni-bin');
    this.socket = at('containerd.sock');
    this.logFile = at('containerd.log');
    this.start = () => start(this);
  }

  /** @see startContainerd */
  static async start(major: Major, machine: Machine): Promise<Runtime> {
    const [containerd] = await debianPackages(SUITES[major], 'containerd');
    const [runc] = await debianPackages(RUNC_SUITE, 'runc');
    if (containerd === undefined || runc === undefined) throw new Error('there are no packages');
    const bin = join(containerd.folder, 'usr/bin');
    const runcPath = join(runc.folder, 'usr/sbin/runc');
    const version = containerd.version.replace(/[^\d.].*$/, '');
    const runtime = new Runtime(machine, version, (it) => {
      // Plugins get its environment: node is for the standalone program.
      const path = [bin, dirname(runcPath), dirname(process.execPath), process.env['PATH']].join(':');
      const config = join(machine.folder, 'containerd.toml');
      return machine.spawn(join(bin, 'containerd'), ['-c', config], it.logFile, { ...process.env, PATH: path });
    });
    mkdirSync(runtime.cniConfDir);
    const { cniConfDir, cniBinDir, socket } = runtime;
    const folders = { folder: machine.folder, cniConfDir, cniBinDir, socket, runc: runcPath };
    writeFileSync(join(machine.folder, 'containerd.toml'), containerdConfig(major, folders));
    const plugins = (await newestPlugins()).folder;
    mkdirSync(cniBinDir);
    for (const name of readdirSync(plugins)) symlinkSync(join(plugins, name), join(cniBinDir, name));
    await runtime.restart();
    const ctr = (...args: string[]) => machine.run(join(bin, 'ctr'), ['-a', socket, '-n', 'k8s.io', 'images', ...args]);
    // 2.x would ask a service of its own, which does not unpack for this snapshotter.
    const local = major === 2 ? ['--local'] : [];
    const imported = await ctr('import', ...local, '--snapshotter', 'native', await pauseImage());
    if (imported.code !== 0) throw new Error(`Cannot import ${PAUSE_IMAGE}: ${imported.stderr}`);
    return runtime;
  }

  get log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  /** End it as the service manager would, and start it: its containers go on. */
  async restart(): Promise<void> {
    await this.process?.kill('SIGTERM');
    const started = await this.start();
    this.process = started;
    await until(
      'containerd answers',
      () => {
        if (!started.isRunning()) throw new Error(`containerd ended: ${this.log}`);
        return callRuntime(this.socket, 'Version', {}, 1000).then(
          () => true,
          () => false,
        );
      },
      30_000,
    );
  }

  /** Why the runtime has no network: '' when it has. */
  async networkProblem(): Promise<string> {
    const { status } = await callRuntime(this.socket, 'Status');
    const network = status.conditions.find(({ type }: Message) => type === 'NetworkReady');
    return network?.status === 1 ? '' : `${network?.reason}: ${network?.message}`;
  }

  /** Write a file of the CNI configuration, and wait until the runtime goes by it. It reads the first by name. */
  async configure(name: string, config: Record<string, unknown>): Promise<void> {
    const path = join(this.cniConfDir, name);
    const text = JSON.stringify(config);
    // In the same folder: containerd looks when a name goes from its folder, not when one comes into it.
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    await this.hasConfig(String(config['name']));
  }

  /** Wait until the runtime goes by a configuration of that name. */
  async hasConfig(name: string): Promise<void> {
    await until(`containerd has CNI configuration ${name}`, async () => {
      const { info } = await callRuntime(this.socket, 'Status', { verbose: 1 });
      const networks = JSON.parse(info.cniconfig || '{}').Networks ?? [];
      return networks.some(({ Config }: Message) => Config.Name === name);
    });
  }

  /** RunPodSandbox. @throws Error with the runtime's message */
  async run(pod: Pod): Promise<Sandbox> {
    const { name, uid, namespace = 'default', annotations = {}, labels = {}, attempt = 0, ports = [] } = pod;
    const own = {
      'io.kubernetes.pod.name': name,
      'io.kubernetes.pod.namespace': namespace,
      'io.kubernetes.pod.uid': uid,
    };
    const config = {
      metadata: { name, uid, namespace, attempt },
      hostname: name,
      log_directory: join(this.machine.folder, 'log', uid),
      dns_config: { servers: ['10.96.0.10'], searches: ['cluster.local'], options: ['ndots:5'] },
      port_mappings: ports.map(({ containerPort: container_port, hostPort: host_port }) => ({
        container_port,
        host_port,
      })),
      labels: { ...labels, ...own },
      annotations: { 'kubernetes.io/config.source': 'api', ...annotations },
      // Network, processes and IPC of its own (POD, CONTAINER, POD).
      linux: {
        cgroup_parent: `/${this.machine.id}`,
        security_context: { namespace_options: { network: 0, pid: 1, ipc: 0 } },
      },
    };
    const { pod_sandbox_id: id } = await callRuntime(this.socket, 'RunPodSandbox', { config });
    return { id, pod };
  }

  async status(id: string): Promise<SandboxStatus> {
    const { status, info } = await callRuntime(this.socket, 'PodSandboxStatus', { pod_sandbox_id: id, verbose: 1 });
    const { runtimeSpec, cniResult } = JSON.parse(info.info);
    const { path } = runtimeSpec.linux.namespaces.find(({ type }: Message) => type === 'network');
    return {
      isReady: status.state === 0,
      ip: status.network?.ip ?? '',
      additionalIps: (status.network?.additional_ips ?? []).map(({ ip }: Message) => ip),
      netns: this.machine.path(path),
      netnsInside: path,
      cniResult,
    };
  }

  /** Links of a sandbox as the kernel has them, in the order in which they were made. */
  async links(id: string): Promise<IpLink[]> {
    const { netns } = await this.status(id);
    const { stdout, stderr } = await this.machine.inNetns(netns, 'ip', '-j', '-d', 'addr');
    if (stdout === '') throw new Error(`no links of sandbox ${id}: ${stderr}`);
    return JSON.parse(stdout);
  }

  async stopSandbox(id: string): Promise<void> {
    await callRuntime(this.socket, 'StopPodSandbox', { pod_sandbox_id: id });
  }

  /** Also stops it. */
  async remove(id: string): Promise<void> {
    await callRuntime(this.socket, 'RemovePodSandbox', { pod_sandbox_id: id });
  }

  async list(): Promise<{ id: string; name: string; namespace: string; uid: string; isReady: boolean }[]> {
    const { items } = await callRuntime(this.socket, 'ListPodSandbox');
    return items.map(({ id, metadata: { name, namespace, uid }, state }: Message) => {
      return { id, name, namespace, uid, isReady: state === 0 };
    });
  }

  /** Ends everything in the machine, too. */
  async close(): Promise<void> {
    await this.machine.close();
  }
}

/**
 * Start a containerd that has reference plugins and no CNI configuration yet. Programs are Debian's, from the cache or
 * the archive.
 * @param machine to start it in; a new one by default. `close()` ends it
 */
export async function startContainerd(major: Major, machine?: Machine): Promise<Runtime> {
  const home = machine ?? (await Machine.start());
  try {
    return await Runtime.start(major, home);
  } catch (error) {
    await home.close();
    throw error;
  }
}
