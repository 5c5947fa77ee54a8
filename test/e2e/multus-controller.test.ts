// timeout: 300s
// Another program changes the networks of running pods through our daemon, as multus-dynamic-networks-controller does.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../lab/process.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';
import { networkStatus } from './lab/cluster-pods.ts';
import { DynamicController, type Wanted } from './lab/dynamic-controller.ts';
import { DEFINITIONS, definition } from './lab/networks.ts';
import type { LabNode, NodeOptions } from './lab/node.ts';
import { onNode } from './lab/on-node.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';

const NAMED = definition('named', {
  type: 'bridge',
  bridge: 'lan0',
  capabilities: { mac: true },
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.215.0.0/24' }]] },
});

let api: ApiServer;

test.before(async () => {
  api = await startApiServer();
  await api.apply(...DEFINITIONS, definition('bad', { type: 'failing' }), NAMED);
});

test.after(() => api.close());

/** A node of the cluster. @param keys of the daemon's file */
function withController(
  name: string,
  keys: Record<string, unknown>,
  body: (node: LabNode, controller: DynamicController) => Promise<void>,
): void {
  const options: NodeOptions = {
    containerd: 2,
    mode: 'thick',
    keys,
    daemonOptions: ['--node-name', 'node1'],
    get api() {
      return api; // there when the test runs
    },
  };
  onNode(name, options, async (node) => body(node, await DynamicController.start(api, node)));
}

const LAN: Wanted = { name: 'lan', interface: 'net1' };
const STORE: Wanted = { name: 'store', interface: 'hot0' };
const NEW: Wanted = { name: 'named', interface: 'hot1', mac: '02:00:00:00:05:01' };

const pathOf = (name: string): string => `/api/v1/namespaces/default/pods/${name}`;

async function runningPod(node: LabNode, name: string): Promise<string> {
  const annotations = { [NETWORKS]: JSON.stringify([LAN]), 'example.com/owner': 'team-a' };
  const { uid } = await api.createPod({ name, annotations });
  const { id } = await node.runtime.run({ name, uid, annotations });
  await isTold(name, 'eth0', 'net1');
  return id;
}

const edit = (name: string, ...networks: Wanted[]): Promise<unknown> =>
  api.patch(pathOf(name), { metadata: { annotations: { [NETWORKS]: JSON.stringify(networks) } } });

/** The status has exactly these interfaces, whoever wrote it last, and nobody else's annotation is lost. */
async function isTold(name: string, ...interfaces: string[]): Promise<void> {
  const told = async () => ((await networkStatus(api, name)) ?? []).map((one) => one.interface).sort();
  await until(`pod ${name} is told ${interfaces}`, async () => (await told()).join() === interfaces.sort().join());
  assert.is((await api.get(pathOf(name))).metadata.annotations['example.com/owner'], 'team-a');
}

async function interfaces(node: LabNode, id: string): Promise<string[]> {
  const links = await node.runtime.links(id);
  return links
    .map(({ ifname }) => ifname)
    .filter((name) => name !== 'lo')
    .sort();
}

async function endPod(node: LabNode, name: string, id: string): Promise<void> {
  await node.runtime.stopSandbox(id);
  await node.runtime.remove(id);
  await api.delete(pathOf(name));
}

const journal = (node: LabNode, id: string): string => readFileSync(join(node.stateDir, id), 'utf8');

// Multus's weak point 14: what a controller plugs in is in no record, and keeps its address for ever when the pod ends.
withController(
  "a controller plugs in, pulls out, and does both; the pod's DEL takes all along",
  {},
  async (node, controller) => {
    const id = await runningPod(node, 'web');
    await edit('web', LAN, STORE);
    assert.equal(await controller.sync('web'), []);
    assert.equal(await interfaces(node, id), ['eth0', 'hot0', 'net1']);
    assert.match(journal(node, id), '"ifName":"hot0"');
    await isTold('web', 'eth0', 'net1', 'hot0');
    // net1 came with the pod's ADD.
    await edit('web', NEW, STORE);
    assert.equal(await controller.sync('web'), []);
    assert.equal(await interfaces(node, id), ['eth0', 'hot0', 'hot1']);
    const hot1 = (await node.runtime.links(id)).find(({ ifname }) => ifname === 'hot1');
    assert.is(hot1?.address, NEW.mac);
    await isTold('web', 'eth0', 'hot0', 'hot1');
    assert.equal(await controller.sync('web'), [], 'it finds nothing to do');
    assert.not.match(journal(node, id), '"ifName":"net1"');
    await endPod(node, 'web', id); // what is left behind fails the test
  },
);

// The controller tries three times and gives up: what is left of a try would be there for as long as the pod.
withController(
  'what a controller cannot plug in is told to it in our words, and leaves nothing',
  {},
  async (node, controller) => {
    const plugin = '#!/bin/sh\n[ $CNI_COMMAND = ADD ] || exit 0\necho \'{"code":123,"msg":"no free port"}\'; exit 1\n';
    writeFileSync(join(node.runtime.cniBinDir, 'failing'), plugin, { mode: 0o755 });
    const id = await runningPod(node, 'unlucky');
    const before = journal(node, id);
    await edit('unlucky', LAN, { name: 'bad', interface: 'hot0' });
    const [failure = ''] = await controller.sync('unlucky');
    assert.match(failure, 'plugin "failing" of network "default/bad": no free port');
    await edit('unlucky', LAN, { ...STORE, interface: 'eth0' });
    const [taken = ''] = await controller.sync('unlucky');
    assert.match(taken, 'eth0');
    assert.equal(await interfaces(node, id), ['eth0', 'net1']);
    assert.is(journal(node, id), before);
    await isTold('unlucky', 'eth0', 'net1');
    await endPod(node, 'unlucky', id);
  },
);

// Two that follow the same annotation would undo each other's work.
withController(
  'a controller is refused where the daemon follows the annotations itself',
  { hotplug: true },
  async (node, controller) => {
    const id = await runningPod(node, 'twice');
    const { uid } = (await api.get(pathOf('twice'))).metadata;
    const error = await controller.delegate('ADD', uid, 'twice', STORE).catch((thrown: Error) => thrown);
    assert.instance(error, Error);
    assert.match(error.message, '"hotplug": true');
    await edit('twice', LAN, STORE);
    await isTold('twice', 'eth0', 'net1', 'hot0');
    assert.equal(await interfaces(node, id), ['eth0', 'hot0', 'net1']);
    await endPod(node, 'twice', id);
  },
);

test.run();
