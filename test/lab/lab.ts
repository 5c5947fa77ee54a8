/**
 * A node to try things on: a folder for state, a network namespace that stands for the host, pods' namespaces, real
 * CNI plugins, the real shim and daemon. What the plugins make (bridges, leases) stays inside and goes with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Finished, must, parseJson, run, until } from './process.ts';

/** Where the bundles, the shim and the addon lie after `npm run build`; or other programs that the tests shall hold for. */
export const DIST = process.env['MULTUS_DIST'] ?? join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dist');

/** A folder for hosts without Node has an executable (deploy/build-sea.mjs). */
const DAEMON = existsSync(join(DIST, 'multusd'))
  ? [join(DIST, 'multusd')]
  : [process.execPath, join(DIST, 'multusd.cjs')];

/** Folders in which distributions put the reference plugins. */
const PLUGIN_DIRECTORIES = [process.env['CNI_BIN_DIR'] ?? '', '/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'];

/** @throws Error when the reference plugins are not installed */
export function referencePlugins(): string {
  const found = PLUGIN_DIRECTORIES.find((directory) => directory !== '' && existsSync(join(directory, 'bridge')));
  if (found === undefined) throw new Error(`no CNI reference plugins in ${PLUGIN_DIRECTORIES.join(', ')}`);
  return found;
}

/** In the state directory, and of no pod: the lock, the cluster's definitions and the draft of them. */
const NODE_FILES = ['.lock', '.definitions.json', '..definitions.json.tmp', '.primary.json'];

export const isRoot = process.getuid?.() === 0;

/** A link as `ip -j -d addr` prints it, its useful part. */
export interface IpLink {
  ifname: string;
  address: string;
  mtu: number;
  flags: string[];
  addr_info: { family: string; local: string; prefixlen: number; scope: string }[];
  linkinfo?: { info_kind: string };
}

export interface CniCall {
  container?: string;
  /** Name of one of the lab's pods; CNI_NETNS. '' = empty. */
  pod?: string;
  ifName?: string;
  args?: string;
  /** Bytes for stdin; default is the lab's configuration. */
  config?: string | Buffer;
  /** Changes to the environment; undefined removes. */
  env?: Record<string, string | undefined>;
  /** Words before the shim's path, such as ["sh", "-c", ...]. */
  wrapper?: readonly string[];
  /** Called with the process that becomes the shim. */
  onSpawn?: (child: ChildProcess) => void;
}

export interface CniReply extends Finished {
  /** stdout as JSON, undefined when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into results and errors of any version
  json: any;
}

/** The run's number lets the runner find what a test left. */
function newId(): string {
  return `mn${process.env['MULTUS_TEST_RUN'] ?? ''}-${randomBytes(3).toString('hex')}`;
}

export class Lab {
  readonly directory: string;
  /** Prefix of everything that it makes outside its folder. */
  readonly id: string;
  readonly stateDir: string;
  readonly socketDir: string;
  readonly ipamDir: string;
  readonly manifestsDir: string;
  /** Fake plugins; searched before the reference plugins. */
  readonly binDir: string;
  /** Shim, standalone program and addon, as installed on a node. */
  readonly shim: string;
  /** Keys of the multus configuration that tests change. */
  config: Record<string, unknown>;
  private readonly namespaces: string[] = [];
  private readonly uplinks: string[] = [];
  private daemon: ChildProcess | undefined;
  /** Daemons that others took the place of; they run until somebody ends them. */
  readonly predecessors: ChildProcess[] = [];
  /** Logs of the daemons, by their process numbers. */
  private readonly logs = new Map<number, string>();
  private readonly outlives: boolean;

  private constructor(directory: string, outlives: boolean, id = newId()) {
    this.directory = directory;
    this.outlives = outlives;
    this.id = id;
    const sub = (name: string): string => join(this.directory, name);
    this.stateDir = sub('state');
    this.socketDir = sub('run');
    this.ipamDir = sub('ipam');
    this.manifestsDir = sub('manifests');
    this.binDir = sub('bin');
    for (const path of [this.ipamDir, this.manifestsDir, this.binDir]) mkdirSync(path, { recursive: true });
    this.shim = join(DIST, 'multus');
    this.config = {
      cniVersion: '1.0.0',
      name: 'multus-lab',
      type: 'multus',
      daemonSocketDir: this.socketDir,
      cniDir: this.stateDir,
      binDir: this.binDir,
      manifestsDir: this.manifestsDir,
      delegates: [this.ptp('lab-default', '10.210.0.0/24')],
    };
  }

