/** Resource claims and slices in memory, as a cluster source tells them. */
import type { AllocatedDevice, PodRecord, ResourceSliceRecord, ResourceSource } from '../../src/cluster/source.ts';

/** A device with both attributes that Multus reads; '' leaves one out. */
export function networkDevice(deviceId: string, resourceName: string): Record<string, string> {
  return {
    ...(deviceId === '' ? {} : { 'k8s.cni.cncf.io/deviceID': deviceId }),
    ...(resourceName === '' ? {} : { 'k8s.cni.cncf.io/resourceName': resourceName }),
    'dra.net/numaNode': '0',
  };
}

/** A slice of pool "node-1" of driver "sriov.example". */
export function aSlice(
  devices: Record<string, Record<string, string>>,
  more: Partial<ResourceSliceRecord> = {},
): ResourceSliceRecord {
  const name = 'slice-1';
  return {
    name,
    driver: 'sriov.example',
    pool: 'node-1',
    generation: 1,
    ...more,
    devices: new Map(Object.entries(devices)),
  };
}

/** An allocation of a device of that pool, by request "request-<device>". */
export function anAllocation(device: string, more: Partial<AllocatedDevice> = {}): AllocatedDevice {
  return { request: `request-${device}`, driver: 'sriov.example', pool: 'node-1', device, adminAccess: false, ...more };
}

/** Pod prod/web with these claims. */
export function claimingPod(claims: Partial<NonNullable<PodRecord['claims']>>): PodRecord {
  const all = { names: [], pending: [], extended: undefined, ...claims };
  return { namespace: 'prod', name: 'web', uid: '', annotations: {}, claims: all };
}

export interface FakeResources extends ResourceSource {
  /** What was looked up: "claim prod/nic", "slices sriov.example". */
  calls: string[];
}

/**
 * @param claims of namespace prod, by name; undefined = not allocated yet
 * @param unknown why slices cannot be told
 */
export function fakeResources(
  claims: Record<string, AllocatedDevice[] | undefined>,
  slices: readonly ResourceSliceRecord[],
  unknown?: string,
): FakeResources {
  const calls: string[] = [];
  return {
    calls,
    async resourceClaim(namespace, name) {
      calls.push(`claim ${namespace}/${name}`);
      if (namespace === 'prod' && name in claims) {
        return { outcome: 'found', claim: { namespace, name, allocated: claims[name] } };
      }
      return { outcome: 'absent', reason: `no claim ${name}` };
    },
    async resourceSlices(driver) {
      calls.push(`slices ${driver}`);
      if (unknown !== undefined) return { outcome: 'unknown', reason: unknown };
      return { outcome: 'found', slices: slices.filter((slice) => slice.driver === driver) };
    },
  };
}
