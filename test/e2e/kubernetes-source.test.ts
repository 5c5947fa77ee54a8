// timeout: 300s
/** The daemon's source against a real API server: what a pod gets while the server is up, away, hanging and back. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KubernetesSource } from '../../src/cluster/kubernetes/kubernetes-source.ts';
import { LiveSource } from '../../src/cluster/kubernetes/live-source.ts';
import { snapshotPath } from '../../src/cluster/snapshot/definitions-snapshot.ts';
import { DeliveryError, type WatchedPod } from '../../src/cluster/source.ts';
import { FakeLog } from '../fakes/fake-log.ts';
import { until } from '../lab/process.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const NODE = 'node1';
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

let api: ApiServer;
let folder: string;

test.before(async () => {
  api = await startApiServer();
  folder = mkdtempSync(join(tmpdir(), 'multus-source-'));
});

test.after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await api.close();
});

/** Tries soon again, so that a test need not wait for the pauses of a node. */
const TIMES = { firstMs: 50, longestMs: 500, silenceMs: 5000, pageMs: 10_000, watchSeconds: 60 };

let states = 0;
let users = 0;

interface Running {
  source: KubernetesSource;
  log: FakeLog;
  userAgent: string;
  cniDir: string;
  stop: () => Promise<void>;
}

/** A source that follows the cluster, as the daemon's does. */
function follow({
  kubeconfig = api.adminKubeconfig,
  cniDir = join(folder, `state${++states}`),
  times = TIMES,
} = {}): Running {
  const log = new FakeLog();
  const userAgent = `source-test-${++users}`;
  const source = new KubernetesSource({ origin: { kubeconfig }, node: NODE, cniDir, userAgent, log, times });
  const ending = new AbortController();
  const running = source.run(ending.signal);
  const stop = async () => {
    ending.abort();
    await running;
  };
  return { source, log, userAgent, cniDir, stop };
}

async function synced(running: Running): Promise<Running> {
  await until(
    'the source has seen the cluster',
    () => {
      const { pods, definitions } = running.source.state;
      return pods.isSynced && definitions.isSynced;
    },
    60_000,
  );
  return running;
}

async function withSource(options: Parameters<typeof follow>[0], body: (running: Running) => Promise<void>) {
  const running = follow(options);
  try {
    await body(running);
  } finally {
    await running.stop();
  }
}

const definition = (name: string, config = '{"type":"bridge"}', namespace = 'default', more: object = {}) => ({
  apiVersion: 'k8s.cni.cncf.io/v1',
  kind: 'NetworkAttachmentDefinition',
  metadata: { namespace, name, ...more },
  spec: { config },
});

const podPath = (name: string) => `/api/v1/namespaces/default/pods/${name}`;

/** What asks for an object, not for changes. */
const verbs = async (userAgent: string, since: number) =>
  (await api.requests({ userAgent: new RegExp(userAgent), since }))
    .filter(({ verb }) => verb !== 'watch')
    .map(({ verb, path }) => `${verb} ${path.split('?')[0]}`);

// Each ADD would otherwise load the API server of a large cluster, and wait for it.
test('asks nothing for pods and definitions that the copy has, and once for a definition made with the pod', async () => {
  await api.apply(definition('lan'));
  const { uid } = await api.createPod({ name: 'web', annotations: { [NETWORKS]: 'lan', unrelated: 'x' } });
  await withSource({}, async (running) => {
    const { source, userAgent } = await synced(running);
    const since = Date.now();
    const found = await source.pod('default', 'web', { uid, signal: soon() });
    assert.ok(found.outcome === 'found');
    assert.equal(found.pod.annotations, { [NETWORKS]: 'lan' }, 'nothing is kept that nobody reads');
    const lan = await source.definition('default', 'lan', soon());
    assert.equal(lan, {
      outcome: 'found',
      definition: { namespace: 'default', name: 'lan', config: '{"type":"bridge"}', annotations: {} },
    });
    assert.equal(await verbs(userAgent, since), []);
    const gone = await source.definition('default', 'nowhere', soon());
    assert.equal(gone, {
      outcome: 'absent',
      reason: 'there is no NetworkAttachmentDefinition default/nowhere in the cluster',
    });
    const path = '/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions/nowhere';
    assert.equal(await verbs(userAgent, since), [`get ${path}`]);
  });
});

