/**
 * A pod's devices by Dynamic Resource Allocation: from its ResourceClaims to what their drivers tell of the allocated
 * devices, by the two attributes that Multus reads since 4.3.
 */
import type {
  AllocatedDevice,
  ExtendedClaim,
  PodRecord,
  ResourceSliceLookup,
  ResourceSource,
} from '../../cluster/source.ts';
import { CniCode, CniError } from '../../cni/errors.ts';
import { quote } from '../../cni/quote.ts';
import type { PodDevices } from '../../pod/device-map.ts';

/** What the plugin of a network gets as its device. */
const DEVICE_ID = 'k8s.cni.cncf.io/deviceID';
/** The resource that definitions of networks ask for. */
const RESOURCE_NAME = 'k8s.cni.cncf.io/resourceName';

/** What a driver tells of a device; '' where the attribute is missing. */
interface NetworkDevice {
  deviceId: string;
  resourceName: string;
}

function nameOf({ driver, pool, device }: AllocatedDevice): string {
  return `device ${driver}/${pool}/${device}`;
}

/** Collects the devices of one pod. */
class ClaimReader implements PodDevices {
  readonly devices = new Map<string, string[]>();
  readonly doubts: string[] = [];
  readonly leftOut: string[] = [];
  private readonly namespace: string;
  private readonly source: ResourceSource;
  private readonly signal: AbortSignal;
  /** One look-up for each driver. */
  private readonly slices = new Map<string, Promise<ResourceSliceLookup>>();

  constructor(namespace: string, source: ResourceSource, signal: AbortSignal) {
    this.namespace = namespace;
    this.source = source;
    this.signal = signal;
  }

  /** Devices without the attributes are left out: they are for other uses, a GPU for one. */
  async addClaim(name: string): Promise<void> {
    for (const [allocated, device] of await this.devicesOf(name)) {
      const missing = [device.deviceId === '' && DEVICE_ID, device.resourceName === '' && RESOURCE_NAME].filter(
        Boolean,
      );
      if (missing.length === 0) this.add(device);
      else this.leftOut.push(`${nameOf(allocated)} of claim ${name} has no attribute ${missing.join(', ')}`);
    }
  }

  /** The claim says which resource each device is for; the driver must say the same of those that are asked for. */
  async addExtendedClaim({ name, resources }: ExtendedClaim, wanted: ReadonlySet<string>): Promise<void> {
    for (const [allocated, device] of await this.devicesOf(name)) {
      const requested = resources.get(allocated.request) ?? '';
      if (!wanted.has(requested) && !wanted.has(device.resourceName)) continue;
      if (device.resourceName === requested && device.deviceId !== '') {
        this.add(device);
        continue;
      }
      const problem =
        device.resourceName === requested
          ? `attribute ${DEVICE_ID} is missing`
          : `request ${quote(allocated.request)} is for resource ${quote(requested)}, attribute ${RESOURCE_NAME} says ${quote(device.resourceName)}`;
      throw new CniError(
        CniCode.invalidConfig,
        `Cannot use ${nameOf(allocated)} of ResourceClaim ${this.namespace}/${name}: ${problem}; its driver must publish both alike`,
      );
    }
  }

  private add({ deviceId, resourceName }: NetworkDevice): void {
    this.devices.set(resourceName, [...(this.devices.get(resourceName) ?? []), deviceId]);
  }

  /** What is allocated for a claim, and what can be told of it. */
  private async devicesOf(name: string): Promise<[AllocatedDevice, NetworkDevice][]> {
    const lookup = await this.source.resourceClaim(this.namespace, name, this.signal);
    if (lookup.outcome !== 'found') {
      this.doubts.push(lookup.reason);
      return [];
    }
    const { allocated } = lookup.claim;
    if (allocated === undefined) {
      throw new CniError(
        CniCode.tryAgainLater,
        `Cannot tell the devices of ResourceClaim ${this.namespace}/${name}: nothing is allocated for it yet`,
      );
    }
    const found: [AllocatedDevice, NetworkDevice][] = [];
    for (const one of allocated) {
      const device = one.adminAccess ? undefined : await this.describe(one);
      if (device !== undefined) found.push([one, device]);
      if (one.adminAccess) this.leftOut.push(`${nameOf(one)} is allocated with adminAccess: it belongs to another pod`);
    }
    return found;
  }

  /** undefined when nobody tells of it. */
  private async describe(allocated: AllocatedDevice): Promise<NetworkDevice | undefined> {
    const { driver, pool, device } = allocated;
    const lookup = this.slices.get(driver) ?? this.source.resourceSlices(driver, this.signal);
    this.slices.set(driver, lookup);
    const found = await lookup;
    const ofPool = found.outcome === 'found' ? found.slices.filter((slice) => slice.pool === pool) : [];
    // What an earlier generation says of a device may no longer be so.
    const generation = Math.max(...ofPool.map((slice) => slice.generation));
    const slices = ofPool.filter((slice) => slice.generation === generation);
    const attributes = slices.map((slice) => slice.devices.get(device)).find((one) => one !== undefined);
    if (attributes !== undefined) {
      return { deviceId: attributes[DEVICE_ID] ?? '', resourceName: attributes[RESOURCE_NAME] ?? '' };
    }
    const reason = found.outcome === 'found' ? 'no ResourceSlice of its pool has it' : found.reason;
    this.doubts.push(`cannot look up ${nameOf(allocated)}: ${reason}`);
    return undefined;
  }
}

/**
 * The devices of all claims of a pod, in the order in which they were allocated.
 * @param wanted the resources that networks of the pod ask for
 * @throws CniError 11 when a claim has no allocation, 7 when a driver contradicts the claim for extended resources
 */
export async function claimedDevices(
  pod: PodRecord,
  wanted: ReadonlySet<string>,
  source: ResourceSource,
  signal: AbortSignal,
): Promise<PodDevices> {
  const reader = new ClaimReader(pod.namespace, source, signal);
  const { names = [], pending = [], extended } = pod.claims ?? {};
  for (const name of pending) reader.doubts.push(`there is no ResourceClaim for claim "${name}" of the pod yet`);
  for (const name of names) await reader.addClaim(name);
  if (extended !== undefined) await reader.addExtendedClaim(extended, wanted);
  return reader;
}