  /**
   * A lab with its host namespace. Close it in the end.
   * @param directory an empty folder for it; a new one under the temporary folder by default
   * @param outlives the daemon gets a session of its own: it stays when this process ends or its terminal is interrupted
   * @param onId told of the lab's id before anything is made outside the folder
   */
  static async create(
    directory = mkdtempSync(join(tmpdir(), 'multus-lab-')),
    outlives = false,
    onId: (id: string) => void = () => undefined,
  ): Promise<Lab> {
    const lab = new Lab(directory, outlives);
    onId(lab.id);
    await lab.addNetns('host');
    return lab;
  }

  /**
   * A lab whose host is the machine itself, for guests that end with their tests: PCI devices' links are there, and sysfs
   * shows no other namespace's. What runs there is not taken for the lab's: `processes()` knows of those in pods only.
   */
  static async onMachine(): Promise<Lab> {
    const lab = new Lab(mkdtempSync(join(tmpdir(), 'multus-lab-')), false);
    await must('ip', 'netns', 'attach', `${lab.id}-host`, '1');
    lab.namespaces.push('host');
    return lab;
  }

  /** A lab that another process made and left. */
  static async reopen(directory: string, id: string): Promise<Lab> {
    const lab = new Lab(directory, true, id);
    const names = (await must('ip', 'netns', 'list')).split('\n').map((line) => line.split(' ')[0] ?? '');
    const prefix = `${id}-`;
    lab.namespaces.push(...names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)));
    return lab;
  }

  /** Path of a namespace of the lab. */
  netns(name: string): string {
    return `/run/netns/${this.id}-${name}`;
  }

  /** Make a namespace: a pod's, as a runtime would. */
  async addNetns(name: string): Promise<string> {
    await must('ip', 'netns', 'add', `${this.id}-${name}`);
    this.namespaces.push(name);
    return this.netns(name);
  }

  async deleteNetns(name: string): Promise<void> {
    await must('ip', 'netns', 'delete', `${this.id}-${name}`);
    this.namespaces.splice(this.namespaces.indexOf(name), 1);
  }

  /** A link of the host with a carrier, as macvlan wants it: its other end is in a namespace of its own. */
  async addUplink(name: string): Promise<void> {
    await this.addNetns('wire');
    this.uplinks.push(name);
    const peer = ['peer', 'name', 'peer0', 'netns', `${this.id}-wire`];
    await must('nsenter', `--net=${this.netns('host')}`, 'ip', 'link', 'add', name, 'type', 'veth', ...peer);
    for (const [namespace, link] of [
      ['host', name],
      ['wire', 'peer0'],
    ] as const) {
      await must('nsenter', `--net=${this.netns(namespace)}`, 'ip', 'link', 'set', link, 'up');
    }
  }

  hostLocal(subnet: string, extra: Record<string, unknown> = {}): Record<string, unknown> {
    return { type: 'host-local', dataDir: this.ipamDir, ranges: [[{ subnet }]], ...extra };
  }

  ptp(name: string, subnet: string): Record<string, unknown> {
    const ipam = this.hostLocal(subnet, { routes: [{ dst: '0.0.0.0/0' }] });
    return { cniVersion: '1.0.0', name, type: 'ptp', ipam };
  }

  bridge(name: string, subnet: string): Record<string, unknown> {
    return { cniVersion: '1.0.0', name, type: 'bridge', bridge: `${name}0`.slice(-15), ipam: this.hostLocal(subnet) };
  }

  /** Write a manifest file: JSON is YAML. */
  manifest(file: string, ...objects: unknown[]): void {
    writeFileSync(join(this.manifestsDir, file), objects.map((object) => JSON.stringify(object)).join('\n---\n'));
  }

  podManifest(name: string, networks: unknown, namespace = 'default'): unknown {
    const value = typeof networks === 'string' ? networks : JSON.stringify(networks);
    return { kind: 'Pod', metadata: { name, namespace, annotations: { 'k8s.v1.cni.cncf.io/networks': value } } };
  }

  nadManifest(name: string, config: unknown, namespace = 'default'): unknown {
    const text = typeof config === 'string' ? config : JSON.stringify(config);
    return { kind: 'NetworkAttachmentDefinition', metadata: { name, namespace }, spec: { config: text } };
  }

  /** Write an executable script as a plugin. */
  plugin(name: string, script: string): string {
    const path = join(this.binDir, name);
    writeFileSync(path, script);
    chmodSync(path, 0o755);
    return path;
  }

  /** CNI_ARGS as a kubelet's runtime fills it. */
  podArgs(name: string, namespace = 'default'): string {
    return `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_UID=uid-${name}`;
  }

  /** Run the shim as a container runtime would. */
  async cni(command: string, call: CniCall = {}): Promise<CniReply> {
    const { container = 'c1', pod = 'pod1', ifName = 'eth0', args = '' } = call;
    const env = {
      PATH: process.env['PATH'],
      CNI_COMMAND: command,
      CNI_CONTAINERID: container,
      CNI_NETNS: pod === '' ? '' : this.netns(pod),
      CNI_IFNAME: ifName,
      CNI_ARGS: args,
      CNI_PATH: `${this.binDir}:${referencePlugins()}`,
      ...call.env,
    };
    const words = [`--net=${this.netns('host')}`, ...(call.wrapper ?? []), this.shim];
    const finished = await run('nsenter', words, {
      env: Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)),
      input: call.config ?? JSON.stringify(this.config),
      ...(call.onSpawn === undefined ? {} : { onSpawn: call.onSpawn }),
    });
    return { ...finished, json: parseJson(finished.stdout) };
  }

  get socketPath(): string {
    return join(this.socketDir, 'multus.sock');
  }

  get daemonPid(): number | undefined {
    return this.daemon?.pid;
  }

  /** What all daemons have logged, one after the other. */
  get daemonLog(): string {
    return [...this.logs.values()].map(readOr).join('');
  }

  /** Start multusd, in place of one that runs, and wait until callers reach it. */
  async startDaemon(...options: string[]): Promise<void> {
    const before = inodeOf(this.socketPath);
    const path = join(this.directory, `multusd${this.logs.size}.log`);
    const log = openSync(path, 'a');
    const args = ['--socket-dir', this.socketDir, '--cni-dir', this.stateDir, '--log-level', 'debug', ...options];
    if (this.daemon !== undefined) this.predecessors.push(this.daemon);
    this.daemon = spawn('nsenter', [`--net=${this.netns('host')}`, ...DAEMON, ...args], {
      stdio: ['ignore', log, log],
      detached: this.outlives,
    });
    closeSync(log);
    if (this.outlives) this.daemon.unref();
    const child = this.daemon;
    this.logs.set(child.pid ?? 0, path);
    await until('callers reach the daemon', () => {
      if (child.exitCode !== null) throw new Error(`multusd ended with ${child.exitCode}: ${this.daemonLog}`);
      return inodeOf(this.socketPath) !== before; // it listened before it was put there
    });
  }

  /** Messages that a daemon has logged. @param pid of one, or of all */
  daemonMessages(pid?: number): string[] {
    const log = pid === undefined ? this.daemonLog : readOr(this.logs.get(pid) ?? '');
    const lines = log.split('\n').map((line) => parseJson(line) as { msg?: string } | undefined);
    return lines.flatMap((line) => line?.msg ?? []);
  }

  /** End the daemon and wait for its end. */
  async endDaemon(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.daemon;
    this.daemon = undefined;
    if (child !== undefined) await endProcess(child, signal);
  }

  /** End the daemons that others took the place of, and wait for their end. */
  async endPredecessors(): Promise<void> {
    await Promise.all(this.predecessors.splice(0).map((child) => endProcess(child, 'SIGTERM')));
  }

  /** Run a program inside one of the lab's namespaces. */
  exec(namespace: string, file: string, ...args: string[]): Promise<Finished> {
    return run('nsenter', [`--net=${this.netns(namespace)}`, file, ...args]);
  }

  /** Links of a namespace as the kernel has them, without lo. */
  async links(namespace: string): Promise<IpLink[]> {
    const { stdout } = await this.exec(namespace, 'ip', '-j', '-d', 'addr');
    return (JSON.parse(stdout) as IpLink[]).filter(({ ifname }) => ifname !== 'lo');
  }

  /** IPv4 addresses of a link, with prefix length. */
  static addresses(link: IpLink | undefined): string[] {
    return (link?.addr_info ?? [])
      .filter(({ family, scope }) => family === 'inet' && scope === 'global')
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  }

  /** What a delegate made of a namespace's links, without what comes and goes by itself (carrier, link-local). */
  async linkSummary(namespace: string): Promise<string[]> {
    const links = await this.links(namespace);
    return links.map((link) => [link.ifname, link.address, link.mtu, ...Lab.addresses(link)].join(' '));
  }

  /** Addresses that host-local has reserved, as `<network>/<address>`. */
  reservations(): string[] {
    return readdirSync(this.ipamDir).flatMap((network) =>
      readdirSync(join(this.ipamDir, network))
        .filter((name) => /^[0-9a-f.:]+$/.test(name))
        .map((name) => `${network}/${name}`),
    );
  }

  /** Files of the state directory that belong to containers: journal entries, temporary files. */
  stateFiles(): string[] {
    if (!existsSync(this.stateDir)) return [];
    return readdirSync(this.stateDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !NODE_FILES.includes(entry.name))
      .map((entry) => join(basename(entry.parentPath ?? ''), entry.name));
  }

  private get statusDir(): string {
    return join(String(this.config['manifestsDir']), 'status');
  }

  /** Files of the status folder, temporary ones included. */
  statusFiles(): string[] {
    return existsSync(this.statusDir) ? readdirSync(this.statusDir) : [];
  }

  /** Annotations of the pod's status, without the one that names its container; undefined when it has none. */
  statusAnnotations(pod: string, namespace = 'default'): Record<string, string> | undefined {
    const path = join(this.statusDir, `${namespace}_${pod}.json`);
    if (!existsSync(path)) return undefined;
    const { 'multus-native/container-id': _, ...told } = JSON.parse(readFileSync(path, 'utf8')).metadata.annotations;
    return told;
  }

  /** Ids of the processes in the lab's namespaces, except for the daemon's. */
  private pids(): number[] {
    const ours = new Set(this.namespaces.map((name) => inodeOf(this.netns(name))));
    ours.delete(inodeOf('/proc/1/ns/net'));
    return readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid) && ours.has(inodeOf(`/proc/${pid}/ns/net`)))
      .map(Number)
      .filter((pid) => pid !== this.daemon?.pid);
  }

  /** Processes that run in the lab's namespaces, except for the daemon: shims, standalone programs, plugins. */
  processes(): string[] {
    return this.pids().map((pid) => `${pid} ${readOr(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`);
  }

  /** Everything that an attached pod leaves behind when it should be gone. */
  async leftovers(...pods: string[]): Promise<string[]> {
    const links = await Promise.all(
      pods.map(async (pod) => (await this.links(pod)).map(({ ifname }) => `link ${pod}/${ifname}`)),
    );
    const veths = (await this.links('host'))
      .filter(({ ifname, linkinfo }) => linkinfo?.info_kind === 'veth' && !this.uplinks.includes(ifname))
      .map(({ ifname }) => `host link ${ifname}`);
    return [
      ...links.flat(),
      ...veths,
      ...this.reservations().map((one) => `address ${one}`),
      ...this.stateFiles().map((one) => `file ${one}`),
      ...this.statusFiles().map((one) => `status ${one}`),
      ...this.processes().map((one) => `process ${one}`),
    ];
  }

  /** End the daemon and what else still runs in the lab, and remove namespaces and folder. */
  async close(): Promise<void> {
    await this.endDaemon('SIGKILL');
    for (const pid of this.pids()) kill(pid);
    for (const name of [...this.namespaces]) await this.deleteNetns(name);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Inode of a file, undefined when it is not there, or the process of a namespace ended meanwhile. */
function inodeOf(path: string): bigint | undefined {
  try {
    return statSync(path, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}

async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => {
    child.once('exit', resolve);
  });
  child.ref(); // it is waited for now
  child.kill(signal);
  if (signal !== 'SIGSTOP') await ended;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended meanwhile
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
