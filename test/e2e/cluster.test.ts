// timeout: 900s
// Nodes of a cluster: a real API server, a real runtime, 20 pods with four networks each, and an outage in the middle.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseAllDocuments } from 'yaml';
import { until } from '../lab/process.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';
import {
  assertStatus,
  createPods,
  deletePods,
  endPods,
  eventsOf,
  networkStatus,
  startPods,
} from './lab/cluster-pods.ts';
import type { Pod, Sandbox } from './lab/containerd.ts';
import { assertNetworks, DEFINITIONS, definition, THREE_NETWORKS } from './lab/networks.ts';
import type { LabNode, NodeOptions } from './lab/node.ts';
import { KINDS, onNode } from './lab/on-node.ts';

const COUNT = 20;
const LINKS = ['eth0', 'net1', 'net2', 'net3'];
const NONE = new Map<string, string>();
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

/** As README installs a node of a cluster. */
async function follow(node: LabNode): Promise<void> {
  if (node.mode === 'thick') return;
  await node.startFollower();
  await until('definitions are on disk', () => node.hasSnapshot());
}

for (const kind of KINDS) {
  // A rollout would stand still while the API server is away, or pods would start without their networks.
  inCluster('20 pods start and end while the API server is up, away and back', kind, async (node) => {
    await follow(node);
    const pods = await createPods(api, node, `up${kind.mode}${kind.containerd}-`, COUNT, ANNOTATIONS);
    const first = await startPods(node, pods.slice(0, 7));
    await api.stop();
    const second = await startPods(node, pods.slice(7, 14));
    await endPods(node, first.slice(0, 3));
    const early = await assertAllNetworks(node, second);
    await api.start();
    // Nothing else has to happen on the node for that. Events of a program that has ended are lost.
    const told = node.mode === 'thick' ? assertTold : (pod: Pod, of: typeof NONE) => assertStatus(api, pod.name, of);
    for (const { pod } of second) await told(pod, early.get(pod.name) ?? NONE);
    const third = await startPods(node, pods.slice(14));

    const running = [...first.slice(3), ...second, ...third];
    const addresses = await assertAllNetworks(node, running);
    for (const { pod } of [...first.slice(3), ...third]) await assertTold(pod, addresses.get(pod.name) ?? NONE);
    await endPods(node, running);
    await deletePods(api, pods);
  });
}

for (const kind of KINDS.filter(({ mode }) => mode === 'thick')) {
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
    for (const { pod } of running) await assertStatus(api, pod.name, addresses.get(pod.name) ?? NONE);
    await endPods(node, running);
    await deletePods(api, pods);
  });
}

