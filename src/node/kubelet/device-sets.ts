/** Devices of one pod while they are collected: a resource's devices may be spread over containers and NUMA nodes. */

/** The pod as the kubelet knows it. */
export interface KubeletPod {
  namespace: string;
  name: string;
  /** '' when the runtime gave none. */
  uid: string;
}

/** Device ids by resource name. Sets: an init container's devices are given to the other containers, too. */
export type DeviceSets = Map<string, Set<string>>;

export function addDevices(sets: DeviceSets, resourceName: string, ids: Iterable<string>): void {
  const devices = sets.get(resourceName) ?? new Set();
  for (const id of ids) devices.add(id);
  sets.set(resourceName, devices);
}

/** In an order that is the same every time: the kubelet's own changes from one call to the next. */
export function sortedDevices(sets: DeviceSets): Map<string, string[]> {
  return new Map([...sets].map(([resourceName, ids]) => [resourceName, [...ids].sort()]));
}
