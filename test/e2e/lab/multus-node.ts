/**
 * A node on which Multus 4.3 runs from its own programs, thick or thin, as its manifests start it; ours can take its place,
 * and it can come back. The test is the runtime: it runs what the first file of the CNI configuration names.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type CniReply, DIST, type IpLink, referencePlugins } from '../../lab/lab.ts';
import { type Finished, parseJson, until } from '../../lab/process.ts';
import { goTool } from '../../tools/go/build.mjs';
import type { ApiServer } from './api-server.ts';
import { Machine, type Started } from './machine.ts';
import { isOwnLink, makeUplink, PRIMARY } from './networks.ts';
import { filesBelow } from './node.ts';
import { Relay } from './relay.ts';

export type Kind = 'thick' | 'thin';

const SOCKET = '/run/multus/multus.sock';
const STATE = '/var/lib/cni/multus';
const LEASES = '/var/lib/cni/networks';
const CREDENTIALS = '/run/secrets/kubernetes.io/serviceaccount';

/** What Multus's manifests allow it to do. */
const MULTUS_ROLE = [
  { apiGroups: ['k8s.cni.cncf.io'], resources: ['*'], verbs: ['*'] },
  { apiGroups: [''], resources: ['pods', 'pods/status'], verbs: ['get', 'list', 'update', 'watch'] },
  { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch', 'update'] },
];

/** Make Multus's account. @returns its token */
export async function multusAccount(api: ApiServer): Promise<string> {
  const metadata = { name: 'multus', namespace: 'kube-system' };
  await api.apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'multus' },
      rules: MULTUS_ROLE,
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'multus' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'multus' },
      subjects: [{ kind: 'ServiceAccount', ...metadata }],
    },
  );
  return api.serviceAccountToken('kube-system', 'multus');
}

/** What the node wants of an API server. */
export interface NodeApi extends Pick<ApiServer, 'url' | 'caFile' | 'adminKubeconfig' | 'createPod' | 'delete'> {
  /** Make it reachable in a machine at its own address. A relay does that by default. */
  reach?(machine: Machine): Promise<{ close(): void }>;
}

export interface NodeOptions {
  /** Of the cluster. */
  name: string;
  /** The node's configuration before any meta plugin, a .conf or .conflist, and its name. */
  primary: { file: string; config: object };
}

const DEFAULTS: NodeOptions = { name: 'node1', primary: { file: '10-primary.conflist', config: PRIMARY } };

/** Of our programs in tests: what is done late is done soon. */
const OUR_WORDS = ['--log-level', 'debug', '--reconcile-interval', '1'];

/** A sandbox, as a runtime made it. */
export interface NodePod {
  name: string;
  uid: string;
  containerId: string;
  /** For the programs of the machine. */
  netns: string;
}

export class MultusNode {
  readonly machine: Machine;
  /** Outside and inside. */
  readonly binDir: string;
  /** Outside and inside. */
  readonly confDir: string;
  /** As reached from outside. */
  readonly stateDir: string;
  private readonly api: NodeApi;
  private readonly relay: { close(): void };
  private readonly name: string;
  /** Words before the daemons that it starts: what puts them into a cgroup, say. */
  wrapper: readonly string[] = [];
  /** Those that run now. */
  private multus: Started | undefined;
  private ours: Started | undefined;

  private constructor(machine: Machine, api: NodeApi, relay: { close(): void }, name: string) {
    this.machine = machine;
    this.api = api;
    this.relay = relay;
    this.name = name;
    this.binDir = this.at('cni-bin');
    this.confDir = this.at('net.d');
    this.stateDir = machine.path(STATE);
  }

  /** A node with its primary network. Close it in the end. @param token of Multus's account */
  static async start(api: NodeApi, token: string, options: NodeOptions = DEFAULTS): Promise<MultusNode> {
    const machine = await Machine.start();
    const relay = (await api.reach?.(machine)) ?? (await Relay.open(machine, Number(new URL(api.url).port)));
    const node = new MultusNode(machine, api, relay, options.name);
    try {
      await makeUplink(machine);
      for (const folder of [node.binDir, node.confDir, machine.path(CREDENTIALS)])
        mkdirSync(folder, { recursive: true });
      const plugins = referencePlugins();
      for (const name of readdirSync(plugins)) symlinkSync(join(plugins, name), join(node.binDir, name));
      writeFileSync(join(node.confDir, options.primary.file), JSON.stringify(options.primary.config));
      writeFileSync(join(machine.path(CREDENTIALS), 'token'), token);
      copyFileSync(api.caFile, join(machine.path(CREDENTIALS), 'ca.crt'));
      return node;
    } catch (error) {
      await node.close();
      throw error;
    }
  }

