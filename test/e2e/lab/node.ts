/** A node put together: containerd, our programs beside the reference plugins, a daemon or none, a cluster or a folder. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIST } from '../../lab/lab.ts';
import { until } from '../../lab/process.ts';
import { type Major, type Runtime, startContainerd } from './containerd.ts';
import type { Started } from './machine.ts';
import { isOwnLink, makeUplink, PRIMARY } from './networks.ts';
import { Relay } from './relay.ts';

/** Thick: a daemon, which writes the node's configuration. Thin: no daemon, the configuration is there. */
export type Mode = 'thick' | 'thin';

export interface NodeOptions {
  containerd: Major;
  mode: Mode;
  /** `spec.nodeName` of its pods. */
  name?: string;
  /** Its cluster; without one, pods and definitions come from `manifestsDir`. */
  api?: { url: string; adminKubeconfig: string };
  /** By which it knows its cluster; the administrator's by default. */
  kubeconfig?: string;
  /** Further keys of the daemon's file (thick) or of the CNI configuration (thin). */
  keys?: Record<string, unknown>;
  /** Further words of multusd's command line. */
  daemonOptions?: string[];
}

/** The defaults of our programs, in the machine. */
const SOCKET = '/run/multus/multus.sock';
const STATE = '/var/lib/cni/multus';
const LEASES = '/var/lib/cni/networks';
const LIBCNI_CACHE = '/var/lib/cni/results';

/** What stays in the state directory without any pod: the lock, the primary, what was installed or read of the cluster. */
const isOwnFile = (path: string): boolean => path.startsWith('.') && !path.startsWith('.outbox/');

/** Name under which `00-multus.conf` is made, by Multus's default. */
export const MULTUS_NETWORK = 'multus-cni-network';

export class LabNode {
  readonly name: string;
  readonly mode: Mode;
  readonly runtime: Runtime;
  /** Outside and inside; '' when the node has a cluster. */
  readonly manifestsDir: string;
  /** State directory, as reached from outside. */
  readonly stateDir: string;
  /** To the API server; undefined without one. */
  readonly relay: Relay | undefined;
  private readonly options: NodeOptions;
  private daemon: Started | undefined;
  private follower: Started | undefined;

  private constructor(options: NodeOptions, runtime: Runtime, relay: Relay | undefined) {
    this.options = options;
    this.name = options.name ?? 'node1';
    this.mode = options.mode;
    this.runtime = runtime;
    this.relay = relay;
    this.manifestsDir = options.api === undefined ? this.at('manifests') : '';
    this.stateDir = runtime.machine.path(STATE);
  }

  /** Start a node and wait until its runtime goes by our configuration. Close it in the end. */
  static async start(options: NodeOptions): Promise<LabNode> {
    const runtime = await startContainerd(options.containerd);
    try {
      const { machine } = runtime;
      const relay = options.api && (await Relay.open(machine, Number(new URL(options.api.url).port)));
      const node = new LabNode(options, runtime, relay);
      await makeUplink(machine);
      writeFileSync(join(runtime.cniConfDir, '10-primary.conflist'), JSON.stringify(PRIMARY));
      if (options.api === undefined) mkdirSync(node.manifestsDir);
      await node.install();
      if (options.mode === 'thick') await node.startDaemon();
      await runtime.hasConfig(MULTUS_NETWORK);
      return node;
    } catch (error) {
      await runtime.close();
      throw error;
    }
  }

  private at(name: string): string {
    return join(this.runtime.machine.folder, name);
  }

  private get kubeconfig(): string | undefined {
    return this.options.kubeconfig ?? this.options.api?.adminKubeconfig;
  }

  /** Where pods and definitions come from: what a daemon knows of its cluster is its own, and on no other program's way. */
  private get sourceKeys(): Record<string, unknown> {
    if (this.options.api === undefined) return { manifestsDir: this.manifestsDir };
    return this.mode === 'thin' ? { kubeconfig: this.kubeconfig, kubernetes: true } : {};
  }

  /** Write the daemon's file, which `multus install --thin` goes by, too. @returns its path */
  private writeConfig(): string {
    const { cniConfDir } = this.runtime;
    const folders = { cniConfigDir: cniConfDir, multusAutoconfigDir: cniConfDir };
    const own = { binDir: this.runtime.cniBinDir, ...this.sourceKeys, ...this.options.keys };
    const file = this.at('daemon-config.json');
    writeFileSync(file, JSON.stringify({ multusConfigFile: 'auto', ...folders, ...own }));
    return file;
  }

