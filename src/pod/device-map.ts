/** The devices of one pod, handed out to its networks: each device once, whichever reference asks for it. */
import { CniCode, CniError } from '../cni/errors.ts';
import { quote } from '../cni/quote.ts';
import type { Device } from './plan.ts';

/** Annotation of a definition: the resource of a device plugin (or DRA driver) that its network needs a device of. */
export const RESOURCE_ANNOTATION = 'k8s.v1.cni.cncf.io/resourceName';

export interface PodDevices {
  /** Device ids by resource name, in the order in which they are to be taken. */
  devices: ReadonlyMap<string, readonly string[]>;
  /** Why the pod may have more devices than these; [] when that is certain. */
  doubts: readonly string[];
  /** Devices that are left out for good, and why: shown where one is missing. */
  leftOut: readonly string[];
}

/** A device that a network of the pod has already. */
export interface TakenDevice {
  network: string;
  device: Device;
}

/** A PCI address names one device of the machine, under whatever resource it is offered. */
const PCI_ADDRESS = /^[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i;

function identityOf(resourceName: string, id: string): string {
  return PCI_ADDRESS.test(id) ? id.toLowerCase() : `${resourceName} ${id}`;
}

/** One for each pod and operation, shared by all its networks: the default ones and those that the pod asks for. */
export class DeviceMap {
  private readonly pod: string;
  private readonly known: PodDevices;
  /** Identity of a device → label of the network that has it. */
  private readonly owners = new Map<string, string>();

  /** @param pod `namespace/name`, for messages */
  constructor(pod: string, known: PodDevices, taken: readonly TakenDevice[] = []) {
    this.pod = pod;
    this.known = known;
    for (const { network, device } of taken) this.owners.set(identityOf(device.resourceName, device.id), network);
  }

  /**
   * The next device of a resource.
   * @param network label of the network that gets it
   * @throws CniError 7 when there is none or no more, 11 when the pod may have one that we do not know of
   */
  take(resourceName: string, network: string): string {
    const id = this.tryTake(resourceName, network);
    if (id === undefined) throw this.shortage(resourceName, network);
    return id;
  }

  /** The same; undefined when there is none or no more. */
  tryTake(resourceName: string, network: string): string | undefined {
    const id = this.idsOf(resourceName).find((one) => !this.owners.has(identityOf(resourceName, one)));
    if (id !== undefined) this.owners.set(identityOf(resourceName, id), network);
    return id;
  }

  private idsOf(resourceName: string): readonly string[] {
    return this.known.devices.get(resourceName) ?? [];
  }

  private shortage(resourceName: string, network: string): CniError {
    const { doubts, leftOut } = this.known;
    const code = doubts.length > 0 ? CniCode.tryAgainLater : CniCode.invalidConfig;
    return new CniError(
      code,
      `Cannot give network ${quote(network)} a device of resource ${quote(resourceName)}: pod ${this.pod} ${this.found(resourceName)}`,
      { details: [...doubts, ...leftOut].join('; ') },
    );
  }

  /** What the pod has instead, and what to do. */
  private found(resourceName: string): string {
    const { devices, doubts } = this.known;
    const ids = this.idsOf(resourceName);
    const unsure = doubts[0] === undefined ? '' : `, as far as can be told: ${doubts[0]}`;
    if (ids.length > 0) {
      const owners = ids.map((id) => this.owners.get(identityOf(resourceName, id)) ?? '');
      const remedy = "request more in the pod's containers, or remove a network";
      return `has ${ids.length}, taken by ${owners.map(quote).join(', ')}${unsure || `; ${remedy}`}`;
    }
    const others = [...devices]
      .filter(([, list]) => list.length > 0)
      .map(([name, list]) => `${list.length} of ${quote(name)}`);
    const remedy = `request it in the pod's containers, or correct annotation ${RESOURCE_ANNOTATION} of the network`;
    const has = others.length === 0 ? 'has no devices' : `has none, only ${others.join(', ')}`;
    return `${has}${unsure || `; ${remedy}`}`;
  }
}
