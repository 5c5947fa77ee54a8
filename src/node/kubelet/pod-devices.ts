/** Which devices the kubelet gave to a pod: by its PodResources socket, else by the device manager's checkpoint. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readCheckpoint } from './checkpoint.ts';
import { type KubeletPod, sortedDevices } from './device-sets.ts';

const DEADLINE_MS = 10_000;

/**
 * Device ids of all containers of a pod, sorted, by resource name; devices of dynamic resources by the name of their
 * claim. A socket that is there but does not answer is an error: the checkpoint may have other devices than it.
 * @param kubeletDir usually /var/lib/kubelet
 * @throws CniError 11 when the kubelet cannot be asked, 6 when what it says cannot be read, 4 when the checkpoint must
 *   do and the pod's UID is not known; the signal's reason
 */
export async function podDevices(
  pod: KubeletPod,
  kubeletDir: string,
  signal: AbortSignal,
  deadlineMs = DEADLINE_MS,
): Promise<Map<string, string[]>> {
  const socket = join(kubeletDir, 'pod-resources', 'kubelet.sock');
  if (!existsSync(socket)) {
    const checkpoint = join(kubeletDir, 'device-plugins', 'kubelet_internal_checkpoint');
    return sortedDevices(readCheckpoint(pod, checkpoint, socket));
  }
  const { readPodResources } = await import('./pod-resources.ts'); // HTTP/2, for nodes that have a use for it
  return sortedDevices(await readPodResources(pod, socket, signal, deadlineMs));
}