  private at(name: string): string {
    return join(this.machine.folder, name);
  }

  private read(name: string): string {
    return existsSync(this.at(name)) ? readFileSync(this.at(name), 'utf8') : '';
  }

  get logs(): string {
    return ['multus.log', 'multus-native.log'].map((name) => `--- ${name}\n${this.read(name)}`).join('');
  }

  /** As a container of a pod sees it. */
  private get podEnvironment(): NodeJS.ProcessEnv {
    const { hostname, port } = new URL(this.api.url);
    return {
      PATH: process.env['PATH'],
      MULTUS_NODE_NAME: this.name,
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: port,
    };
  }

  /** What `install_multus` does: whole files, put in their places. */
  private async putPrograms(...names: string[]): Promise<void> {
    for (const name of names) {
      const draft = join(this.binDir, `.${name}.new`);
      copyFileSync(await goTool(name), draft);
      renameSync(draft, join(this.binDir, name));
    }
  }

  /** Install Multus and start what of it runs. @param keys further ones of the daemon's file, for thick */
  async startMultus(kind: Kind, keys: object = {}): Promise<void> {
    await (kind === 'thick' ? this.startThick(keys) : this.startThin());
  }

  /** Id of what runs: Multus's daemon or entry point, or ours. */
  get pid(): number | undefined {
    return (this.ours ?? this.multus)?.pid;
  }

  private spawn(program: string, args: readonly string[], log: string, env = process.env): Promise<Started> {
    const [first = '', ...others] = [...this.wrapper, program, ...args];
    return this.machine.spawn(first, others, log, env);
  }

  private async startThick(further: object): Promise<void> {
    await this.putPrograms('multus-shim', 'passthru');
    const file = this.at('multus-daemon-config.json');
    const folders = { cniConfigDir: this.confDir, multusAutoconfigDir: this.confDir, binDir: this.binDir };
    // The version of its manifest; CHECK is from 0.4.0 on.
    const keys = { cniVersion: '1.0.0', logLevel: 'verbose', logToStderr: true, multusConfigFile: 'auto' };
    writeFileSync(file, JSON.stringify({ ...keys, ...folders, socketDir: '/run/multus/', ...further }));
    const program = await goTool('multus-daemon');
    const log = this.at('multus.log');
    const before = this.read('multus.log').length;
    const started = await this.spawn(program, ['-config', file], log, this.podEnvironment);
    this.multus = started;
    await until(
      'multus-daemon runs and has written 00-multus.conf',
      () => {
        if (!started.isRunning()) throw new Error(`multus-daemon ended: ${this.read('multus.log')}`);
        return (
          this.read('multus.log').slice(before).includes('API readiness check done') &&
          this.configType() === 'multus-shim'
        );
      },
      30_000,
    );
  }

  /** It ends with its signal: the file that it made goes only if it was told to clean up, and it is by its manifest. */
  private async startThin(): Promise<void> {
    await this.putPrograms('passthru');
    const flags = {
      'multus-conf-file': 'auto',
      'cni-bin-dir': this.binDir,
      'cni-conf-dir': this.confDir,
      'multus-autoconfig-dir': this.confDir,
      'multus-cni-conf-dir': this.at('multus-net.d'),
      'multus-bin-file': await goTool('multus'),
      'multus-kubeconfig-file-host': join(this.confDir, 'multus.d/multus.kubeconfig'),
      'cleanup-config-on-exit': true,
    };
    const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const program = await goTool('thin_entrypoint');
    this.multus = await this.spawn(program, words, this.at('multus.log'), this.podEnvironment);
    await until('Multus has written its configuration', () => this.configType() === 'multus', 30_000);
  }

  /** End Multus's daemon or entry point, as the kubelet ends its pod. */
  async endMultus(): Promise<void> {
    await this.multus?.kill();
    this.multus = undefined;
  }

