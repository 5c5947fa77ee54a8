/**
 * What a network that is plugged into a running pod is to be. A controller's request brings the configuration, and everything
 * else is in the entry of the pod's annotation that asks for this interface. The daemon's own has the entry, and the
 * configuration is that of the entry's definition, as at ADD.
 */
import type { ClusterSource } from '../../cluster/source.ts';
import { parseNetworkConfig } from '../../cni/config.ts';
import { CniCode, CniError } from '../../cni/errors.ts';
import { quote } from '../../cni/quote.ts';
import { deviceInfoPath } from '../../node/device-info.ts';
import { askedText } from '../../pod/asked.ts';
import { authorisePlugins, authoriseReference } from '../../pod/authorise.ts';
import { RESOURCE_ANNOTATION } from '../../pod/device-map.ts';
import { type PodIdentity, podIdentity } from '../../pod/identity.ts';
import type { MultusConfig } from '../../pod/multus-config.ts';
import { parseSelections } from '../../pod/parse-selections.ts';
import { type Network, type PlannedAttachment, planAttachment } from '../../pod/plan.ts';
import {
  NETWORKS_ANNOTATION,
  type NetworkSelection,
  NO_REQUESTS,
  type SelectionRequests,
} from '../../pod/selection.ts';
import type { InterfaceAttributes } from '../../pod/selection-entry.ts';
import { hasRuntimeAdd, type JournalRecord } from '../journal-record.ts';
import { lookupSignal, type Operation } from '../operation.ts';
import { assignDevices } from '../resolve/devices.ts';
import { annotationsFrom } from '../resolve/intent.ts';
import { refuseOurselves, selectedNetwork } from '../resolve/networks.ts';
import { HOTPLUG_CONFIG, type HotplugRequest } from './hotplug-request.ts';

/** Names under which runtimes run our own program. */
const OUR_TYPES = ['multus', 'multus-shim'];

/** The operation of a request of `POST /delegate`, or of the daemon's own. */
export interface Hotplug extends Operation {
  request: HotplugRequest;
}

interface Asked {
  pod: PodIdentity;
  source: ClusterSource;
  /** Ends the look-ups. */
  signal: AbortSignal;
  /** The pod's entry for this interface; to a controller, entries without a name of their own are for ADD. */
  entry: NetworkSelection | undefined;
}

/** @throws CniError 4 without a pod, 7 without a source of pods or with a wrong annotation, 11 when the pod is not known */
async function askedFor(hotplug: Hotplug): Promise<Asked> {
  const { request, config, openSource } = hotplug;
  const pod = podIdentity(request.args);
  if (pod === undefined) {
    throw new CniError(
      CniCode.invalidEnvironment,
      'Cannot tell whose interface it is: CNI_ARGS must have both K8S_POD_NAMESPACE and K8S_POD_NAME',
    );
  }
  const source = openSource(config);
  if (source === undefined) {
    throw new CniError(
      CniCode.invalidConfig,
      `Cannot look up pod ${pod.namespace}/${pod.name}: the daemon's configuration names no source of pods; set "kubeconfig" or "manifestsDir" in it`,
    );
  }
  const signal = lookupSignal(hotplug);
  if (request.selection !== undefined) return { pod, source, signal, entry: request.selection };
  const annotations = await annotationsFrom(source, pod, signal);
  const origin = `annotation ${NETWORKS_ANNOTATION} of pod ${pod.namespace}/${pod.name}`;
  const selections = parseSelections(annotations[NETWORKS_ANNOTATION], { origin, namespace: pod.namespace });
  return { pod, source, signal, entry: selections.find(({ ifName }) => ifName === request.ifName) };
}

