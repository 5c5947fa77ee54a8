/** What the daemon runs with: its command line, its file, and defaults, in this order. */
import type { CredentialsOrigin } from '../cluster/kubernetes/access.ts';
import { certificatePath } from '../cluster/kubernetes/node-certificate.ts';
import { RawObject } from '../cni/raw-json.ts';
import { targetOf } from '../log/open-log.ts';
import { StartError } from '../node-config/start-error.ts';
import { type DaemonConfig, parseDaemonConfig } from '../pod/daemon-config.ts';
import type { LogSettings } from '../pod/log-settings.ts';
import { DEFAULT_CNI_DIR, parseNodeKeys } from '../pod/multus-config.ts';
import type { Overlay } from '../pod/overlay.ts';
import { DEFAULT_SOCKET_DIR } from '../wire/http.ts';

/** The command line; undefined = not said. */
export interface Options {
  config?: string;
  socketDir?: string;
  cniDir?: string;
  /** pino's name. */
  logLevel?: string;
  maxOperations?: number;
  hotplug?: boolean;
  reconcileInterval: number;
  kubeconfig?: string;
  nodeName?: string;
}

/** The part of the environment that counts. */
export interface Surroundings {
  hostname: string;
  MULTUS_NODE_NAME?: string | undefined;
  KUBERNETES_SERVICE_HOST?: string | undefined;
  KUBERNETES_SERVICE_PORT?: string | undefined;
}

/** Where the kubelet puts a pod's credentials. */
const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface ClusterSettings {
  origin: CredentialsOrigin;
  node: string;
  /** A certificate of the node's own is to be kept here. */
  certificate?: { certDir: string; seconds: number };
}

export interface Settings {
  socketDir: string;
  /** State directories to look after from the start. */
  stateDirectories: string[];
  /** Operations of a kind that run at a time. */
  maxOperations: number;
  log: LogSettings;
  /** pino's name. */
  logLevel: string;
  /** The API server to follow; undefined: there is none, or requests name theirs. */
  cluster: ClusterSettings | undefined;
  overlay: Overlay;
  hotplug: boolean;
  /** The multus configuration of requests that bring none: the overlay, with a state directory. */
  nodeKeys: RawObject;
  notes: string[];
}

export const DEFAULT_MAX_OPERATIONS = 32;

const NO_FILE = parseDaemonConfig(RawObject.parse('{}', 'no file'), 'no file');

/** For both doors: where nobody can ask the API server, what a pod wants is unknown. */
export const OF_A_CLUSTER: Overlay = { kubernetes: 'true' };

function originOf(kubeconfig: string, around: Surroundings): CredentialsOrigin | undefined {
  if (kubeconfig !== '') return { kubeconfig };
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = around;
  if (host === '' || port === '') return undefined;
  return { server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`, folder: SERVICE_ACCOUNT_DIR };
}

/** @param own then its bootstrap kubeconfig says where the API server is */
function clusterOf(
  kubeconfig: string,
  { nodeName }: Options,
  own: DaemonConfig['perNodeCertificate'],
  around: Surroundings,
): ClusterSettings | undefined {
  const node = nodeName ?? (around.MULTUS_NODE_NAME || around.hostname.toLowerCase());
  if (own !== undefined) {
    const { bootstrapKubeconfig, certDir, seconds } = own;
    const origin = { kubeconfig: bootstrapKubeconfig, certificate: certificatePath(certDir) };
    return { origin, node, certificate: { certDir, seconds } };
  }
  const origin = originOf(kubeconfig, around);
  return origin === undefined ? undefined : { origin, node };
}

/** What a daemon without an API server is asked in vain. */
function noteOfNobody(nodeKeys: RawObject): string[] {
  const { kubernetes, kubeconfig, manifestsDir } = parseNodeKeys(nodeKeys);
  if (!kubernetes || kubeconfig !== '' || manifestsDir !== '') return [];
  return [
    '"kubernetes" is set, but the daemon has no credentials for an API server: pods whose annotations the runtime does not hand over wait (error 11); set "kubeconfig"',
  ];
}

/**
 * @param config the daemon's file, if there is one
 * @throws StartError 1 for a node without a name, 3 for a connection limit that lets nobody in
 */
export function settingsOf(options: Options, config: DaemonConfig | undefined, around: Surroundings): Settings {
  const { connectionLimit = DEFAULT_MAX_OPERATIONS, socketDir, cniDir, log, notes, source } = config ?? NO_FILE;
  const kubeconfig = options.kubeconfig ?? (source.value('kubeconfig') as string | undefined) ?? '';
  const cluster = clusterOf(kubeconfig, options, (config ?? NO_FILE).perNodeCertificate, around);
  const overlay = { ...(cluster === undefined ? {} : OF_A_CLUSTER), ...(config ?? NO_FILE).overlay };
  if (connectionLimit < 1) {
    throw new StartError(3, `Cannot start: "connectionLimit" must be a whole number from 1, got ${connectionLimit}`);
  }
  if (options.nodeName === '') {
    throw new StartError(1, 'Cannot start: --node-name must not be empty; leave it out for the host name');
  }
  // Not only the file's: without the daemon, pods may have been attached before this file was written.
  const stateDirectories = new Set([options.cniDir ?? DEFAULT_CNI_DIR, ...(cniDir === '' ? [] : [cniDir])]);
  const nodeKeys = RawObject.parse('{}', 'daemon configuration').with({
    cniDir: JSON.stringify(options.cniDir ?? DEFAULT_CNI_DIR),
    ...overlay,
  });
  return {
    socketDir: options.socketDir ?? (socketDir || DEFAULT_SOCKET_DIR),
    stateDirectories: [...stateDirectories],
    maxOperations: options.maxOperations ?? connectionLimit,
    log,
    logLevel: options.logLevel ?? targetOf(log, 'info').level,
    cluster,
    overlay,
    hotplug: options.hotplug ?? (config ?? NO_FILE).hotplug,
    nodeKeys,
    notes: cluster === undefined ? [...notes, ...noteOfNobody(nodeKeys)] : notes,
  };
}
