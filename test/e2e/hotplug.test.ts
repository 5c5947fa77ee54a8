// timeout: 600s
// Networks of running pods by an edit of their annotation: real pods of a real runtime, followed through a real API server.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../lab/process.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';
import { DEFINITIONS, definition } from './lab/networks.ts';
import type { LabNode, NodeOptions } from './lab/node.ts';
import { onNode } from './lab/on-node.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const STATUS = 'k8s.v1.cni.cncf.io/network-status';

let api: ApiServer;

test.before(async () => {
  api = await startApiServer();
  await api.apply(...DEFINITIONS, definition('slow', { type: 'slow' }));
});

test.after(() => api.close());

/** A node of the cluster whose daemon follows its pods. */
function following(name: string, body: (node: LabNode) => Promise<void>): void {
  const options: NodeOptions = {
    containerd: 2,
    mode: 'thick',
    keys: { hotplug: true },
    daemonOptions: ['--node-name', 'node1'],
    get api() {
      return api; // there when the test runs
    },
  };
  onNode(name, options, body);
}

const podPath = (name: string): string => `/api/v1/namespaces/default/pods/${name}`;

/** A pod of the cluster that runs here. */
async function runningPod(node: LabNode, name: string, networks = ''): Promise<{ id: string; uid: string }> {
  const annotations = { [NETWORKS]: networks, 'example.com/owner': 'team-a' };
  const { uid } = await api.createPod({ name, annotations });
  const { id } = await node.runtime.run({ name, uid, annotations });
  return { id, uid };
}

const annotate = (name: string, annotations: Record<string, string>): Promise<unknown> =>
  api.patch(podPath(name), { metadata: { annotations } });

const edit = (name: string, networks: string): Promise<unknown> => annotate(name, { [NETWORKS]: networks });

/** "eth0 default/lan@net1": what the pod's users are told. */
async function told(name: string): Promise<string> {
  const { annotations } = (await api.get(podPath(name))).metadata;
  assert.is(annotations['example.com/owner'], 'team-a', "others' annotations stay");
  const status: { name: string; interface: string }[] = JSON.parse(annotations[STATUS] ?? '[]');
  return status.map((one, i) => (i === 0 ? one.interface : `${one.name}@${one.interface}`)).join(' ');
}

async function interfaces(node: LabNode, id: string): Promise<string> {
  const names = (await node.runtime.links(id)).map(({ ifname }) => ifname).filter((name) => name !== 'lo');
  return names.sort().join(' ');
}

/** Wait until that is told, and see that it is so. */
async function becomes(node: LabNode, name: string, id: string, status: string): Promise<void> {
  await until(`pod ${name} is told ${status}`, async () => (await told(name)) === status, 20_000);
  const names = status.split(' ').map((one) => one.replace(/.*@/, ''));
  assert.is(await interfaces(node, id), names.sort().join(' '));
}

/** "AddedInterface Add net1 from default/lan", without addresses. */
async function events(uid: string): Promise<string[]> {
  const { items } = await api.get('/api/v1/namespaces/default/events');
  return items
    .filter((one: { involvedObject: { uid: string } }) => one.involvedObject.uid === uid)
    .map((one: { reason: string; message: string }) => `${one.reason} ${one.message.replace(/ \[[^\]]*\]/, '')}`);
}

const hasEvent = (uid: string, part: string): Promise<void> =>
  until(`an event "${part}"`, async () => (await events(uid)).some((one) => one.includes(part)), 20_000);

// Nobody would see what a pod has, or another controller would be needed for it.
following('an edit adds, removes, and does both; each is told by status and events', async (node) => {
  const { id, uid } = await runningPod(node, 'web', 'lan');
  await becomes(node, 'web', id, 'eth0 default/lan@net1');
  await edit('web', 'lan, store');
  await becomes(node, 'web', id, 'eth0 default/lan@net1 default/store@net2');
  await edit('web', 'lan');
  await becomes(node, 'web', id, 'eth0 default/lan@net1');
  await edit('web', 'store@fs0, fast');
  await becomes(node, 'web', id, 'eth0 default/store@fs0 default/fast@net2');
  for (const event of [
    'AddedInterface Add net2 from default/store',
    'RemovedInterface Remove net2 from default/store',
  ]) {
    await hasEvent(uid, event);
  }
  const since = Date.now();
  await annotate('web', { unrelated: 'x' });
  await edit('web', 'store@fs0, fast, lan');
  await becomes(node, 'web', id, 'eth0 default/store@fs0 default/fast@net2 default/lan@net3');
  const asked = await api.requests({ userAgent: /\(daemon\)$/, since });
  const others = asked.filter(({ verb, path }) => verb !== 'watch' && !/\/events|\/status/.test(path));
  assert.equal(others, [], 'pods and definitions come from the copy that the daemon has');
  await node.runtime.stopSandbox(id);
  await node.runtime.remove(id);
  await api.delete(podPath('web'));
});

// A slip of the pen would cost a pod its networks, and its author would look for the reason in vain.
following('an edit that cannot be followed changes nothing, and an event says why', async (node) => {
  const { id, uid } = await runningPod(node, 'typo', 'lan');
  await becomes(node, 'typo', id, 'eth0 default/lan@net1');
  await edit('typo', '[{"name":"store"');
  await hasEvent(uid, 'NetworksRejected Cannot parse annotation k8s.v1.cni.cncf.io/networks of pod default/typo');
  await edit('typo', 'lan, absent, store');
  await becomes(node, 'typo', id, 'eth0 default/lan@net1 default/store@net3');
  await hasEvent(uid, 'cannot find a network-attachment-definition (absent) in namespace (default)');
  await annotate('typo', { 'v1.multus-cni.io/default-network': 'default/fast' });
  await hasEvent(uid, 'DefaultNetworkKept');
  assert.is(await interfaces(node, id), 'eth0 net1 net3');
  await node.runtime.stopSandbox(id);
  await node.runtime.remove(id);
  await api.delete(podPath('typo'));
});

// An upgrade of the daemon, or an outage of the API server, would lose edits for ever.
following('edits count that come while the daemon is down, and those that it cannot see at once', async (node) => {
  const { id } = await runningPod(node, 'patient', 'lan');
  await becomes(node, 'patient', id, 'eth0 default/lan@net1');
  await node.endDaemon('SIGKILL');
  await edit('patient', 'store');
  await node.startDaemon();
  await becomes(node, 'patient', id, 'eth0 default/store@net1');
  await api.stop();
  await api.start();
  await edit('patient', 'store, lan');
  await becomes(node, 'patient', id, 'eth0 default/store@net1 default/lan@net2');
  await node.runtime.stopSandbox(id);
  await node.runtime.remove(id);
  await api.delete(podPath('patient'));
});

// A pod that is deleted would wait for a network that hangs, or leave it behind.
following('a pod that is deleted while a network is attached leaves nothing', async (node) => {
  const mark = join(node.runtime.machine.folder, 'slow-runs');
  const plugin = `#!/bin/sh\n[ $CNI_COMMAND = ADD ] || exit 0\n: > ${mark}\nexec sleep 1000\n`;
  writeFileSync(join(node.runtime.cniBinDir, 'slow'), plugin, { mode: 0o755 });
  const { id } = await runningPod(node, 'short', 'lan');
  await becomes(node, 'short', id, 'eth0 default/lan@net1');
  await edit('short', 'lan, slow');
  await until('the plugin runs', () => existsSync(mark));
  const deleting = api.delete(podPath('short'));
  await node.runtime.stopSandbox(id);
  await node.runtime.remove(id);
  await deleting;
  assert.equal(node.records(), []);
});

test.run();