test('follows changes: an edited definition is the new one at the next ADD, a deleted one is gone', async () => {
  await withSource({}, async (running) => {
    const { source } = await synced(running);
    const config = async (): Promise<string> => {
      const lookup = await source.definition('default', 'edited', soon());
      return lookup.outcome === 'found' ? lookup.definition.config : lookup.outcome;
    };
    await api.apply(definition('edited', 'one'));
    await until('the first', async () => (await config()) === 'one');
    await api.apply(definition('edited', 'two'));
    await until('the second', async () => (await config()) === 'two');
    await api.delete('/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions/edited');
    await until('none', async () => (await config()) === 'absent');
  });
});

// Hot-plug stands on it; pods of other nodes would cost memory, and are none of ours.
test("watch tells each change of this node's pods, and none of other nodes'", async () => {
  await withSource({}, async (running) => {
    const { source } = await synced(running);
    const seen: [string, WatchedPod | undefined][] = [];
    const end = source.watch.subscribe((pod, key) => seen.push([key, pod]));
    const { uid } = await api.createPod({ name: 'mine' });
    await api.createPod({ name: 'theirs', nodeName: 'node2' });
    await api.patch(podPath('mine'), { metadata: { annotations: { [NETWORKS]: 'lan' } } });
    await until('the annotation', () => seen.some(([, pod]) => pod?.annotations[NETWORKS] === 'lan'));
    assert.ok([...source.watch.pods()].some((pod) => pod.uid === uid && pod.phase === 'Pending' && !pod.hostNetwork));
    await api.delete(podPath('mine'));
    await until('it is gone', () => seen.some(([key, pod]) => key === 'default/mine' && pod === undefined));
    assert.equal([...new Set(seen.map(([key]) => key))], ['default/mine']);
    end();
    await api.delete(podPath('theirs'));
  });
});

// A StatefulSet's pod comes back under its name; networks of the earlier one would be wrong.
test('a pod made anew under its name is asked for by its UID; one that is gone is unknown, not "no networks"', async () => {
  await withSource({}, async (running) => {
    const { source } = await synced(running);
    const first = await api.createPod({ name: 'db-0', annotations: { [NETWORKS]: 'old' } });
    await api.delete(podPath('db-0'));
    const { uid } = await api.createPod({ name: 'db-0', annotations: { [NETWORKS]: 'new' } });
    const found = await source.pod('default', 'db-0', { uid, signal: soon() });
    assert.equal(found.outcome === 'found' && [found.pod.uid, found.pod.annotations[NETWORKS]], [uid, 'new']);
    const earlier = await source.pod('default', 'db-0', { uid: first.uid, signal: soon() });
    assert.equal(earlier.outcome === 'found' && earlier.pod.uid, uid, 'who asked sees that it is another one');
    await api.delete(podPath('db-0'));
    await until('the copy has it no longer', () => [...source.watch.pods()].every(({ name }) => name !== 'db-0'));
    assert.equal(await source.pod('default', 'db-0', { uid, signal: soon() }), {
      outcome: 'unknown',
      reason: 'the API server has no pod default/db-0: it was deleted meanwhile',
    });
  });
});

