/**
 * Messages of the kubelet's PodResources API, version v1 (k8s.io/kubelet/pkg/apis/podresources/v1/api.proto): what of
 * them tells a pod's devices. Fields that are not named here are stepped over.
 */
import { addDevices, type DeviceSets, type KubeletPod } from './device-sets.ts';
import { messageOf, type ProtoField, protoFields, textOf } from './proto-fields.ts';

/** Field numbers. */
const GET_REQUEST = { podName: 1, podNamespace: 2 } as const;
/** GetPodResourcesResponse has one, ListPodResourcesResponse any number. */
const RESPONSE = { podResources: 1 } as const;
const POD_RESOURCES = { name: 1, namespace: 2, containers: 3 } as const;
const CONTAINER_RESOURCES = { devices: 2, dynamicResources: 5 } as const;
const CONTAINER_DEVICES = { resourceName: 1, deviceIds: 2 } as const;
const DYNAMIC_RESOURCE = { claimName: 2, claimResources: 4 } as const;
const CLAIM_RESOURCE = { cdiDevices: 1 } as const;
const CDI_DEVICE = { name: 1 } as const;

function stringField(number: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  const length: number[] = [];
  for (let rest = bytes.length; length.length === 0 || rest > 0; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  length.push((length.pop() ?? 0) & 0x7f);
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
}

/** GetPodResourcesRequest. */
export function encodeGetRequest({ name, namespace }: KubeletPod): Buffer {
  return Buffer.concat([stringField(GET_REQUEST.podName, name), stringField(GET_REQUEST.podNamespace, namespace)]);
}

/** Reads one answer. */
class AnswerReader {
  /** Names the answer in errors. */
  private readonly what: string;

  constructor(what: string) {
    this.what = what;
  }

  *messages(message: Buffer, number: number): Generator<Buffer> {
    for (const field of this.fields(message, number)) yield messageOf(field, this.what);
  }

  isOf(podResources: Buffer, pod: KubeletPod): boolean {
    const name = this.text(podResources, POD_RESOURCES.name);
    return name === pod.name && this.text(podResources, POD_RESOURCES.namespace) === pod.namespace;
  }

  addContainer(container: Buffer, into: DeviceSets): void {
    for (const devices of this.messages(container, CONTAINER_RESOURCES.devices)) {
      const ids = this.texts(devices, CONTAINER_DEVICES.deviceIds);
      addDevices(into, this.text(devices, CONTAINER_DEVICES.resourceName), ids);
    }
    for (const claim of this.messages(container, CONTAINER_RESOURCES.dynamicResources)) {
      addDevices(into, this.text(claim, DYNAMIC_RESOURCE.claimName), this.claimedIds(claim));
    }
  }

  /** The device in each CDI name `vendor/class=device`; what is not such a name is no device for a network. */
  private claimedIds(claim: Buffer): string[] {
    const resources = [...this.messages(claim, DYNAMIC_RESOURCE.claimResources)];
    const devices = resources.flatMap((resource) => [...this.messages(resource, CLAIM_RESOURCE.cdiDevices)]);
    const names = devices.map((device) => this.text(device, CDI_DEVICE.name));
    return names.flatMap((name) => /^[^=]*=(.+)$/s.exec(name)?.[1] ?? []);
  }

  private *fields(message: Buffer, number: number): Generator<ProtoField> {
    for (const field of protoFields(message, this.what)) if (field.number === number) yield field;
  }

  private texts(message: Buffer, number: number): string[] {
    return [...this.fields(message, number)].map((field) => textOf(field, this.what));
  }

  /** Of several the last one counts, none is '' (proto3). */
  private text(message: Buffer, number: number): string {
    return this.texts(message, number).at(-1) ?? '';
  }
}

/**
 * The pod's devices in the answer to Get or List: by resource name, and by claim name those of dynamic resources, as
 * Multus 4.3 maps them.
 * @param what names the answer in errors
 * @returns undefined when the pod is not in it
 * @throws CniError 6 when the bytes are no such message
 */
export function decodePodResources(answer: Buffer, pod: KubeletPod, what: string): DeviceSets | undefined {
  const reader = new AnswerReader(what);
  for (const podResources of reader.messages(answer, RESPONSE.podResources)) {
    if (!reader.isOf(podResources, pod)) continue;
    const devices: DeviceSets = new Map();
    for (const container of reader.messages(podResources, POD_RESOURCES.containers)) {
      reader.addContainer(container, devices);
    }
    return devices;
  }
  return undefined;
}
