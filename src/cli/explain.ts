/** `multus explain`: which networks a pod would get, in which order and under which names; nothing is run. */
import { readFileSync } from 'node:fs';
import { NEVER_ABORTED } from '../attach/operation.ts';
import { readOverlay } from '../attach/overlay-file.ts';
import type { DeviceUser } from '../attach/resolve/devices.ts';
import { resolvePlan } from '../attach/resolve/make-plan.ts';
import { OfflineSource } from '../cluster/kubernetes/live-source.ts';
import type { SourceLog } from '../cluster/source.ts';
import { createSources, type OpenSource, type SourceSettings, sourceSettings } from '../cluster/sources.ts';
import { parseArgs } from '../cni/args.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { checkIfName } from '../cni/names.ts';
import { decodeUtf8, RawObject } from '../cni/raw-json.ts';
import { systemReason } from '../node/system-reason.ts';
import { parseDaemonConfig } from '../pod/daemon-config.ts';
import { parseMultusConfig } from '../pod/multus-config.ts';
import type { Device } from '../pod/plan.ts';
import { VERSION } from '../wire/version.ts';
import { formatTable } from './table.ts';

export interface ExplainOptions {
  /** CNI configuration file of multus. */
  conf: string;
  /** Overrides the configuration's key. */
  manifests?: string;
  /** To ask the API server with; overrides the configuration's key, and its folder of manifests. */
  kubeconfig?: string;
  /** The daemon's file, whose keys count for the whole node; without it those that a daemon left beside its socket. */
  daemonConfig?: string;
  ifname: string;
  json?: boolean;
}

/** DNS-1123 names, as Kubernetes has them. */
const POD = /^(?:([a-z0-9][-a-z0-9.]*)\/)?([a-z0-9][-a-z0-9.]*)$/;

/** Which device it will be, only the kubelet knows, and only of a pod that is on this node. */
async function someDevices<T extends DeviceUser>(networks: readonly T[]): Promise<Map<T, Device>> {
  const users = networks.filter(({ resourceName }) => resourceName !== '');
  return new Map(
    users.map((user) => [user, { id: `<a device of ${user.resourceName}>`, resourceName: user.resourceName }]),
  );
}

/** @throws CniError 5 naming the option, 6 for what is not JSON */
function readObject(path: string, option: string, what: string): RawObject {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new CniError(CniCode.ioFailure, `Cannot read ${option} ${path}: ${systemReason(error)}`);
  }
  return RawObject.parse(decodeUtf8(bytes, what), what);
}

function configOf({ conf, daemonConfig, manifests, kubeconfig }: ExplainOptions): RawObject {
  const config = readObject(conf, '--conf', `configuration file ${conf}`);
  const what = `daemon configuration ${daemonConfig}`;
  const overlay =
    daemonConfig === undefined
      ? readOverlay(config)
      : parseDaemonConfig(readObject(daemonConfig, '--daemon-config', what), what).overlay;
  return config.with({
    ...overlay,
    ...(kubeconfig === undefined ? {} : { kubeconfig: JSON.stringify(kubeconfig), manifestsDir: '""' }),
    ...(manifests === undefined ? {} : { manifestsDir: JSON.stringify(manifests) }),
  });
}

/** The daemon may well run, but answers no such questions. */
const NOT_THROUGH_THE_DAEMON = { reason: 'explain cannot ask through the daemon', remedy: 'give --kubeconfig' };

function sourcesOf(log: SourceLog): OpenSource {
  const open = createSources({ log, userAgent: `multus-native/${VERSION} (explain)` });
  return (settings) =>
    whoTells(settings) === 'daemon'
      ? new OfflineSource({ cniDir: settings.cniDir, log, nobody: NOT_THROUGH_THE_DAEMON })
      : open(settings);
}

function whoTells({ manifestsDir, kubeconfig, kubernetes }: SourceSettings): 'source' | 'daemon' | 'nobody' {
  if (manifestsDir !== '' || kubeconfig !== '') return 'source';
  return kubernetes ? 'daemon' : 'nobody';
}

/**
 * @param pod `namespace/name`, or `name` in namespace default
 * @returns what to print
 * @throws CniError as ADD would
 */
export async function explain(pod: string, options: ExplainOptions): Promise<string> {
  const [, namespace = 'default', name] = POD.exec(pod) ?? [];
  if (name === undefined) {
    throw new CniError(CniCode.invalidEnvironment, `Cannot explain pod "${pod}": it must be [namespace/]name`);
  }
  checkIfName(options.ifname, '--ifname');
  const config = parseMultusConfig(configOf(options));
  const args = parseArgs(`IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name}`);
  const notes: string[] = [];
  const note = (fields: object, message: string): void => {
    notes.push(`note: ${message}: ${JSON.stringify(fields)}\n`);
  };
  const log = { debug: () => undefined, info: () => undefined, warn: note, error: note };
  const question = {
    config,
    openSource: sourcesOf(log),
    budget: NEVER_ABORTED,
    log,
    request: { containerId: '', ifName: options.ifname, args },
  };
  const plan = await resolvePlan(question, someDevices);
  if (options.json === true) return `${JSON.stringify(plan, null, 2)}\n`;
  const rows = plan.attachments.map((attachment, i) => [
    String(i + 1),
    attachment.ifName,
    attachment.network,
    attachment.steps.map(({ type }) => type).join(', '),
    attachment.cniVersion,
    attachment.requestedMac || '-',
    attachment.requestedIps.join(', ') || '-',
    attachment.device?.resourceName ?? '-',
  ]);
  const routes = plan.defaultRoutes.map(({ family, gateways }) => {
    const list = gateways.map(({ gateway, ifName }) => `via ${gateway} on ${ifName}`).join(', ');
    return `IPv${family} default route: ${list || 'none'}\n`;
  });
  return (
    formatTable(['#', 'IFNAME', 'NETWORK', 'PLUGINS', 'CNIVERSION', 'MAC', 'IPS', 'DEVICE OF'], rows) +
    routes.join('') +
    notes.join('') +
    (whoTells(sourceSettings(config)) === 'nobody' ? "no source of pods: only the node's own networks are shown\n" : '')
  );
}
