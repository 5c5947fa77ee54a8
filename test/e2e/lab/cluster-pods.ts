/** Pods of a real API server on a node: made, started, looked at and ended, as users, scheduler and kubelet do. */
import * as assert from 'uvu/assert';
import { until } from '../../lab/process.ts';
import type { ApiServer } from './api-server.ts';
import type { Pod, Sandbox } from './containerd.ts';
import type { LabNode } from './node.ts';
import { withAll } from './with-all.ts';

const pathOf = (name: string, namespace = 'default'): string => `/api/v1/namespaces/${namespace}/pods/${name}`;

/** Make pods `<prefix>0`… of a node. */
export function createPods(
  api: ApiServer,
  node: LabNode,
  prefix: string,
  count: number,
  annotations: Record<string, string>,
): Promise<Pod[]> {
  const names = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  return withAll(names, async (name) => {
    const { uid } = await api.createPod({ name, annotations, nodeName: node.name });
    return { name, uid, annotations };
  });
}

export function startPods(node: LabNode, pods: readonly Pod[]): Promise<Sandbox[]> {
  return withAll(pods, (pod) => node.runtime.run(pod));
}

/** As the kubelet does it: stop, stop once more, remove. */
export async function endPods(node: LabNode, sandboxes: readonly Sandbox[]): Promise<void> {
  await withAll(sandboxes, async ({ id }) => {
    await node.runtime.stopSandbox(id);
    await node.runtime.stopSandbox(id);
    await node.runtime.remove(id);
  });
}

/** An entry of a pod's network-status. */
export interface NetworkStatus {
  name: string;
  interface: string;
  ips?: string[];
  default?: boolean;
}

/** What the API server has as a pod's network-status; undefined when it has none yet. */
export async function networkStatus(api: ApiServer, name: string): Promise<NetworkStatus[] | undefined> {
  const pod = await api.get(pathOf(name));
  const text = pod?.metadata.annotations?.['k8s.v1.cni.cncf.io/network-status'];
  return text === undefined ? undefined : JSON.parse(text);
}

/** Wait until the API server has a pod's status, which must tell these addresses by link, and nothing else. */
export async function assertStatus(api: ApiServer, name: string, addresses: Map<string, string>): Promise<void> {
  await until(`pod ${name} has a network-status`, async () => (await networkStatus(api, name)) !== undefined, 60_000);
  const told = (await networkStatus(api, name)) ?? [];
  assert.equal(new Map(told.map((one) => [one.interface, one.ips?.join() ?? ''])), addresses, `status of ${name}`);
  assert.equal(
    told.filter((one) => one.default === true).map((one) => one.interface),
    ['eth0'],
  );
}

/** Events of a pod: reason and message, in their order. */
export async function eventsOf(api: ApiServer, uid: string): Promise<{ reason: string; message: string }[]> {
  const selector = encodeURIComponent(`involvedObject.uid=${uid}`);
  const { items } = await api.get(`/api/v1/namespaces/default/events?fieldSelector=${selector}`);
  return items.map(({ reason, message }: { reason: string; message: string }) => ({ reason, message }));
}

export async function deletePods(api: ApiServer, pods: readonly Pod[]): Promise<void> {
  await withAll(pods, ({ name }) => api.delete(pathOf(name)));
}