// The kubelet gives a static pod a UID that the API server does not know: no static pod could start, or tell its status.
test("a static pod is found, and told of, by its mirror's annotations; not by those of its earlier content", async () => {
  const hash = '0123456789abcdef0123456789abcdef';
  const annotations = {
    'kubernetes.io/config.source': 'file',
    'kubernetes.io/config.hash': hash,
    'kubernetes.io/config.mirror': hash,
    [NETWORKS]: 'lan',
  };
  await withSource({}, async (running) => {
    const { source } = await synced(running);
    const mirror = await api.createPod({ name: 'static-node1', annotations });
    await until('the copy has it', () => [...source.watch.pods()].some(({ name }) => name === 'static-node1'));
    const found = await source.pod('default', 'static-node1', { uid: hash, signal: soon() });
    assert.is(found.outcome === 'found' && found.pod.annotations[NETWORKS], 'lan');
    const status = { namespace: 'default', name: 'static-node1', containerId: 'c', annotations: { status: 'here' } };
    await source.publishStatus({ ...status, uid: hash });
    assert.is((await api.get(podPath('static-node1'))).metadata.annotations.status, 'here');
    const live = new LiveSource({
      kubeconfig: api.adminKubeconfig,
      cniDir: folder,
      userAgent: 't',
      log: new FakeLog(),
    });
    await live.publishStatus({ ...status, uid: hash, annotations: { status: 'there' } });
    const stored = await api.get(podPath('static-node1'));
    assert.is(stored.metadata.annotations.status, 'there', 'without a copy the mirror is looked up');
    assert.is(stored.metadata.uid, mirror.uid);
    const other = await source.publishStatus({ ...status, uid: 'fedcba' }).catch((error: unknown) => error);
    assert.ok(other instanceof DeliveryError && other.isFinal, String(other));
  });
});

test('publishStatus() leaves annotations of others, tells nothing to another pod of the name, and knows what is final', async () => {
  await withSource({}, async (running) => {
    const { source } = await synced(running);
    const { uid } = await api.createPod({ name: 'told', annotations: { theirs: 'stays' } });
    const status = { namespace: 'default', name: 'told', uid, containerId: 'c', annotations: { ours: 'new' } };
    await source.publishStatus(status);
    assert.equal((await api.get(podPath('told'))).metadata.annotations, { theirs: 'stays', ours: 'new' });
    for (const wrong of [{ uid: 'another' }, { name: 'absent' }]) {
      const error = await source.publishStatus({ ...status, ...wrong }).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof DeliveryError && error.isFinal, `${JSON.stringify(wrong)}: ${String(error)}`);
    }
    await api.stop();
    try {
      const error = await source.publishStatus(status).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof DeliveryError && !error.isFinal, String(error));
      assert.match(error.message, 'pod default/told');
    } finally {
      await api.start();
    }
  });
});

// A pod that is retried for an hour must not fill the cluster with events.
test('recordEvent() makes one event that counts, also after a restart of the daemon', async () => {
  const { uid } = await api.createPod({ name: 'eventful' });
  const event = {
    namespace: 'default',
    name: 'eventful',
    uid,
    type: 'Normal' as const,
    reason: 'AddedInterface',
    message: 'Add eth0 [10.0.0.2/24] from lan',
  };
  const stored = async () =>
    (await api.get('/api/v1/namespaces/default/events')).items.filter(
      (one: { involvedObject: { name: string } }) => one.involvedObject.name === 'eventful',
    );
  await withSource({}, async ({ source }) => {
    await source.recordEvent(event, soon());
    await source.recordEvent(event, soon());
  });
  await withSource({}, async ({ source }) => {
    await source.recordEvent(event, soon());
    await source.recordEvent({ ...event, message: `${'x'.repeat(1022)}ääää` }, soon());
  });
  const [first, second, ...more] = (await stored()).sort(
    (a: { message: string }, b: { message: string }) => a.message.length - b.message.length,
  );
  assert.equal([first.message, first.count, first.involvedObject.uid], [event.message, 3, uid]);
  assert.equal([first.source.component, first.source.host], ['multus', NODE]);
  assert.ok(Buffer.byteLength(second.message) <= 1024);
  assert.is(more.length, 0);
});

