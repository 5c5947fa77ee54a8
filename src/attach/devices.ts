/** Which device each network of a pod gets: the kubelet knows what it gave to the pod, the cluster what it claims. */
import type { ClusterSource } from '../cluster/source.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { quote } from '../cni/quote.ts';
import { podDevices } from '../node/kubelet/pod-devices.ts';
import { DeviceMap, type PodDevices } from '../pod/device-map.ts';
import type { PodIdentity } from '../pod/identity.ts';
import { claimedDevices } from './claimed-devices.ts';

/** A network whose definition names a resource. */
export interface DeviceRequest {
  network: string;
  resourceName: string;
}

export interface DeviceQuestion {
  /** undefined: the container is no pod. */
  pod: PodIdentity | undefined;
  kubeletDir: string;
  source: ClusterSource | undefined;
  signal: AbortSignal;
}

const NOTHING: PodDevices = { devices: new Map(), doubts: [], leftOut: [] };

/** What the pod claims, as far as the source can tell. */
async function fromClaims(
  pod: PodIdentity,
  source: ClusterSource,
  requests: readonly DeviceRequest[],
): Promise<PodDevices> {
  const lookup = await source.pod(pod.namespace, pod.name);
  if (lookup.outcome === 'unknown') return { ...NOTHING, doubts: [lookup.reason] };
  const { uid, claims } = lookup.pod;
  if (uid !== '' && pod.uid !== '' && uid !== pod.uid) {
    return { ...NOTHING, doubts: [`the ${source.description} have another pod of that name, with UID ${uid}`] };
  }
  if (claims === undefined || source.resources === undefined) {
    return { ...NOTHING, doubts: [`the ${source.description} do not tell resource claims`] };
  }
  return claimedDevices(lookup.pod, new Set(requests.map(({ resourceName }) => resourceName)), source.resources);
}

/** A device that both know is one device. */
function merged(first: PodDevices['devices'], second: PodDevices['devices']): PodDevices['devices'] {
  const names = new Set([...first.keys(), ...second.keys()]);
  return new Map(
    [...names].map((name) => [name, [...new Set([...(first.get(name) ?? []), ...(second.get(name) ?? [])])]]),
  );
}

/** One device for each request. @throws CniError 7 or 11 when there are too few */
function takeAll(pod: PodIdentity, requests: readonly DeviceRequest[], known: PodDevices): string[] {
  const map = new DeviceMap(`${pod.namespace}/${pod.name}`, known);
  return requests.map(({ network, resourceName }) => map.take(resourceName, network));
}

/**
 * One device for each request, in their order; the same is never given twice. The cluster is asked only when what the
 * kubelet gave to the pod is not enough: device plugins need no API server.
 * @returns device ids
 * @throws CniError 7 when the pod has too few devices, 11 when that cannot be told, 4 when there is no pod
 */
export async function assignDevices(requests: readonly DeviceRequest[], question: DeviceQuestion): Promise<string[]> {
  const { pod, kubeletDir, source, signal } = question;
  const [first] = requests;
  if (first === undefined) return [];
  if (pod === undefined) {
    throw new CniError(
      CniCode.invalidEnvironment,
      `Cannot give network ${quote(first.network)} a device of resource ${quote(first.resourceName)}: only pods have devices, and CNI_ARGS names none`,
    );
  }
  const given = await podDevices(pod, kubeletDir, signal);
  try {
    return takeAll(pod, requests, { ...NOTHING, devices: given });
  } catch (shortage) {
    if (source === undefined) throw shortage;
  }
  const claimed = await fromClaims(pod, source, requests);
  return takeAll(pod, requests, { ...claimed, devices: merged(given, claimed.devices) });
}
