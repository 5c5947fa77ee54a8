/**
 * What a container runtime makes of a container of a pod (OCI runtime specification 1.0), as containerd's CRI does:
 * its capabilities, mounts, limits and environment. For pods that are not privileged.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Manifest } from './render.ts';

const FIXTURES = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'fixtures');

/** containerd's RuntimeDefault, of the one architecture that it was recorded on. */
const SECCOMP =
  process.arch === 'x64'
    ? JSON.parse(readFileSync(join(FIXTURES, 'seccomp', 'runtime-default.json'), 'utf8'))
    : undefined;

export interface OciOptions {
  rootfs: string;
  /** PodSpec. */
  pod: Manifest;
  /** Of `containers` or `initContainers`. */
  container: string;
  /** Values of `fieldRef`s, by path. */
  fields: Record<string, string>;
  /** Where the kubelet has put volumes that are no folder of the node, by volume name. */
  volumes: Record<string, string>;
  /** The account's `token` and `ca.crt`; '' = there is no API server. */
  accountFolder: string;
  /** Port of the API server, on 127.0.0.1. */
  apiPort: number;
  cgroupsPath: string;
}

const ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Every container has them (containerd, pkg/oci, defaults of Linux). */
const STANDARD_MOUNTS = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
];
const MASKED = [
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/sched_debug',
  '/sys/firmware',
];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

const UNITS: Record<string, number> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/** "96Mi" → bytes */
export function bytesOf(quantity: string): number {
  const [, number = '', unit = ''] = /^(\d+)(Ki|Mi|Gi)?$/.exec(quantity) ?? [];
  const factor = UNITS[unit];
  if (number === '' || factor === undefined) throw new Error(`not a quantity of memory: ${quantity}`);
  return Number(number) * factor;
}

/** "100m" → thousandths of a CPU */
export function milliCpusOf(quantity: string): number {
  return quantity.endsWith('m') ? Number(quantity.slice(0, -1)) : Number(quantity) * 1000;
}

function mountOf(mount: Manifest, pod: Manifest, volumes: Record<string, string>): unknown {
  const volume = pod.volumes.find((one: Manifest) => one.name === mount.name);
  const source = volume?.hostPath?.path ?? volumes[mount.name];
  if (source === undefined) throw new Error(`no folder for volume ${mount.name}`);
  const propagation = mount.mountPropagation === 'HostToContainer' ? 'rslave' : 'rprivate';
  return {
    destination: mount.mountPath,
    type: 'bind',
    source,
    options: ['rbind', propagation, mount.readOnly ? 'ro' : 'rw'],
  };
}

export function ociConfig(options: OciOptions): Manifest {
  const { rootfs, pod, container: name, fields, volumes, accountFolder, apiPort, cgroupsPath } = options;
  const container = [...(pod.initContainers ?? []), ...pod.containers].find((one: Manifest) => one.name === name);
  const { capabilities, allowPrivilegeEscalation, readOnlyRootFilesystem } = container.securityContext;
  if (capabilities.drop?.[0] !== 'ALL') throw new Error(`${name}: not that kind of a container`);
  const added = (capabilities.add ?? []).map((one: string) => `CAP_${one}`);
  const env = (container.env ?? []).map((one: Manifest) => {
    const value = one.value ?? fields[one.valueFrom?.fieldRef?.fieldPath];
    if (value === undefined) throw new Error(`no value for ${one.name}`);
    return `${one.name}=${value}`;
  });
  const { memory, cpu } = container.resources.limits ?? {};
  const account = { destination: ACCOUNT_DIR, type: 'bind', source: accountFolder, options: ['rbind', 'ro'] };
  const address = ['KUBERNETES_SERVICE_HOST=127.0.0.1', `KUBERNETES_SERVICE_PORT=${apiPort}`];
  const service = accountFolder === '' ? [] : address;
  // A folder before those in it, in whatever order the manifest has them.
  const mounts = container.volumeMounts
    .toSorted((a: Manifest, b: Manifest) => a.mountPath.length - b.mountPath.length)
    .map((one: Manifest) => mountOf(one, pod, volumes));
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 },
      args: [...container.command, ...(container.args ?? [])],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...env, ...service],
      cwd: '/',
      capabilities: { bounding: added, effective: added, permitted: added },
      noNewPrivileges: allowPrivilegeEscalation === false,
    },
    root: { path: rootfs, readonly: readOnlyRootFilesystem === true },
    mounts: [...STANDARD_MOUNTS, ...mounts, ...(accountFolder === '' ? [] : [account])],
    linux: {
      cgroupsPath,
      namespaces: ['pid', 'ipc', 'uts', 'mount', ...(pod.hostNetwork ? [] : ['network'])].map((type) => ({ type })),
      maskedPaths: MASKED,
      readonlyPaths: READ_ONLY,
      ...(pod.securityContext?.seccompProfile?.type === 'RuntimeDefault' ? { seccomp: SECCOMP } : {}),
      resources: {
        ...(memory === undefined ? {} : { memory: { limit: bytesOf(memory) } }),
        ...(cpu === undefined ? {} : { cpu: { period: 100_000, quota: milliCpusOf(String(cpu)) * 100 } }),
      },
    },
  };
}