  private get installOptions(): string[] {
    return ['--bin-dir', this.binDir, '--conf-dir', this.confDir];
  }

  /** `multus install`: our programs in their places. */
  async install(): Promise<void> {
    await this.must(join(DIST, 'multus'), 'install', ...this.installOptions);
  }

  /** Install ours and start what of it runs, as the containers of deploy/ do. @param options of the daemon */
  async startOurs(kind: Kind, options: readonly string[] = OUR_WORDS): Promise<void> {
    const file = this.at('daemon-config.json');
    const folders = { cniConfigDir: this.confDir, multusAutoconfigDir: this.confDir };
    const credentials = { kubeconfig: this.api.adminKubeconfig, kubernetes: true };
    const keys = { multusConfigFile: 'auto', ...folders, ...credentials, binDir: this.binDir };
    writeFileSync(file, JSON.stringify(keys));
    await this.install();
    await this.runOurs(kind, options);
  }

  /** Start what runs of ours where startOurs() was before, as the node's boot does. @param options of the daemon */
  async runOurs(kind: Kind, options: readonly string[] = OUR_WORDS): Promise<void> {
    const file = this.at('daemon-config.json');
    const log = this.at('multus-native.log');
    const words =
      kind === 'thick'
        ? ['multusd.cjs', '--config', file, '--node-name', this.name, ...options]
        : ['multus-cli', 'install', ...this.installOptions, '--thin', '--watch', '--config', file];
    const started = await this.spawn(process.execPath, [join(DIST, words[0] ?? ''), ...words.slice(1)], log);
    this.ours = started;
    await until('ours has written 00-multus.conf', () => {
      if (!started.isRunning()) throw new Error(`ours ended: ${this.logs}`);
      return this.hasOurConfig();
    });
  }

  /** End our daemon, or what follows the primary of a node without one, as the kubelet ends its pod. */
  async endOurs(): Promise<void> {
    await this.ours?.kill();
    this.ours = undefined;
  }

  /** `multus uninstall`: what is still needed by pods stays. */
  async uninstall(): Promise<Finished> {
    return this.machine.run(join(DIST, 'multus'), ['uninstall', ...this.installOptions]);
  }

  /** The daemon's, as reached from outside. */
  get socket(): string {
    return this.machine.path(SOCKET);
  }

  hasSocket(): boolean {
    return existsSync(this.socket);
  }

  /** Ours asks the runtime for the pod's annotations. */
  hasOurConfig(): boolean {
    return this.firstConfig().text.includes('io.kubernetes.cri.pod-annotations');
  }

  /** What a runtime reads: the first file by name. */
  firstConfig(): { name: string; text: string } {
    const names = readdirSync(this.confDir).filter((name) => /\.conf(list)?$/.test(name));
    const name = names.sort()[0] ?? '';
    return { name, text: readFileSync(join(this.confDir, name), 'utf8') };
  }

  private configType(): string {
    const config = parseJson(this.firstConfig().text) as { type?: string; plugins?: { type: string }[] } | undefined;
    return config?.type ?? config?.plugins?.[0]?.type ?? '';
  }

  /** A pod of the API server, and its namespace. */
  async makePod(name: string, networks: unknown): Promise<NodePod> {
    const annotations = {
      'k8s.v1.cni.cncf.io/networks': typeof networks === 'string' ? networks : JSON.stringify(networks),
    };
    const { uid } = await this.api.createPod({ name, annotations, nodeName: this.name });
    await this.must('ip', 'netns', 'add', name);
    return { name, uid, containerId: `c-${uid}`, netns: `/run/netns/${name}` };
  }

  /** Its namespace goes, as the runtime does it after DEL, and its object. */
  async removePod({ name }: NodePod): Promise<void> {
    await this.must('ip', 'netns', 'del', name);
    await this.api.delete(`/api/v1/namespaces/default/pods/${name}`);
  }

