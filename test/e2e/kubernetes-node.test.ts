// timeout: 300s
/** A pod with four networks on a node of a real cluster, by the real shim, daemon and plugins: server up, away, hanging. */
import { existsSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { snapshotPath } from '../../src/cluster/snapshot/definitions-snapshot.ts';
import { inLab } from '../lab/doors.ts';
import type { CniReply, Lab } from '../lab/lab.ts';
import { until } from '../lab/process.ts';
import { assertClean, assertError, assertResult, assertSilent } from '../lab/spec.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';
import { Tunnel } from './lab/tunnel.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const HANDED_OVER = 'io.kubernetes.cri.pod-annotations';
const NAMES = ['lan1', 'lan2', 'lan3', 'lan4'];

let api: ApiServer;

test.before(async () => {
  api = await startApiServer();
});

test.after(() => api.close());

interface Node {
  lab: Lab;
  kubeconfig: string;
  /** The daemon follows the cluster. */
  startDaemon: () => Promise<void>;
  tunnel: Tunnel;
}

/** A test with four networks defined in the cluster, and a lab whose daemon can reach it. */
function onNode(name: string, body: (node: Node) => Promise<void>): void {
  inLab(name, async (lab) => {
    delete lab.config['manifestsDir'];
    for (const [i, lan] of NAMES.entries()) {
      await api.apply({
        apiVersion: 'k8s.cni.cncf.io/v1',
        kind: 'NetworkAttachmentDefinition',
        metadata: { namespace: 'default', name: lan },
        spec: { config: JSON.stringify(lab.bridge(lan, `10.22${i}.0.0/24`)) },
      });
    }
    const tunnel = await Tunnel.into(lab, api.url);
    const kubeconfig = api.kubeconfigOf(await api.authority.client('daemon', 'system:masters'), tunnel.url);
    const startDaemon = async () => {
      await lab.startDaemon('--kubeconfig', kubeconfig, '--node-name', 'node1');
    };
    try {
      await body({ lab, kubeconfig, startDaemon, tunnel });
    } finally {
      api.resume();
      await api.start();
      await lab.endDaemon('SIGTERM');
      await tunnel.close();
    }
  });
}

/** A pod of the cluster, and its CNI_ARGS. */
async function scheduled(lab: Lab, name: string, networks = NAMES.join(',')): Promise<{ args: string; uid: string }> {
  await api.delete(`/api/v1/namespaces/default/pods/${name}`);
  const { uid } = await api.createPod({ name, annotations: { [NETWORKS]: networks } });
  await lab.addNetns('pod1');
  return { uid, args: lab.podArgs(name).replace(/K8S_POD_UID=.*/, `K8S_POD_UID=${uid}`) };
}

/** What containerd and CRI-O send to a configuration that declares the capability. */
function handOver(lab: Lab, networks = NAMES.join(',')): void {
  lab.config['runtimeConfig'] = { [HANDED_OVER]: { [NETWORKS]: networks } };
}

async function assertAttached(lab: Lab, added: CniReply): Promise<void> {
  assertResult(added, '1.0.0');
  const links = (await lab.links('pod1')).map(({ ifname }) => ifname).sort();
  assert.equal(links, ['eth0', 'net1', 'net2', 'net3', 'net4']);
}

const questions = async (since: number): Promise<string[]> =>
  (await api.requests({ userAgent: /^multus-native\//, since }))
    .filter(({ verb }) => verb === 'get' || verb === 'list')
    .map(({ verb, path }) => `${verb} ${path}`);

const hasSnapshot = (lab: Lab) => until('the definitions are on disk', () => existsSync(snapshotPath(lab.stateDir)));

// Multus asks two to six times for each pod.
onNode(
  'ADD of a pod with four networks asks the API server nothing, with and without annotations on stdin',
  async (node) => {
    const { lab } = node;
    await node.startDaemon();
    await hasSnapshot(lab);
    const { args } = await scheduled(lab, 'quiet');
    await until('the daemon has seen it', async () => (await api.requests({ userAgent: /daemon/ })).length > 0);
    for (const way of ['copy', 'stdin']) {
      if (way === 'stdin') handOver(lab);
      // The pod has just been made: the copy must have it for the count to mean anything.
      await until(`${way}: an ADD without a question`, async () => {
        const since = Date.now();
        await assertAttached(lab, await lab.cni('ADD', { args }));
        assertSilent(await lab.cni('DEL', { args }));
        return (await questions(since)).length === 0;
      });
    }
    await assertClean(lab, 'pod1');
  },
);

onNode(
  'with the API server away, pods start: those that the daemon knows, and those of which the runtime tells',
  async (node) => {
    const { lab } = node;
    await node.startDaemon();
    const { args } = await scheduled(lab, 'outage');
    await hasSnapshot(lab);
    await assertAttached(lab, await lab.cni('ADD', { args }));
    assertSilent(await lab.cni('DEL', { args }));
    await api.stop();
    await assertAttached(lab, await lab.cni('ADD', { args }));
    assertSilent(await lab.cni('DEL', { args }));
    const stranger = { args: lab.podArgs('stranger') };
    assertError(await lab.cni('ADD', stranger), 11, 'Cannot tell which networks pod default/stranger wants');
    handOver(lab);
    await assertAttached(lab, await lab.cni('ADD', stranger));
    assertSilent(await lab.cni('DEL', stranger));
    await lab.endDaemon('SIGTERM');
    await node.startDaemon();
    await assertAttached(lab, await lab.cni('ADD', stranger));
    assertSilent(await lab.cni('DEL', stranger));
    assert.match(lab.daemonLog, 'definition taken from the disk');
    await assertClean(lab, 'pod1');
  },
);

onNode(
  'with a hanging API server, a pod of which the runtime tells starts after a restart, and in time',
  async (node) => {
    const { lab } = node;
    await node.startDaemon();
    await lab.addNetns('pod1');
    await hasSnapshot(lab);
    await lab.endDaemon('SIGTERM');
    api.pause();
    await node.startDaemon();
    handOver(lab);
    lab.config['requestTimeout'] = 9;
    const call = { args: lab.podArgs('hang') };
    const started = performance.now();
    await assertAttached(lab, await lab.cni('ADD', call));
    assert.ok(performance.now() - started < 9000);
    assertSilent(await lab.cni('DEL', call));
    await assertClean(lab, 'pod1');
  },
);

// The daemon restarts, or the node has just booted: the standalone program has no credentials.
onNode('without a daemon, definitions come from the disk; a pod that nobody can tell about waits', async (node) => {
  const { lab } = node;
  lab.config['kubernetes'] = true;
  await node.startDaemon();
  const { args } = await scheduled(lab, 'alone');
  await hasSnapshot(lab);
  await lab.endDaemon('SIGTERM');
  assertError(await lab.cni('ADD', { args }), 11, 'the daemon that asks the API server does not answer');
  handOver(lab);
  await assertAttached(lab, await lab.cni('ADD', { args }));
  assertSilent(await lab.cni('DEL', { args }));
  handOver(lab, 'lan1,unseen');
  assertError(await lab.cni('ADD', { args }), 11, 'when it was last seen');
  await assertClean(lab, 'pod1');
});

onNode('without a daemon, a kubeconfig is used for what must be asked', async (node) => {
  const { lab, kubeconfig } = node;
  const { args, uid } = await scheduled(lab, 'thin');
  lab.config['kubeconfig'] = kubeconfig;
  const since = Date.now();
  await assertAttached(lab, await lab.cni('ADD', { args }));
  assert.is((await questions(since)).length, 5, 'the pod, and each definition once');
  assertSilent(await lab.cni('DEL', { args }));
  assert.is((await questions(since)).length, 5, 'DEL asks nothing');
  const other = { args: args.replace(uid, 'another') };
  assertError(await lab.cni('ADD', other), 11, 'one of the two was deleted meanwhile');
  await api.stop();
  assertError(await lab.cni('ADD', { args }), 11, 'the API server cannot be asked');
  await assertClean(lab, 'pod1');
});

// What the API server of a busy or far-away cluster costs a pod.
onNode(
  'with a slow API server, a pod that the daemon knows is as fast as ever, and one that must be asked for still starts',
  async (node) => {
    const { lab, tunnel } = node;
    await node.startDaemon();
    await hasSnapshot(lab);
    for (const delayMs of [10, 700]) {
      tunnel.delayMs = delayMs;
      // Right after it was made: the copy may have it, or it is asked for.
      const { args } = await scheduled(lab, `slow-${delayMs}`);
      await assertAttached(lab, await lab.cni('ADD', { args }));
      assertSilent(await lab.cni('DEL', { args }));
      await lab.deleteNetns('pod1');
    }
    handOver(lab);
    await lab.addNetns('pod1');
    const call = { args: lab.podArgs('slow-told') };
    const started = performance.now();
    await assertAttached(lab, await lab.cni('ADD', call));
    console.log(`API server 700 ms away: ADD of five networks took ${Math.round(performance.now() - started)} ms`);
    assertSilent(await lab.cni('DEL', call));
    await assertClean(lab, 'pod1');
  },
);

// Somebody edits a network while pods are in it: what was attached by the old one must be detached by the old one.
onNode('a definition that is edited, broken or deleted between ADD and DEL does not change the DEL', async (node) => {
  const { lab } = node;
  await node.startDaemon();
  const { args } = await scheduled(lab, 'edited', 'lan1');
  await lab.addNetns('pod2');
  const other = { args, container: 'c2', pod: 'pod2' };
  const path = '/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions/lan1';
  const changes = [
    [() => api.patch(path, { spec: { config: '{"type":"absent"}' } }), 101],
    [() => api.patch(path, { spec: { config: '{' } }), 6],
    [() => api.delete(path), 7],
  ] as const;
  for (const [change, code] of changes) {
    const { metadata, ...stored } = await api.get(path);
    assertResult(await lab.cni('ADD', { args }), '1.0.0');
    await change();
    await until('another pod gets the new one', async () => {
      const reply = await lab.cni('ADD', other);
      if (reply.code === 0) assertSilent(await lab.cni('DEL', other));
      return reply.code !== 0 && reply.json.code === code && reply.json.msg.includes('lan1');
    });
    assertSilent(await lab.cni('DEL', { args }));
    await assertClean(lab, 'pod1', 'pod2');
    await api.apply({ ...stored, metadata: { namespace: metadata.namespace, name: metadata.name } });
    await until('the first is back', async () => {
      const reply = await lab.cni('ADD', other);
      if (reply.code === 0) assertSilent(await lab.cni('DEL', other));
      return reply.code === 0;
    });
  }
});

test.run();
