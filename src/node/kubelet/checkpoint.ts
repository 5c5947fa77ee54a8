/**
 * A pod's devices from the file in which the kubelet's device manager keeps them: for kubelets without the
 * PodResources socket. It knows pods by UID only, and nothing of dynamic resources.
 */
import { readFileSync } from 'node:fs';
import { CniCode, CniError } from '../../cni/errors.ts';
import { show } from '../../cni/quote.ts';
import { addDevices, type DeviceSets, type KubeletPod } from './device-sets.ts';

/** Names a checkpoint and a place in it in errors. */
type Where = string;

function refuse(where: Where, expected: string, value: unknown): CniError {
  return new CniError(CniCode.decodingFailure, `Cannot use ${where}: it must be ${expected}, got ${show(value)}`);
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

/** The kubelet writes null for an empty list. */
function listAt(value: unknown, where: Where): unknown[] {
  if (!Array.isArray(value ?? [])) throw refuse(where, 'a list', value);
  return (value ?? []) as unknown[];
}

/** Kubelets before 1.20 have a list, later ones a list for each NUMA node. */
function deviceIds(value: unknown, where: Where): string[] {
  const isByNode = typeof value === 'object' && value !== null && !Array.isArray(value);
  const lists = isByNode ? Object.values(value) : [value];
  const ids = lists.flatMap((list) => listAt(list, where));
  const wrong = ids.find((id) => typeof id !== 'string');
  if (wrong !== undefined) throw refuse(where, 'made of strings', wrong);
  return ids as string[];
}

/**
 * Read the pod's devices out of a checkpoint's text; none when the pod is not in it, as pods without devices are not.
 * @throws CniError 6 naming path and field
 */
export function parseCheckpoint(text: string, uid: string, path: string): DeviceSets {
  let checkpoint: unknown;
  try {
    checkpoint = JSON.parse(text);
  } catch (error) {
    throw new CniError(CniCode.decodingFailure, `Cannot parse ${path}: ${(error as Error).message}`, { cause: error });
  }
  const field = 'Data.PodDeviceEntries';
  const data = fieldOf(checkpoint, 'Data');
  if (typeof data !== 'object' || data === null) throw refuse(`Data of ${path}`, 'an object', data);
  const devices: DeviceSets = new Map();
  for (const [i, entry] of listAt(fieldOf(data, 'PodDeviceEntries'), `${field} of ${path}`).entries()) {
    if (fieldOf(entry, 'PodUID') !== uid) continue;
    const where = (key: string): Where => `${field}[${i}].${key} of ${path}`;
    const resourceName = fieldOf(entry, 'ResourceName');
    if (typeof resourceName !== 'string') throw refuse(where('ResourceName'), 'a string', resourceName);
    addDevices(devices, resourceName, deviceIds(fieldOf(entry, 'DeviceIDs'), where('DeviceIDs')));
  }
  return devices;
}

/**
 * @throws CniError 4 when the runtime gave no UID, 11 when the file cannot be read, 6 when it is not a checkpoint
 */
export function readCheckpoint(pod: KubeletPod, path: string, socket: string): DeviceSets {
  const subject = `the devices of pod ${pod.namespace}/${pod.name}`;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CniError(
      CniCode.tryAgainLater,
      `Cannot tell ${subject}: there is neither the kubelet's socket ${socket} nor its checkpoint (${(error as Error).message}); if they are elsewhere, set "kubeletDir"`,
      { cause: error },
    );
  }
  if (pod.uid === '') {
    throw new CniError(
      CniCode.invalidEnvironment,
      `Cannot tell ${subject}: CNI_ARGS has no K8S_POD_UID, and ${path} knows pods by UID only`,
    );
  }
  return parseCheckpoint(text, pod.uid, path);
}