  /**
   * What a runtime does for a pod: the plugins of the first file of its configuration, one after the other, in reverse for
   * DEL.
   * @returns the reply of the one that failed, or of the last, and the name of the file
   */
  async cni(
    command: 'ADD' | 'DEL' | 'CHECK',
    pod: NodePod,
    prevResult?: unknown,
  ): Promise<CniReply & { configName: string }> {
    const { name: configName, text } = this.firstConfig();
    const config = JSON.parse(text);
    const { cniVersion, name } = config;
    const plugins: Record<string, unknown>[] = [...(config.plugins ?? [config])];
    if (command === 'DEL') plugins.reverse();
    let reply: CniReply | undefined;
    let previous = prevResult;
    for (const plugin of plugins) {
      const chained = previous === undefined ? {} : { prevResult: previous };
      reply = await this.runPlugin(command, pod, { ...plugin, cniVersion, name, ...chained });
      if (reply.code !== 0) break;
      if (command === 'ADD') previous = reply.json;
    }
    if (reply === undefined) throw new Error(`${configName} has no plugin`);
    return { ...reply, configName };
  }

  private async runPlugin(command: string, pod: NodePod, config: Record<string, unknown>): Promise<CniReply> {
    const args = {
      IgnoreUnknown: '1',
      K8S_POD_NAMESPACE: 'default',
      K8S_POD_NAME: pod.name,
      K8S_POD_INFRA_CONTAINER_ID: pod.containerId,
      K8S_POD_UID: pod.uid,
    };
    const env = {
      PATH: process.env['PATH'],
      CNI_COMMAND: command,
      CNI_CONTAINERID: pod.containerId,
      CNI_NETNS: pod.netns,
      CNI_IFNAME: 'eth0',
      CNI_ARGS: Object.entries(args)
        .map((pair) => pair.join('='))
        .join(';'),
      CNI_PATH: this.binDir,
    };
    const input = JSON.stringify(config);
    const finished = await this.machine.run(join(this.binDir, String(config['type'])), [], { env, input });
    return { ...finished, json: parseJson(finished.stdout) };
  }

  /** Plug a network into a running pod, as controllers do: by `POST /delegate` of whoever listens. */
  async plug(pod: NodePod, ifName: string, config: object): Promise<void> {
    const { containerId: containerID, netns, name, uid } = pod;
    const call = {
      command: 'ADD',
      containerID,
      netns,
      ifName,
      namespace: 'default',
      name,
      uid,
      config,
      attributes: null,
    };
    const input = JSON.stringify(call);
    const { code, stderr } = await this.machine.run(await goTool('delegate'), [SOCKET], { input });
    if (code !== 0) throw new Error(`Cannot plug ${ifName} into ${name}: ${stderr}`);
  }

  /** Run a program of the machine, which must succeed. */
  async must(file: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.machine.run(file, args);
    if (code !== 0) throw new Error(`${file} ${args.join(' ')} failed with ${code}: ${stderr || stdout}`);
    return stdout;
  }

  inPod(pod: NodePod, file: string, ...args: string[]): Promise<Finished> {
    return this.machine.run('ip', ['netns', 'exec', pod.name, file, ...args]);
  }

  /** Links of a pod, without lo. */
  async links(pod: NodePod): Promise<IpLink[]> {
    const links = JSON.parse(await this.must('ip', '-n', pod.name, '-j', '-d', 'addr')) as IpLink[];
    return links.filter(({ ifname }) => ifname !== 'lo');
  }

  /** Files of attachments in the state directory: Multus's, ours, libcni's. */
  stateFiles(): string[] {
    return filesBelow(this.stateDir).filter((path) => !path.startsWith('.'));
  }

  /** Reserved addresses, as `<network>/<address>`. */
  leases(): string[] {
    return filesBelow(this.machine.path(LEASES)).filter((path) => /\/[0-9a-f.:]+$/.test(path));
  }

  /** What is there of pods. */
  async leftovers(...pods: NodePod[]): Promise<string[]> {
    const links = JSON.parse(await this.must('ip', '-j', 'link')) as { ifname: string }[];
    const inPods = await Promise.all(
      pods.map(async (pod) => (await this.links(pod)).map(({ ifname }) => `link ${pod.name}/${ifname}`)),
    );
    return [
      ...inPods.flat(),
      ...links.filter(({ ifname }) => !isOwnLink(ifname) && ifname !== 'chain0').map(({ ifname }) => `link ${ifname}`),
      ...this.stateFiles().map((path) => `state ${path}`),
      ...this.leases().map((path) => `address ${path}`),
    ];
  }

  async close(): Promise<void> {
    this.relay.close();
    await this.machine.close();
  }
}
