// timeout: 900s
// Nodes of a cluster: a real API server, a real runtime, 20 pods with four networks each, and an outage in the middle.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseAllDocuments } from 'yaml';
import { until } from '../lab/process.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';
import { assertStatus, createPods, deletePods, endPods, eventsOf, startPods } from './lab/cluster-pods.ts';
import type { Pod, Sandbox } from './lab/containerd.ts';
import { assertNetworks, DEFINITIONS, THREE_NETWORKS } from './lab/networks.ts';
import type { LabNode, NodeOptions } from './lab/node.ts';
import { KINDS, onNode } from './lab/on-node.ts';

const COUNT = 20;
const LINKS = ['eth0', 'net1', 'net2', 'net3'];
/** Somebody else's, which has to stay. */
const ANNOTATIONS = { ...THREE_NETWORKS, 'example.com/owner': 'team-a' };

const SYSTEM = 'kube-system';
const RBAC = new URL('../../deploy/base/rbac.yaml', import.meta.url);

let api: ApiServer;

/** What the nodes may do: no more than the manifests grant. */
let kubeconfig: string;

test.before(async () => {
  api = await startApiServer();
  await api.apply(...DEFINITIONS, ...accessObjects());
  kubeconfig = api.kubeconfigFor(await api.serviceAccountToken(SYSTEM, 'multus-native'));
});

test.after(() => api.close());

/** The account and its rights, as kustomize places them. */
function accessObjects(): object[] {
  return parseAllDocuments(readFileSync(RBAC, 'utf8')).map((document) => {
    const object = document.toJS();
    return object.kind === 'ServiceAccount'
      ? { ...object, metadata: { ...object.metadata, namespace: SYSTEM } }
      : object;
  });
}

function inCluster(name: string, kind: NodeOptions, body: (node: LabNode) => Promise<void>): void {
  onNode(name, kind, body, () => ({ api, kubeconfig }));
}

/** Each sandbox has its networks; no two have an address in common. @returns addresses by link of each pod */
async function assertAllNetworks(
  node: LabNode,
  sandboxes: readonly Sandbox[],
): Promise<Map<string, Map<string, string>>> {
  const all = new Map<string, Map<string, string>>();
  for (const { id, pod } of sandboxes) all.set(pod.name, await assertNetworks(node.runtime, id));
  const addresses = [...all.values()].flatMap((one) => [...one.values()]);
  assert.is(new Set(addresses).size, sandboxes.length * LINKS.length);
  return all;
}

/** The pod's users can see what it got: status, events; and what others have written is still there. */
async function assertTold(pod: Pod, addresses: Map<string, string>): Promise<void> {
  await assertStatus(api, pod.name, addresses);
  const { metadata } = await api.get(`/api/v1/namespaces/default/pods/${pod.name}`);
  assert.is(metadata.annotations['example.com/owner'], 'team-a');
  const added = async () => (await eventsOf(api, pod.uid)).filter(({ reason }) => reason === 'AddedInterface');
  await until(`pod ${pod.name} has its events`, async () => (await added()).length >= LINKS.length, 60_000);
  const messages = (await added()).map(({ message }) => message).sort();
  assert.equal(
    messages.map((message) => message.replace(/ \[.*/, '')),
    LINKS.map((link) => `Add ${link}`),
  );
  for (const [link, address] of addresses)
    assert.ok(messages.some((one) => one.startsWith(`Add ${link} [${address}/`)));
}

for (const kind of KINDS.filter(({ mode }) => mode === 'thick')) {
  // A rollout would stand still while the API server is away, or pods would start without their networks.
  inCluster('20 pods start and end while the API server is up, away and back', kind, async (node) => {
    const pods = await createPods(api, node, `up${kind.containerd}-`, COUNT, ANNOTATIONS);
    const first = await startPods(node, pods.slice(0, 7));
    await api.stop();
    const second = await startPods(node, pods.slice(7, 14));
    await endPods(node, first.slice(0, 3));
    await api.start();
    const third = await startPods(node, pods.slice(14));

    const running = [...first.slice(3), ...second, ...third];
    const addresses = await assertAllNetworks(node, running);
    for (const { pod } of running) await assertTold(pod, addresses.get(pod.name) ?? new Map());
    await endPods(node, running);
    await deletePods(api, pods);
  });

  // The node's daemon is replaced or crashes just when the API server is away: pods must start all the same.
  inCluster('pods start without daemon and API server, by what was last read', kind, async (node) => {
    const pods = await createPods(api, node, `alone${kind.containerd}-`, 4, ANNOTATIONS);
    const [before] = await startPods(node, pods.slice(0, 1));
    assert.ok(before);
    await until('definitions are on disk', () => node.hasSnapshot());
    await api.stop();
    await node.endDaemon('SIGKILL');
    const alone = await startPods(node, pods.slice(1, 3));
    await node.startDaemon();
    const [after] = await startPods(node, pods.slice(3));
    assert.ok(after);
    const running = [before, ...alone, after];
    const addresses = await assertAllNetworks(node, running);
    await api.start();
    // Of those that nobody could tell then the status comes later; their events are lost.
    for (const { pod } of running) await assertStatus(api, pod.name, addresses.get(pod.name) ?? new Map());
    await endPods(node, running);
    await deletePods(api, pods);
  });
}

for (const kind of KINDS.filter(({ mode }) => mode === 'thin')) {
  // Without a daemon nothing is known of the cluster but what it answers: no answer must not become "no networks".
  inCluster('20 pods start, or fail while the API server is away and start after', kind, async (node) => {
    const pods = await createPods(api, node, `thin${kind.containerd}-`, COUNT, ANNOTATIONS);
    const first = await startPods(node, pods.slice(0, 10));
    await api.stop();
    const late = pods[10];
    assert.ok(late);
    const refusal = await node.runtime.run(late).then(
      () => assert.unreachable('a pod was started without knowing its networks'),
      (error: Error) => error.message,
    );
    assert.match(String(refusal), /Cannot find network "default\/lan": /);
    await endPods(node, first.slice(0, 5));
    await api.start();
    const second = await startPods(node, pods.slice(10));

    const running = [...first.slice(5), ...second];
    const addresses = await assertAllNetworks(node, running);
    for (const { pod } of running) await assertTold(pod, addresses.get(pod.name) ?? new Map());
    await endPods(node, running);
    await deletePods(api, pods);
  });
}

test.run();