/** The rules that ADD has for a network that a pod selects, for one whose configuration came with a request. @throws CniError 7 */
function authorise({ label, config: network }: Network, ifName: string, asked: Asked, rules: MultusConfig): void {
  const { entry } = asked;
  const podNamespace = asked.pod.namespace;
  if (entry !== undefined) {
    authoriseReference({ podNamespace, namespace: entry.namespace, name: entry.name }, rules);
    authorisePlugins(label, entry.namespace, network, rules);
    return;
  }
  const rule = rules.namespaceIsolation ? 'namespaceIsolation' : 'allowedPlugins';
  if (!rules.namespaceIsolation && rules.allowedPlugins === undefined) return;
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot plug network "${label}" into a pod of namespace "${podNamespace}": "${rule}" is set, and no entry of its annotation ${NETWORKS_ANNOTATION} asks for interface "${ifName}"; ` +
      'without one nobody can tell the namespace of the network',
  );
}

/**
 * The device that the network needs, of those that the kubelet gave to the pod and no other network of it has.
 * @throws CniError 7 when the pod has none left, 11 when that cannot be told
 */
async function deviceOf(label: string, { pod, source, signal, entry }: Asked, hotplug: Hotplug, record: JournalRecord) {
  if (entry === undefined) return undefined;
  const lookup = await source.definition(entry.namespace, entry.name, signal);
  if (lookup.outcome === 'unknown') {
    throw new CniError(
      CniCode.tryAgainLater,
      `Cannot tell whether network "${label}" needs a device: ${lookup.reason}`,
    );
  }
  const resourceName = lookup.outcome === 'found' ? (lookup.definition.annotations[RESOURCE_ANNOTATION] ?? '') : '';
  if (resourceName === '') return undefined;
  if (!hasRuntimeAdd(record)) {
    throw new CniError(
      CniCode.invalidConfig,
      `Cannot give network "${label}" a device of resource ${quote(resourceName)}: container ${record.containerId} was not attached by us, so that nobody can tell which devices its networks have`,
    );
  }
  const { config } = hotplug;
  const taken = record.attachments.flatMap(({ network, device }) =>
    device === undefined ? [] : [{ network, device }],
  );
  const user = { label, resourceName };
  return (await assignDevices([user], { pod, kubeletDir: config.kubeletDir, source, signal, taken })).get(user);
}

/** The request's own words count before those of the annotation, which they are usually copied from. */
function requestsOf(entry: NetworkSelection | undefined, attributes: InterfaceAttributes): SelectionRequests {
  const { ips, mac, cniArgs } = entry ?? NO_REQUESTS;
  return {
    ...(entry ?? NO_REQUESTS),
    ips: attributes.ips.length > 0 ? attributes.ips : ips,
    mac: attributes.mac === '' ? mac : attributes.mac,
    cniArgs: attributes.cniArgs ?? cniArgs,
  };
}

/** @throws CniError 1 or 7 when it is wrong, not allowed or absent, 11 when it cannot be told */
async function networkOf({ request, config }: Hotplug, asked: Asked): Promise<Network> {
  const { pod, source, signal, entry } = asked;
  if (request.selection !== undefined) {
    return selectedNetwork(request.selection, pod.namespace, { config, source, signal });
  }
  const network = hotplugNetwork(request.config, entry);
  authorise(network, request.ifName, asked, config);
  return network;
}

/** The network of the request's configuration, under the name that its users know. @throws CniError 1 or 7 */
export function hotplugNetwork(config: HotplugRequest['config'], entry?: NetworkSelection): Network {
  const network = parseNetworkConfig(config.text, HOTPLUG_CONFIG, entry === undefined ? {} : { name: entry.name });
  return { label: entry === undefined ? network.name : `${entry.namespace}/${entry.name}`, config: network };
}

/**
 * The attachment that a request asks for.
 * @param record the container's, which it is to join; undefined for an interface that is not to be attached: it gets no device
 * @throws CniError 7 when it is not allowed, wrong, or asks for what no plugin can give; else as askedFor
 */
export async function planHotplug(hotplug: Hotplug, record: JournalRecord | undefined): Promise<PlannedAttachment> {
  const { request, config } = hotplug;
  const asked = await askedFor(hotplug);
  const { label, config: text } = await networkOf(hotplug, asked);
  const network = { label, config: text };
  for (const type of OUR_TYPES) refuseOurselves(network, type);
  const requests = requestsOf(asked.entry, request.attributes);
  const device = record === undefined ? undefined : await deviceOf(network.label, asked, hotplug, record);
  const { containerId, ifName, args } = request;
  const planned = planAttachment({ ...network, requests, device }, ifName, false, {
    args,
    runtimeConfig: {},
    deviceInfoFile: (label) => deviceInfoPath(config.deviceInfoDir, { network: label, containerId, ifName }),
  });
  return { ...planned, asked: asked.entry === undefined ? '' : askedText(requests) };
}