// The node boots, or the daemon restarts, while the control plane is away: pods must start all the same.
test('with the API server away, what was known is told at once; after a restart definitions come from the disk', async () => {
  await api.apply(
    definition('kept', '{"type":"kept"}', 'default', { annotations: { 'k8s.v1.cni.cncf.io/resourceName': 'r' } }),
  );
  const { uid } = await api.createPod({ name: 'stays', annotations: { [NETWORKS]: 'kept' } });
  const first = await synced(follow());
  await until('the snapshot has it', () => {
    try {
      return readFileSync(snapshotPath(first.cniDir), 'utf8').includes('kept');
    } catch {
      return false;
    }
  });
  await api.stop();
  try {
    await until('the copy is known to be old', () => first.source.state.definitions.problem !== '');
    assert.is((await first.source.pod('default', 'stays', { uid, signal: soon() })).outcome, 'found');
    assert.is((await first.source.definition('default', 'kept', soon())).outcome, 'found');
    const other = await first.source.pod('default', 'unseen', { uid: 'u', signal: soon() });
    assert.ok(other.outcome === 'unknown');
    assert.match(other.reason, /cannot be asked .*ECONNREFUSED/);
    await first.stop();
    await withSource({ cniDir: first.cniDir }, async ({ source, log }) => {
      await until('it has tried', () => source.state.definitions.problem !== '');
      const kept = await source.definition('default', 'kept', soon());
      assert.equal(kept, {
        outcome: 'found',
        definition: {
          namespace: 'default',
          name: 'kept',
          config: '{"type":"kept"}',
          annotations: { 'k8s.v1.cni.cncf.io/resourceName': 'r' },
        },
      });
      const [used] = log.of('definition taken from the disk') as [{ network: string; takenAt: string }];
      assert.is(used.network, 'default/kept');
      assert.ok(Date.now() - Date.parse(used.takenAt) < 120_000);
      const unseen = await source.definition('default', 'never-seen', soon());
      assert.is(unseen.outcome, 'unknown', 'it may have been made meanwhile');
      await api.start();
      await until(
        'it follows again',
        () => source.state.definitions.isSynced && source.state.definitions.problem === '',
      );
      assert.is((await source.definition('default', 'never-seen', soon())).outcome, 'absent');
    });
  } finally {
    await api.start();
  }
});

// An API server behind a broken load balancer accepts connections and never answers.
test('with a hanging API server a look-up ends with its signal, what is known is told at once, and all goes on after it', async () => {
  await api.apply(definition('hangs'));
  await withSource({ times: { ...TIMES, silenceMs: 800 } }, async (running) => {
    const { source, log } = await synced(running);
    api.pause();
    try {
      const started = performance.now();
      assert.is((await source.definition('default', 'hangs', soon())).outcome, 'found');
      const lookups = await Promise.all(
        Array.from({ length: 20 }, () => source.pod('default', 'x', { uid: 'u', signal: AbortSignal.timeout(300) })),
      );
      for (const lookup of lookups)
        assert.match(JSON.stringify(lookup), 'does not answer in time', JSON.stringify(lookup));
      assert.ok(performance.now() - started < 5000, 'nobody waits longer than asked');
      await until('the silent watch is given up', () => log.of('cannot follow the cluster').length > 0);
    } finally {
      api.resume();
    }
    await api.apply(definition('after'));
    await until('the copy goes on', async () => source.state.definitions.problem === '');
    await until(
      'it has the new one',
      async () => (await source.definition('default', 'after', soon())).outcome === 'found',
    );
  });
});

/** A way to the API server that can be cut, while others reach it. */
async function cuttable(): Promise<{ url: string; cut: (is: boolean) => void; close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((inside) => {
    if (isCut) {
      inside.destroy();
      return;
    }
    const outside = connect(Number(new URL(api.url).port), '127.0.0.1');
    for (const [one, other] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (is: boolean): void => {
    isCut = is;
    if (is) for (const socket of sockets) socket.destroy();
  };
  const close = async () => {
    cut(true);
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, cut, close };
}

// What was deleted while nobody watched is told by no event: a pod would get a network that is no longer.
test('a server that has forgotten where the copy was (410) is listed anew, with what was deleted meanwhile', async () => {
  const way = await cuttable();
  const kubeconfig = api.kubeconfigOf(await api.authority.client('cuttable', 'system:masters'), way.url);
  await api.apply(definition('before'));
  await withSource({ kubeconfig }, async (running) => {
    const { source, userAgent } = await synced(running);
    await api.createPod({ name: 'goes' });
    await until('the pod is there', () => [...source.watch.pods()].some(({ name }) => name === 'goes'));
    const seen: string[] = [];
    source.watch.subscribe((pod, key) => seen.push(`${key} ${pod === undefined ? 'gone' : 'here'}`));
    way.cut(true);
    await until('it is cut off', () => source.state.pods.problem !== '' && source.state.definitions.problem !== '');
    await api.delete('/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions/before');
    await api.apply(definition('during'));
    await api.delete(podPath('goes'));
    await api.createPod({ name: 'comes' });
    await api.stop(); // what it remembers of changes begins with its start
    await api.start();
    const since = Date.now();
    way.cut(false);
    await until('it is complete', () => seen.length === 2);
    assert.equal(seen.sort(), ['default/comes here', 'default/goes gone']);
    await until('what is gone is gone', async () => {
      return (await source.definition('default', 'before', soon())).outcome === 'absent';
    });
    assert.is((await source.definition('default', 'during', soon())).outcome, 'found');
    const asked = await api.requests({ userAgent: new RegExp(`${userAgent}$`), since });
    const lists = asked.filter(({ verb, path }) => verb === 'list' || path.includes('sendInitialEvents'));
    assert.is(lists.length, 2, 'each once');
  }).finally(way.close);
});

/** An account that may do what the rules say. */
async function account(name: string, rules: object[]): Promise<string> {
  await api.apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace: 'default', name } },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', namespace: 'default', name }],
    },
  );
  return name;
}

