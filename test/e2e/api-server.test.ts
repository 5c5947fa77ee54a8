/** The lab itself: every test of Kubernetes stands on it, and proves nothing if it does not hold. */
import { KubeConfig, Watch } from '@kubernetes/client-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../lab/process.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';

let api: ApiServer;

test.before(async () => {
  api = await startApiServer();
});

test.after(() => api.close());

const pod = (name: string) => `/api/v1/namespaces/default/pods/${name}`;

/** Pods' names as a watch tells them, by the client that the daemon uses. */
async function watchPods(kubeconfig: string): Promise<{ seen: string[]; abort: () => void }> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const seen: string[] = [];
  const onEvent = (phase: string, object: { metadata: { name: string } }) =>
    seen.push(`${phase} ${object.metadata.name}`);
  const watch = await new Watch(config).watch('/api/v1/namespaces/default/pods', {}, onEvent, () => undefined);
  return { seen, abort: () => watch.abort() };
}

test('startApiServer() makes pods that a watch sees, and forgets them when deleted', async () => {
  const watch = await watchPods(api.adminKubeconfig);
  try {
    const { uid } = await api.createPod({ name: 'watched', annotations: { 'k8s.v1.cni.cncf.io/networks': 'lan' } });
    const stored = await api.get(pod('watched'));
    assert.equal([stored.metadata.uid, stored.spec.nodeName], [uid, 'node1']);
    assert.equal(stored.metadata.annotations, { 'k8s.v1.cni.cncf.io/networks': 'lan' });
    await api.delete(pod('watched'));
    assert.is(await api.get(pod('watched')), undefined);
    await until('the watch has seen it go', () => watch.seen.includes('DELETED watched'));
    assert.is(watch.seen[0], 'ADDED watched');
  } finally {
    watch.abort();
  }
});

test('apply() makes a namespace with its account, and definitions in it', async () => {
  const spec = { config: '{"cniVersion":"1.0.0","type":"bridge"}' };
  await api.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'blue' } },
    {
      apiVersion: 'k8s.cni.cncf.io/v1',
      kind: 'NetworkAttachmentDefinition',
      metadata: { namespace: 'blue', name: 'lan' },
      spec,
    },
  );
  const found = await api.get('/apis/k8s.cni.cncf.io/v1/namespaces/blue/network-attachment-definitions/lan');
  assert.equal(found.spec, spec);
  assert.ok(await api.get('/api/v1/namespaces/blue/serviceaccounts/default'));
});

test('serviceAccountToken() gives no more than RBAC grants', async () => {
  const token = await api.serviceAccountToken('default', 'default');
  assert.is((await api.request('GET', '/api/v1/pods', undefined, { token })).status, 403);
  const group = 'rbac.authorization.k8s.io';
  await api.apply(
    {
      apiVersion: `${group}/v1`,
      kind: 'ClusterRole',
      metadata: { name: 'reader' },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }],
    },
    {
      apiVersion: `${group}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'reader' },
      roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', namespace: 'default', name: 'default' }],
    },
  );
  const allowed = () => api.request('GET', '/api/v1/pods', undefined, { token }).then((reply) => reply.status === 200);
  await until('the role is in force', allowed);
  assert.is((await api.request('DELETE', pod('any'), undefined, { token })).status, 403);
  (await watchPods(api.kubeconfigFor(token))).abort();
});

test('kubeconfigOf() is the user of its certificate', async () => {
  const certificate = await api.authority.client('system:multus:node1', 'system:multus');
  const config = new KubeConfig();
  config.loadFromFile(api.kubeconfigOf(certificate));
  await new Watch(config)
    .watch(
      '/api/v1/pods',
      {},
      () => undefined,
      () => undefined,
    )
    .then(
      (watch) => watch.abort(),
      () => undefined, // forbidden: who asked is what counts here
    );
  const mine = await api.requests({ user: 'system:multus:node1' });
  assert.equal(
    mine.map(({ verb, code }) => [verb, code]),
    [['watch', 403]],
  );
});

test('requests() has each request once, and those of the filter only', async () => {
  await api.createPod({ name: 'counted' });
  const since = Date.now();
  const watch = await watchPods(api.adminKubeconfig);
  for (let i = 0; i < 3; i++) await api.get(pod('counted'));
  watch.abort();
  const asked = async (userAgent: RegExp) =>
    (await api.requests({ userAgent, since })).map(({ verb, path }) => `${verb} ${path}`);
  assert.equal(await asked(/multus-native-lab/), Array(3).fill(`get ${pod('counted')}`));
  assert.equal(await asked(/^node-fetch/), ['watch /api/v1/namespaces/default/pods?watch=true']);
  assert.equal(await api.requests({ user: 'nobody' }), []);
});

test('stop() refuses connections, start() has the data, at the same address', async () => {
  await api.createPod({ name: 'kept' });
  await api.stop();
  const refused = await api.get(pod('kept')).then(
    () => undefined,
    (error) => error.code,
  );
  assert.is(refused, 'ECONNREFUSED');
  await api.start();
  assert.is((await api.get(pod('kept'))).metadata.name, 'kept');
});

test('pause() hangs, resume() answers', async () => {
  api.pause();
  const asked = api.get('/api');
  let answered = false;
  const signal = AbortSignal.timeout(300);
  const impatient = await api.request('GET', '/api', undefined, { signal }).then(
    () => 'answered',
    (error) => error.name,
  );
  void asked.then(() => {
    answered = true;
  });
  assert.equal([impatient, answered], ['AbortError', false]);
  api.resume();
  assert.ok(await asked);
});

test('startApiServer() runs beside another', async () => {
  const other = await startApiServer();
  try {
    await other.createPod({ name: 'elsewhere' });
    assert.is(await api.get(pod('elsewhere')), undefined);
  } finally {
    await other.close();
  }
});

test.run();