for (const containerd of [1, 2] as const) {
  const kind = { containerd, mode: 'thick' } as const;

  // Each pod of a busy node would ask the API server, which is slow when many do.
  inCluster('an ADD asks the API server nothing', kind, async (node) => {
    const pods = await createPods(api, node, `quiet${containerd}-`, 5, ANNOTATIONS);
    await until('the daemon has read the definitions', () => node.hasSnapshot());
    const since = Date.now();
    const running = await startPods(node, pods);
    const addresses = await assertAllNetworks(node, running);
    for (const { pod } of running) await assertTold(pod, addresses.get(pod.name) ?? NONE);
    const requests = await api.requests({ userAgent: /^multus-native\//, since });
    const verbs = requests.map(({ verb, path }) => `${verb} ${path.replace(/[^/]*\/status/, '*/status')}`);
    assert.equal(
      verbs.filter((one) => /^(get|list) /.test(one)),
      [],
    );
    assert.is(verbs.filter((one) => one === 'patch /api/v1/namespaces/default/pods/*/status').length, pods.length);
    await endPods(node, running);
    await deletePods(api, pods);
  });

  // A server that accepts connections and answers nobody is worse than none: pods must not wait for it.
  inCluster('pods start and end while the API server hangs', kind, async (node) => {
    const pods = await createPods(api, node, `hang${containerd}-`, 4, ANNOTATIONS);
    await until('the daemon has read the definitions', () => node.hasSnapshot());
    api.pause();
    try {
      const running = await startPods(node, pods);
      const addresses = await assertAllNetworks(node, running);
      await endPods(node, running.slice(0, 2));
      api.resume();
      for (const { pod } of running.slice(2)) await assertTold(pod, addresses.get(pod.name) ?? NONE);
      await endPods(node, running.slice(2));
    } finally {
      api.resume();
    }
    await deletePods(api, pods);
  });
}

for (const kind of KINDS) {
  // `kubectl describe pod` is where users look first.
  inCluster('events of a pod that cannot start say why', kind, async (node) => {
    const fails = '{"cniVersion":"1.0.0","code":123,"msg":"no free port on switch tor-7"}';
    const script = `#!/bin/sh\n[ $CNI_COMMAND = ADD ] || exit 0\necho '${fails}'; exit 1\n`;
    writeFileSync(join(node.runtime.cniBinDir, 'failing'), script, { mode: 0o755 });
    await api.apply(definition('bad', { type: 'failing' }));
    for (const [network, event] of [
      ['storrage', /^NoNetworkFound cannot find a network-attachment-definition \(storrage\) in namespace \(default\)/],
      ['bad', /^AttachFailed Add net2 from default\/bad: .*no free port on switch tor-7/],
    ] as const) {
      const annotations = { 'k8s.v1.cni.cncf.io/networks': `lan,${network}` };
      const [pod] = await createPods(api, node, `${network}-${kind.mode}${kind.containerd}-`, 1, annotations);
      assert.ok(pod);
      const message = await node.runtime.run(pod).then(
        () => 'it was started',
        (error: Error) => error.message,
      );
      assert.match(message, /storrage|tor-7/);
      const events = async () => (await eventsOf(api, pod.uid)).map((one) => `${one.reason} ${one.message}`);
      await until(`pod ${pod.name} has its event`, async () => (await events()).some((one) => event.test(one)), 30_000);
      assert.is(await networkStatus(api, pod.name), undefined);
      await deletePods(api, [pod]);
    }
  });
}

for (const kind of KINDS.filter(({ mode }) => mode === 'thin')) {
  // A node that boots while its control plane does, too: what was read before the reboot is all that there is.
  inCluster(
    'what follows a thin node starts without API server, keeps what was read, and goes on',
    kind,
    async (node) => {
      await follow(node);
      const pods = await createPods(api, node, `boot${kind.containerd}-`, 3, ANNOTATIONS);
      await node.endFollower('SIGKILL');
      await api.stop();
      await node.startFollower();
      await until('it says that it cannot', () => node.followerLog.includes('cannot follow the cluster'));
      const [before] = await startPods(node, pods.slice(0, 1));
      await api.start();
      await api.apply(definition('later', { type: 'bridge', bridge: 'later0' }));
      await until('it has read anew', () => node.snapshot.includes('later'), 60_000);
      const after = await startPods(node, pods.slice(1));
      assert.ok(before);
      const running = [before, ...after];
      const addresses = await assertAllNetworks(node, running);
      for (const { pod } of running) await assertStatus(api, pod.name, addresses.get(pod.name) ?? NONE);
      await node.endFollower();
      await endPods(node, running);
      await deletePods(api, pods);
    },
  );

  // Where nothing was ever read, no answer must not become "no networks".
  inCluster('without anything read, a pod fails while the API server is away and starts after', kind, async (node) => {
    const [pod] = await createPods(api, node, `thin${kind.containerd}-`, 1, ANNOTATIONS);
    assert.ok(pod);
    await api.stop();
    const refusal = await node.runtime.run(pod).then(
      () => assert.unreachable('a pod was started without knowing its networks'),
      (error: Error) => error.message,
    );
    assert.match(String(refusal), /Cannot find network "default\/lan": /);
    await api.start();
    const running = await startPods(node, [pod]);
    const addresses = await assertAllNetworks(node, running);
    await assertTold(pod, addresses.get(pod.name) ?? NONE);
    await endPods(node, running);
    await deletePods(api, [pod]);
  });
}

test.run();
