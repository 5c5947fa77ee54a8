// timeout: 600s
/** A large cluster: 10,000 definitions, 500 pods on the node. What it costs the daemon, and whether pods notice. */
import { readFileSync, statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readSnapshot, snapshotPath } from '../../src/cluster/snapshot/definitions-snapshot.ts';
import { inLab } from '../lab/doors.ts';
import { until } from '../lab/process.ts';
import { assertClean, assertResult, assertSilent } from '../lab/spec.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';
import { Tunnel } from './lab/tunnel.ts';

const DEFINITIONS = 10_000;
const PODS = 500;
const NETWORKS = 'k8s.v1.cni.cncf.io/networks';

let api: ApiServer;

/** Several at a time, as many clients would. */
async function many(count: number, make: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await make(next++);
  };
  await Promise.all(Array.from({ length: 20 }, work));
}

const config = (i: number) =>
  JSON.stringify({
    cniVersion: '1.0.0',
    name: `lan${i}`,
    plugins: [
      {
        type: 'macvlan',
        master: 'bond0',
        mode: 'bridge',
        mtu: 9000,
        ipam: { type: 'whereabouts', range: `10.${i % 256}.0.0/16` },
      },
      { type: 'tuning', sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1' }, capabilities: { mac: true } },
    ],
  });

test.before(async () => {
  api = await startApiServer();
  await many(DEFINITIONS, async (i) => {
    const path = '/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions';
    const { status } = await api.request('POST', path, {
      apiVersion: 'k8s.cni.cncf.io/v1',
      kind: 'NetworkAttachmentDefinition',
      metadata: { name: `lan${i}` },
      spec: { config: config(i) },
    });
    assert.is(status, 201);
  });
  await many(PODS, (i) =>
    api.createPod({ name: `pod${i}`, annotations: { [NETWORKS]: `lan${i},lan${i + 1}`, more: 'x'.repeat(500) } }),
  );
});

test.after(() => api.close());

/** Resident memory of a process in MB, as the kernel counts it. */
function megabytes(pid: number | undefined, what: 'VmRSS' | 'VmHWM'): number {
  const kilobytes = new RegExp(`${what}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}

inLab('a daemon that follows 10,000 definitions and 500 pods answers as ever', async (lab) => {
  delete lab.config['manifestsDir'];
  await lab.startDaemon();
  const before = megabytes(lab.daemonPid, 'VmRSS');
  await lab.endDaemon();
  await api.apply({
    apiVersion: 'k8s.cni.cncf.io/v1',
    kind: 'NetworkAttachmentDefinition',
    metadata: { namespace: 'default', name: 'real' },
    spec: { config: JSON.stringify(lab.bridge('real', '10.230.0.0/24')) },
  });
  const { uid } = await api.createPod({ name: 'real', annotations: { [NETWORKS]: 'real' } });
  const tunnel = await Tunnel.into(lab, api.url);
  try {
    const kubeconfig = api.kubeconfigOf(await api.authority.client('daemon', 'system:masters'), tunnel.url);
    const started = performance.now();
    await lab.startDaemon('--kubeconfig', kubeconfig, '--node-name', 'node1');
    await until('the definitions are on disk', () => readSnapshot(lab.stateDir).outcome === 'found', 60_000);
    const ms = Math.round(performance.now() - started);
    const snapshot = readSnapshot(lab.stateDir);
    assert.is(snapshot.outcome === 'found' && snapshot.definitions.size, DEFINITIONS + 1);
    const size = Math.round(statSync(snapshotPath(lab.stateDir)).size / 2 ** 20);
    const [after, peak] = [megabytes(lab.daemonPid, 'VmRSS'), megabytes(lab.daemonPid, 'VmHWM')];
    console.log(`${DEFINITIONS} definitions, ${PODS} pods: on disk (${size} MB) ${ms} ms after the start`);
    console.log(`resident: ${before} MB without a cluster, ${after} MB with it, ${peak} MB at most`);
    await lab.addNetns('pod1');
    const args = lab.podArgs('real').replace(/K8S_POD_UID=.*/, `K8S_POD_UID=${uid}`);
    const since = Date.now();
    assertResult(await lab.cni('ADD', { args }), '1.0.0');
    const asked = await api.requests({ userAgent: /^multus-native\//, since });
    assert.equal(
      asked.filter(({ verb }) => verb === 'get' || verb === 'list'),
      [],
    );
    assertSilent(await lab.cni('DEL', { args }));
    await assertClean(lab, 'pod1');
  } finally {
    await lab.endDaemon('SIGTERM');
    await tunnel.close();
  }
});

test.run();