  /** `multus` of the command line, inside. */
  async cli(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.runtime.machine.run(process.execPath, [
      join(DIST, 'multus-cli'),
      ...words,
    ]);
    if (code !== 0) throw new Error(`multus ${words.join(' ')} failed with ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  /** As README says. */
  async install(): Promise<void> {
    await this.cli(...this.installWords());
  }

  private installWords(): string[] {
    const { cniBinDir, cniConfDir } = this.runtime;
    const thin = ['--thin', '--conf-dir', cniConfDir, '--config', this.writeConfig()];
    return ['install', '--bin-dir', cniBinDir, ...(this.mode === 'thin' ? thin : [])];
  }

  /** Start what looks after a thin node of a cluster: `multus install --thin --watch`. */
  async startFollower(): Promise<void> {
    const words = [join(DIST, 'multus-cli'), ...this.installWords(), '--watch'];
    this.follower = await this.runtime.machine.spawn(process.execPath, words, this.at('follower.log'));
  }

  async endFollower(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.follower?.kill(signal);
  }

  get followerLog(): string {
    const path = this.at('follower.log');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** Start multusd and wait until it listens. */
  async startDaemon(...options: string[]): Promise<void> {
    const { machine } = this.runtime;
    const cluster = this.kubeconfig === undefined ? [] : ['--kubeconfig', this.kubeconfig, '--node-name', this.name];
    const words = [...cluster, ...(this.options.daemonOptions ?? []), ...options];
    const before = this.daemonLog.length;
    const log = this.at('multusd.log');
    const daemon = await machine.spawn(
      process.execPath,
      [join(DIST, 'multusd.cjs'), '--config', this.writeConfig(), '--log-level', 'debug', ...words],
      log,
    );
    this.daemon = daemon;
    await until('multusd listens', () => {
      if (!daemon.isRunning()) throw new Error(`multusd ended: ${this.daemonLog.slice(before)}`);
      return this.daemonLog.slice(before).includes('"listening"') && existsSync(machine.path(SOCKET));
    });
  }

  /** The daemon's process; undefined when there is none. */
  get daemonProcess(): Started | undefined {
    return this.daemon;
  }

  async endDaemon(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.daemon?.kill(signal);
  }

  get daemonLog(): string {
    const path = this.at('multusd.log');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** Write a manifest: JSON is YAML. */
  manifest(file: string, ...objects: object[]): void {
    writeFileSync(join(this.manifestsDir, file), objects.map((object) => JSON.stringify(object)).join('\n---\n'));
  }

  /** Records of containers that are attached, or are being detached. */
  records(): string[] {
    return filesBelow(this.stateDir).filter((path) => !path.includes('/') && !isOwnFile(path));
  }

  /** Is there on disk what was last read of its cluster? */
  hasSnapshot(): boolean {
    return this.snapshot !== '';
  }

  /** That file's text; '' when there is none. */
  get snapshot(): string {
    const path = join(this.stateDir, '.definitions.json');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** What is there of pods. Empty when all sandboxes are removed, or something was left behind. */
  async leftovers(): Promise<string[]> {
    const { machine } = this.runtime;
    const inside = (folder: string): string[] => filesBelow(machine.path(folder)).map((path) => `${folder}/${path}`);
    const links = await machine.inNetns(machine.netns, 'ip', '-j', 'link');
    const names = (JSON.parse(links.stdout) as { ifname: string }[]).map(({ ifname }) => ifname);
    return [
      ...(await this.runtime.list()).map(({ id, name }) => `sandbox ${name} ${id}`),
      ...names.filter((name) => !isOwnLink(name)).map((name) => `link ${name}`),
      ...inside(STATE).filter((path) => !isOwnFile(path.slice(STATE.length + 1))),
      ...inside(LEASES).filter((path) => /\/[0-9a-f.:]+$/.test(path)),
      ...inside(LIBCNI_CACHE),
      ...inside('/run/netns').map((path) => `network namespace ${path}`),
      ...filesBelow(this.manifestsDir === '' ? '' : join(this.manifestsDir, 'status')).map((path) => `status ${path}`),
      ...machine.cgroups().filter((path) => !path.endsWith(machine.id)),
      ...machine
        .mounts()
        .filter((line) => line.includes(this.at('containerd-state')))
        .map((line) => `mount ${line}`),
      ...machine
        .processes()
        .filter((line) => !/^\d+ (sh -c|cat|\S*\/containerd -c|\S+ \S*\/(multusd\.cjs|multus-cli))/.test(line)),
    ];
  }

  /** Ends everything that the node is. @throws Error naming what pods have left behind, unless `anyhow` */
  async close(anyhow = false): Promise<void> {
    let left: string[] = [];
    try {
      // What the runtime's own programs leave goes a little later.
      for (let tries = 0; !anyhow && tries < 100; tries++) {
        left = await this.leftovers();
        if (left.length === 0) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    } finally {
      this.relay?.close();
      await this.runtime.close();
    }
    if (left.length > 0) throw new Error(`left behind on node ${this.name}:\n${left.join('\n')}`);
  }
}

/** Paths of the files in a folder, relative to it; none when it is not there. */
export function filesBelow(folder: string): string[] {
  if (folder === '' || !existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
