/** Which device each network of a pod gets: the kubelet knows what it gave to the pod, the cluster what it claims. */
import { isPodOf } from '../../cluster/pod-uid.ts';
import type { ClusterSource } from '../../cluster/source.ts';
import { CniCode, CniError } from '../../cni/errors.ts';
import { quote } from '../../cni/quote.ts';
import { podDevices } from '../../node/kubelet/pod-devices.ts';
import { DeviceMap, type PodDevices, type TakenDevice } from '../../pod/device-map.ts';
import type { PodIdentity } from '../../pod/identity.ts';
import type { Device } from '../../pod/plan.ts';
import type { SelectionRequests } from '../../pod/selection.ts';
import { claimedDevices } from './claimed-devices.ts';

/** A network as far as its device goes. */
export interface DeviceUser {
  label: string;
  /** '' when it needs no device. */
  resourceName: string;
  /** What the pod asks of it, perhaps a device by its id. */
  requests?: Pick<SelectionRequests, 'deviceId'> | undefined;
}

export interface DeviceQuestion {
  /** undefined: the container is no pod. */
  pod: PodIdentity | undefined;
  kubeletDir: string;
  source: ClusterSource | undefined;
  /** Ends the look-ups. */
  signal: AbortSignal;
  /** What the pod's networks have already. @default none */
  taken?: readonly TakenDevice[];
}

const NOTHING: PodDevices = { devices: new Map(), doubts: [], leftOut: [] };

/** What the pod claims, as far as the source can tell. @param wanted the resources that its networks ask for */
async function fromClaims(
  pod: PodIdentity,
  source: ClusterSource,
  wanted: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<PodDevices> {
  const lookup = await source.pod(pod.namespace, pod.name, { uid: pod.uid, signal });
  if (lookup.outcome === 'unknown') return { ...NOTHING, doubts: [lookup.reason] };
  const { uid, claims } = lookup.pod;
  if (!isPodOf(lookup.pod, pod.uid)) {
    return { ...NOTHING, doubts: [`the ${source.description} have another pod of that name, with UID ${uid}`] };
  }
  if (claims === undefined || source.resources === undefined) {
    return { ...NOTHING, doubts: [`the ${source.description} do not tell resource claims`] };
  }
  return claimedDevices(lookup.pod, wanted, source.resources, signal);
}

/** A device that both know is one device. */
function merged(first: PodDevices['devices'], second: PodDevices['devices']): PodDevices['devices'] {
  const names = new Set([...first.keys(), ...second.keys()]);
  return new Map(
    [...names].map((name) => [name, [...new Set([...(first.get(name) ?? []), ...(second.get(name) ?? [])])]]),
  );
}

/** Devices that the pod names itself, for networks that are not given one: they are no longer to be had. */
function namedDevices(networks: readonly DeviceUser[]): TakenDevice[] {
  return networks.flatMap(({ label, resourceName, requests }) => {
    const id = resourceName === '' ? (requests?.deviceId ?? '') : '';
    return id === '' ? [] : [{ network: label, device: { id, resourceName } }];
  });
}

/** Is there a device for each network? */
function isEnough(networks: readonly DeviceUser[], map: DeviceMap): boolean {
  return networks.every(({ label, resourceName }) => map.tryTake(resourceName, label) !== undefined);
}

/** One device for each network. @throws CniError 7 or 11 when there are too few */
function takeAll<T extends DeviceUser>(networks: readonly T[], map: DeviceMap): Map<T, Device> {
  return new Map(
    networks.map((network) => {
      const { label, resourceName } = network;
      return [network, { id: map.take(resourceName, label), resourceName }];
    }),
  );
}

/**
 * A device for each network that needs one, in their order; the same is never given twice. The cluster is asked only
 * when what the kubelet gave to the pod is not enough: device plugins need no API server.
 * @throws CniError 7 when the pod has too few devices, 11 when that cannot be told, 4 when there is no pod
 */
export async function assignDevices<T extends DeviceUser>(
  networks: readonly T[],
  { pod, kubeletDir, source, signal, taken = [] }: DeviceQuestion,
): Promise<Map<T, Device>> {
  const users = networks.filter(({ resourceName }) => resourceName !== '');
  const [first] = users;
  if (first === undefined) return new Map();
  if (pod === undefined) {
    throw new CniError(
      CniCode.invalidEnvironment,
      `Cannot give network ${quote(first.label)} a device of resource ${quote(first.resourceName)}: only pods have devices, and CNI_ARGS names none`,
    );
  }
  const gone = [...taken, ...namedDevices(networks)];
  const mapOf = (known: PodDevices) => new DeviceMap(`${pod.namespace}/${pod.name}`, known, gone);
  const given = { ...NOTHING, devices: await podDevices(pod, kubeletDir, signal) };
  if (source === undefined || isEnough(users, mapOf(given))) return takeAll(users, mapOf(given));
  const claimed = await fromClaims(pod, source, new Set(users.map(({ resourceName }) => resourceName)), signal);
  return takeAll(users, mapOf({ ...claimed, devices: merged(given.devices, claimed.devices) }));
}