const NADS = { apiGroups: ['k8s.cni.cncf.io'], resources: ['network-attachment-definitions'] };
const PODS = { apiGroups: [''], resources: ['pods'] };
const ALL_READ = [
  { ...NADS, verbs: ['get', 'list', 'watch'] },
  { ...PODS, verbs: ['get', 'list', 'watch'] },
];

test('a role that lacks a verb is named in log and reason, and only what needs the verb is unknown', async () => {
  const name = await account('only-get', [
    { ...NADS, verbs: ['get'] },
    { ...PODS, verbs: ['list', 'watch'] },
  ]);
  const kubeconfig = api.kubeconfigFor(await api.serviceAccountToken('default', name));
  await withSource({ kubeconfig }, async ({ source, log }) => {
    await until('it has tried', () => source.state.definitions.problem !== '' && source.state.pods.isSynced);
    const [{ reason }] = log.of('cannot follow the cluster') as [{ reason: string }];
    assert.match(reason, /403 .*our role does not allow it.*cannot watch resource .*network-attachment-definitions/);
    await api.apply(definition('single'));
    assert.is((await source.definition('default', 'single', soon())).outcome, 'found', 'one by one it works');
    const pod = await source.pod('default', 'absent', { uid: 'u', signal: soon() });
    assert.match(JSON.stringify(pod), /403 .*cannot get resource/);
    assert.is(log.of('cannot follow the cluster').length, 1, 'once, not at each try');
  });
});

