// timeout: 600s
/** Pods as users make them: by the API server and a real kubelet, through containerd, to our shim and daemon. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../lab/process.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';
import { Kubelet, PAUSE_SPEC } from './lab/kubelet.ts';
import { DEFINITIONS, THREE_NETWORKS } from './lab/networks.ts';
import { LabNode, type NodeOptions } from './lab/node.ts';

const STATUS = 'k8s.v1.cni.cncf.io/network-status';

interface Cluster {
  api: ApiServer;
  node: LabNode;
  kubelet: Kubelet;
}

/** A cluster of one node that nobody else uses; what pods leave behind fails the test. */
function inCluster(
  name: string,
  options: Pick<NodeOptions, 'containerd' | 'mode'>,
  body: (cluster: Cluster) => Promise<void>,
) {
  test(`${name} (containerd ${options.containerd}.x, ${options.mode})`, async () => {
    const api = await startApiServer();
    let node: LabNode | undefined;
    try {
      await api.apply(...DEFINITIONS);
      node = await LabNode.start({ ...options, api });
      const kubelet = await Kubelet.start(node, api);
      try {
        await body({ api, node, kubelet });
      } catch (error) {
        console.error(`--- kubelet\n${kubelet.log.slice(-4000)}--- multusd\n${node.daemonLog.slice(-4000)}---`);
        throw error;
      }
      await kubelet.stop();
      await node.close();
      node = undefined;
    } finally {
      await node?.close(true);
      await api.close();
    }
  });
}

const podPath = (name: string) => `/api/v1/namespaces/default/pods/${name}`;

async function runs(api: ApiServer, name: string): Promise<void> {
  const isRunning = async () => (await api.get(podPath(name)))?.status.phase === 'Running';
  await until(`pod ${name} runs`, isRunning, 60_000);
}

/** Interfaces that the pod's status tells, once it does. */
async function toldInterfaces(api: ApiServer, name: string): Promise<string[]> {
  const told = async (): Promise<string | undefined> => (await api.get(podPath(name))).metadata.annotations?.[STATUS];
  await until(`the status of pod ${name} is told`, async () => (await told()) !== undefined);
  return JSON.parse((await told()) ?? '').map((one: { interface: string }) => one.interface);
}

async function isGone(api: ApiServer, name: string): Promise<void> {
  await until(`pod ${name} is gone`, async () => (await api.get(podPath(name))) === undefined, 60_000);
}

async function ends(api: ApiServer, name: string): Promise<void> {
  await api.request('DELETE', podPath(name));
  await isGone(api, name);
}

const THICK = { containerd: 2, mode: 'thick' } as const;

// Everything else stands in for the kubelet: what it does in another order, or twice, shows here only.
for (const containerd of [1, 2] as const) {
  inCluster(
    'a pod gets its networks, tells them, and leaves nothing',
    { containerd, mode: 'thick' },
    async ({ api }) => {
      await api.createPod({ name: 'web', annotations: THREE_NETWORKS, spec: PAUSE_SPEC });
      await runs(api, 'web');
      assert.equal(await toldInterfaces(api, 'web'), ['eth0', 'net1', 'net2', 'net3']);
      assert.match((await api.get(podPath('web'))).status.podIP, /^10\.244\.0\./);
      await ends(api, 'web');
    },
  );
}

inCluster('a pod gets its networks without a daemon', { containerd: 2, mode: 'thin' }, async ({ api }) => {
  await api.createPod({ name: 'web', annotations: THREE_NETWORKS, spec: PAUSE_SPEC });
  await runs(api, 'web');
  assert.equal(await toldInterfaces(api, 'web'), ['eth0', 'net1', 'net2', 'net3']);
  await ends(api, 'web');
});

// The runtime knows it by a UID that the API server has never heard of: what is asked for by UID would not be found.
inCluster('a static pod gets its networks and tells them', THICK, async ({ api, node, kubelet }) => {
  const manifest = join(kubelet.staticPods, 'control.json');
  const metadata = { name: 'control', namespace: 'default', annotations: THREE_NETWORKS };
  writeFileSync(manifest, JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec: PAUSE_SPEC }));
  const mirror = `control-${node.name}`;
  await runs(api, mirror);
  const [sandbox] = await node.runtime.list();
  const links = await node.runtime.links(sandbox?.id ?? '');
  assert.equal(links.map(({ ifname }) => ifname).sort(), ['eth0', 'lo', 'net1', 'net2', 'net3']);
  assert.equal(await toldInterfaces(api, mirror), ['eth0', 'net1', 'net2', 'net3']);
  assert.is.not(sandbox?.uid, (await api.get(podPath(mirror))).metadata.uid);
  rmSync(manifest);
  await isGone(api, mirror);
});

// The pod must neither start without the network, nor stay refused for ever.
inCluster('a pod waits for its definition, and runs once that is there', THICK, async ({ api }) => {
  const path = '/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions/lan';
  await api.delete(path);
  await api.createPod({ name: 'early', annotations: { 'k8s.v1.cni.cncf.io/networks': 'lan' }, spec: PAUSE_SPEC });
  const failures = async () =>
    (await api.get('/api/v1/namespaces/default/events')).items.filter(
      (event: { reason: string }) => event.reason === 'FailedCreatePodSandBox',
    );
  await until('the pod is refused', async () => (await failures()).length > 0, 30_000);
  assert.match((await failures())[0].message, /lan/);
  await api.apply(...DEFINITIONS);
  await runs(api, 'early');
  assert.equal(await toldInterfaces(api, 'early'), ['eth0', 'net1']);
  await ends(api, 'early');
});

test.run();
