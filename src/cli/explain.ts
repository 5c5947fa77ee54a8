/** `multus explain`: which networks a pod would get, in which order and under which names; nothing is run. */
import { readFileSync } from 'node:fs';
import { resolvePlan } from '../attach/make-plan.ts';
import { createSources } from '../cluster/sources.ts';
import { parseArgs } from '../cni/args.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { checkIfName } from '../cni/names.ts';
import { decodeUtf8, RawObject } from '../cni/raw-json.ts';
import { parseMultusConfig } from '../pod/multus-config.ts';
import { formatTable } from './table.ts';

export interface ExplainOptions {
  /** CNI configuration file of multus. */
  conf: string;
  /** Overrides the configuration's key. */
  manifests?: string;
  ifname: string;
  json?: boolean;
}

/** DNS-1123 names, as Kubernetes has them. */
const POD = /^(?:([a-z0-9][-a-z0-9.]*)\/)?([a-z0-9][-a-z0-9.]*)$/;

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
  const what = `configuration file ${options.conf}`;
  const raw = RawObject.parse(decodeUtf8(readFileSync(options.conf), what), what);
  const { manifests } = options;
  const config = parseMultusConfig(
    manifests === undefined ? raw : raw.with({ manifestsDir: JSON.stringify(manifests) }),
  );
  const args = parseArgs(`IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name}`);
  const notes: string[] = [];
  const note = (fields: object, message: string): void => {
    notes.push(`note: ${message}: ${JSON.stringify(fields)}\n`);
  };
  const plan = await resolvePlan({
    config,
    openSource: createSources(),
    log: { debug: () => undefined, info: () => undefined, warn: note, error: note },
    request: { containerId: '', ifName: options.ifname, args },
  });
  if (options.json === true) return `${JSON.stringify(plan, null, 2)}\n`;
  const rows = plan.attachments.map((attachment, i) => [
    String(i + 1),
    attachment.ifName,
    attachment.network,
    attachment.steps.map(({ type }) => type).join(', '),
    attachment.cniVersion,
    attachment.requestedMac || '-',
    attachment.requestedIps.join(', ') || '-',
  ]);
  const routes = plan.defaultRoutes.map(({ family, gateways }) => {
    const list = gateways.map(({ gateway, ifName }) => `via ${gateway} on ${ifName}`).join(', ');
    return `IPv${family} default route: ${list || 'none'}\n`;
  });
  return (
    formatTable(['#', 'IFNAME', 'NETWORK', 'PLUGINS', 'CNIVERSION', 'MAC', 'IPS'], rows) +
    routes.join('') +
    notes.join('')
  );
}
