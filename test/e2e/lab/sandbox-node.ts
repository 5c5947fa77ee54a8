/**
 * A node on which a pod of deploy/ runs as its manifests say: runc starts each container from the image's root folder
 * with the capabilities, mounts and limits of the manifest, and nothing else. Runtimes' calls come from outside of it.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type CniCall, type CniReply, type IpLink, referencePlugins } from '../../lab/lab.ts';
import { type Finished, parseJson, until } from '../../lab/process.ts';
import { debianPackages } from './debian-packages.ts';
import { image } from './image.ts';
import { Machine, type Started } from './machine.ts';
import { ociConfig } from './pod-to-oci.ts';
import type { Manifest } from './render.ts';

/** Folders that the machine shares with the one outside, made its own. */
const OVERLAID = ['/etc', '/opt', '/var/lib'];

/** On disk: in a tmpfs every file would count as memory of the container that writes it. Argument: a folder. */
const OVERLAY = `
set -e
for folder in ${OVERLAID.join(' ')}; do
  draft=$1$folder
  mkdir -p $draft/upper $draft/work
  mount -t overlay -o lowerdir=$folder,upperdir=$draft/upper,workdir=$draft/work overlay $folder
done
# As systemd makes them: what is mounted later, a pod's namespace, reaches containers that ask for it.
mount --make-rshared /
`;

export interface RunningContainer extends Started {
  id: string;
  log(): string;
}

export class SandboxNode {
  readonly machine: Machine;
  private readonly runc: string;
  readonly rootfs: string;
  private started = 0;

  private constructor(machine: Machine, runc: string, rootfs: string) {
    this.machine = machine;
    this.runc = runc;
    this.rootfs = rootfs;
  }

  /** Close it in the end. */
  static async start(): Promise<SandboxNode> {
    const [runc] = await debianPackages('bookworm', 'runc');
    const { rootfs } = await image();
    const node = new SandboxNode(await Machine.start(), join(runc?.folder ?? '', 'usr/sbin/runc'), rootfs);
    await node.must('sh', '-c', OVERLAY, 'sh', join(node.machine.folder, 'node'));
    return node;
  }

  close(): Promise<void> {
    return this.machine.close();
  }

  /** Run a program of the node, which must succeed. */
  async must(file: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.machine.run(file, args);
    if (code !== 0) throw new Error(`${file} ${args.join(' ')} failed with ${code}: ${stderr || stdout}`);
    return stdout;
  }

  /** A path of the node, as this process reaches it. */
  path(inside: string): string {
    return this.machine.path(inside);
  }

  write(inside: string, content: unknown, mode = 0o644): void {
    const path = this.path(inside);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    chmodSync(path, mode);
  }

  /** What the kubelet does before it has containers started: folders of the node, files of ConfigMaps. */
  private prepareVolumes(pod: Manifest, files: Record<string, string>): Record<string, string> {
    for (const { hostPath } of pod.volumes) {
      if (hostPath?.type === 'DirectoryOrCreate') mkdirSync(this.path(hostPath.path), { recursive: true });
    }
    const config = '/run/kubelet-config';
    for (const [name, content] of Object.entries(files)) this.write(join(config, name), content);
    return { config };
  }

  /**
   * Start a container of a pod.
   * @param files of its ConfigMap
   * @param account folder on the node with its `token` and `ca.crt`, and the API server's port on 127.0.0.1
   */
  async startContainer(
    pod: Manifest,
    container: string,
    files: Record<string, string>,
    account = { folder: '', apiPort: 0 },
  ): Promise<RunningContainer> {
    this.started++;
    const id = `${container}-${this.started}`;
    const bundle = join(this.machine.folder, id);
    const config = ociConfig({
      rootfs: this.rootfs,
      pod,
      container,
      fields: { 'spec.nodeName': 'node-a' },
      volumes: this.prepareVolumes(pod, files),
      accountFolder: account.folder,
      apiPort: account.apiPort,
      cgroupsPath: `/${this.machine.id}/${id}`,
    });
    mkdirSync(bundle);
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
    const log = join(bundle, 'log');
    const words = ['--root', '/run/runc', 'run', '--bundle', bundle, id];
    const started = await this.machine.spawn(this.runc, words, log);
    return { ...started, id, log: () => readFileSync(log, 'utf8'), isRunning: started.isRunning };
  }

  /** Run a command in a container, as the kubelet runs probes. */
  exec(container: RunningContainer, command: readonly string[]): Promise<Finished> {
    return this.machine.run(this.runc, ['--root', '/run/runc', 'exec', container.id, ...command]);
  }

  /** Wait until its probe of this name succeeds. */
  async untilProbe(pod: Manifest, container: RunningContainer, probe: string): Promise<void> {
    const { command } = pod.containers[0][probe].exec;
    await until(`${probe} of ${container.id} succeeds`, async () => {
      if (!container.isRunning()) throw new Error(`${container.id} ended: ${container.log()}`);
      return (await this.exec(container, command)).code === 0;
    });
  }

  /** Make a namespace of a pod, where runtimes have them. */
  async addNetns(name: string): Promise<void> {
    await this.must('ip', 'netns', 'add', name);
  }

  /** Run a program of /opt/cni/bin as the runtime of the node does: with 00-multus.conf on stdin. */
  async cni(command: string, call: CniCall & { config: string }): Promise<CniReply> {
    const { container = 'c1', pod = 'pod1', args = '' } = call;
    const env = {
      PATH: process.env['PATH'],
      CNI_COMMAND: command,
      CNI_CONTAINERID: container,
      CNI_NETNS: `/var/run/netns/${pod}`,
      CNI_IFNAME: 'eth0',
      CNI_ARGS: args,
      CNI_PATH: `/opt/cni/bin:${referencePlugins()}`,
    };
    const finished = await this.machine.run('/opt/cni/bin/multus', [], { env, input: call.config });
    return { ...finished, json: parseJson(finished.stdout) };
  }

  /** Links of a pod's namespace, without lo. */
  async links(netns: string): Promise<IpLink[]> {
    const links = JSON.parse(await this.must('ip', '-n', netns, '-j', '-d', 'addr')) as IpLink[];
    return links.filter(({ ifname }) => ifname !== 'lo');
  }

  read(inside: string): string {
    return readFileSync(this.path(inside), 'utf8');
  }

  exists(inside: string): boolean {
    return existsSync(this.path(inside));
  }
}