// A projected token is replaced each hour by a swap of symbolic links, and the daemon runs for months.
test('credentials that are replaced in place are used from the next request on; half-written ones change nothing', async () => {
  const name = await account('rotating', ALL_READ);
  const data = join(folder, 'projected');
  const swap = (version: string, token: string): void => {
    const directory = `${data}-${version}`;
    writeFileSync(directory, token);
    rmSync(data, { force: true });
    symlinkSync(directory, data);
  };
  swap('1', `${await api.serviceAccountToken('default', name)}\n`);
  const kubeconfig = join(folder, 'rotating.kubeconfig');
  const base64 = readFileSync(api.caFile).toString('base64');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: api.url, 'certificate-authority-data': base64 } }],
      users: [{ name: 'u', user: { tokenFile: 'projected' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  await withSource({ kubeconfig }, async (running) => {
    const { source, log, userAgent } = await synced(running);
    const ask = () => source.definition('default', 'no-such', soon());
    assert.is((await ask()).outcome, 'absent');
    swap('2', 'not a token');
    assert.match(JSON.stringify(await ask()), /401 .*does not take our credentials/);
    swap('3', await api.serviceAccountToken('default', name));
    assert.is((await ask()).outcome, 'absent', 'the next request has the new token');
    rmSync(data);
    assert.is((await ask()).outcome, 'absent', 'the last good one counts while the file is away');
    assert.is(log.of('going on with the last good credentials').length, 1);
    const users = await api.requests({ userAgent: new RegExp(`${userAgent}$`) });
    assert.ok(users.some(({ user }) => user === 'system:serviceaccount:default:rotating'));
  });
});

test('a client certificate that is replaced is used from the next request on, whichever of its files comes first', async () => {
  const files = { cert: join(folder, 'client.crt'), key: join(folder, 'client.key') };
  const certificates = await Promise.all(['one', 'two'].map((user) => api.authority.client(user, 'system:masters')));
  const put = (kind: 'cert' | 'key', index: number): void => {
    writeFileSync(files[kind], readFileSync(certificates[index]?.[kind === 'cert' ? 'certFile' : 'keyFile'] ?? ''));
  };
  put('cert', 0);
  put('key', 0);
  const kubeconfig = join(folder, 'node.kubeconfig');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: api.url, 'certificate-authority': api.caFile } }],
      users: [{ name: 'u', user: { 'client-certificate': 'client.crt', 'client-key': 'client.key' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  await withSource({ kubeconfig }, async (running) => {
    const { source, userAgent } = await synced(running);
    const askers = async (): Promise<string[]> => {
      const since = Date.now();
      assert.is((await source.definition('default', 'no-such', soon())).outcome, 'absent');
      const asked = await api.requests({ userAgent: new RegExp(`${userAgent}$`), since });
      return [...new Set(asked.filter(({ verb }) => verb === 'get').map(({ user }) => user))];
    };
    assert.equal(await askers(), ['one']);
    put('cert', 1);
    assert.equal(await askers(), ['one'], 'certificate and key do not belong together: the last good ones');
    put('key', 1);
    assert.equal(await askers(), ['two']);
  });
});

test('a cluster without the CRD has no definitions, and says which CRD is missing; once installed, they are seen', async () => {
  const crd = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/network-attachment-definitions.k8s.cni.cncf.io';
  const { spec } = await api.get(crd);
  await api.delete(crd);
  await until('it is gone', async () => (await api.get(crd)) === undefined);
  await until('it is no longer served', async () => {
    const { status } = await api.request('GET', '/apis/k8s.cni.cncf.io/v1/network-attachment-definitions');
    return status === 404;
  });
  await withSource({}, async ({ source }) => {
    await until('it has tried', () => source.state.definitions.problem !== '');
    assert.match(source.state.definitions.problem, /CRD .* is not installed/);
    const lookup = await source.definition('default', 'a', soon());
    assert.ok(lookup.outcome === 'absent', JSON.stringify(lookup));
    assert.match(lookup.reason, /CRD .* is not installed/);
    await api.apply({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'network-attachment-definitions.k8s.cni.cncf.io' },
      spec,
    });
    await api.apply(definition('late'));
    await until('it is followed', () => source.state.definitions.isSynced);
    await until('it is found', async () => (await source.definition('default', 'late', soon())).outcome === 'found');
  });
});

test('an API server of another authority is not believed: its certificate is refused, by its name', async () => {
  const text = readFileSync(api.adminKubeconfig, 'utf8');
  const config = JSON.parse(text.startsWith('{') ? text : '{}');
  if (config.clusters === undefined) return assert.unreachable('the lab writes JSON');
  const stranger = await api.authority.client('stranger', 'none');
  config.clusters[0].cluster['certificate-authority-data'] = readFileSync(stranger.certFile).toString('base64');
  const kubeconfig = join(folder, 'wrong-ca.kubeconfig');
  writeFileSync(kubeconfig, JSON.stringify(config));
  await withSource({ kubeconfig }, async ({ source }) => {
    const lookup = await source.definition('default', 'lan', soon());
    assert.ok(lookup.outcome === 'unknown');
    assert.match(lookup.reason, /certificate/);
  });
});

test('devices of resource claims are asked for when they are needed, and say what a cluster lacks', async () => {
  await withSource({}, async ({ source }) => {
    const claim = await source.resources.resourceClaim('default', 'none', soon());
    assert.ok(['absent', 'unknown'].includes(claim.outcome));
    if (claim.outcome === 'unknown') assert.match(claim.reason, 'Kubernetes 1.34');
    const slices = await source.resources.resourceSlices('sriov.example', soon());
    assert.ok(slices.outcome === 'found' ? slices.slices.length === 0 : slices.reason.includes('1.34'));
  });
});

test.run();
