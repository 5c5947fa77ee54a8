// timeout: 300s
/** The manifests, on a real API server: what cannot be applied, or lacks a right, is found here and not on a cluster. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RawObject } from '../../src/cni/raw-json.ts';
import { parseDaemonConfig } from '../../src/pod/daemon-config.ts';
import { DIST } from '../lab/lab.ts';
import { until } from '../lab/process.ts';
import type { Reply } from './lab/api-client.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';
import { DEPLOY, type Manifest, only, render } from './lab/render.ts';

const NADS = '/apis/k8s.cni.cncf.io/v1';
const DRA = '/apis/resource.k8s.io/v1';
const ACCOUNT = 'multus-native';
const PRESETS = readdirSync(join(DEPLOY, 'presets'));
const COMPONENTS = readdirSync(join(DEPLOY, 'components'));
/** Every folder that is applied as it is. */
const WHOLE = ['base', 'thin', ...PRESETS.map((name) => `presets/${name}`)];

/** Kinds that only OpenShift's API server has. */
const isOpenShift = ({ apiVersion }: Manifest): boolean => apiVersion.startsWith('security.openshift.io/');

let api: ApiServer;

test.before(async () => {
  api = await startApiServer();
});

test.after(() => api.close());

/** The base with components of ours. */
async function renderWith(components: readonly string[], base = 'base'): Promise<Manifest[]> {
  return render({
    resources: [`${DEPLOY}/${base}`],
    components: components.map((name) => `${DEPLOY}/components/${name}`),
  });
}

for (const folder of WHOLE) {
  test(`deploy/${folder} is accepted whole by the API server, field by field`, async () => {
    const objects = (await render(folder)).filter((one) => !isOpenShift(one));
    const applied = await api.apply(...objects); // fieldValidation=Strict
    assert.is(applied.length, objects.length);
    const daemons = applied.filter(({ kind }) => kind === 'DaemonSet');
    assert.is(daemons.length, 1);
    const config = only(applied, 'ConfigMap').metadata.name;
    const volumes: Manifest[] = daemons[0].spec.template.spec.volumes;
    assert.ok(
      volumes.some(({ configMap }) => configMap?.name === config),
      'the DaemonSet has the configuration',
    );
  });
}

// `kubectl delete -k` of what was installed would delete every network of the cluster.
test('nothing but deploy/crd has the definition of definitions', async () => {
  for (const folder of WHOLE) {
    const kinds = (await render(folder)).map(({ kind }) => kind);
    assert.not.ok(kinds.includes('CustomResourceDefinition'), folder);
  }
  const [applied] = await api.apply(...(await render('crd')));
  assert.is(applied.kind, 'CustomResourceDefinition');
});

for (const base of ['base', ...PRESETS.map((name) => `presets/${name}`)]) {
  test(`deploy/${base} is accepted with every component`, async () => {
    await api.apply(...(await renderWith(COMPONENTS, base)).filter((one) => !isOpenShift(one)));
  });
}

// A folder that is written to and read elsewhere is the commonest way to a node without networks (k3s#10869, talos#10468).
for (const base of ['base', ...PRESETS.map((name) => `presets/${name}`)]) {
  test(`deploy/${base}: configuration, mounts and what is installed name the same folders`, async () => {
    const objects = await renderWith(['hotplug'], base);
    const text = only(objects, 'ConfigMap').data['daemon-config.json'];
    const what = `daemon-config.json of ${base}`;
    const config = parseDaemonConfig(RawObject.parse(text, what), what);
    assert.equal(config.notes, []);
    const binDir = JSON.parse(config.overlay['binDir'] ?? '"/opt/cni/bin"');
    const kubeletDir = JSON.parse(config.overlay['kubeletDir'] ?? '"/var/lib/kubelet"');
    const { initContainers, containers, volumes } = only(objects, 'DaemonSet').spec.template.spec;
    const mounted = ({ volumeMounts }: Manifest, name: string): string[] =>
      volumeMounts.filter((one: Manifest) => one.name === name).map((one: Manifest) => one.mountPath);
    const onNode = (name: string): string => volumes.find((one: Manifest) => one.name === name).hostPath.path;
    const [install] = initContainers;
    const [daemon] = containers;
    for (const [container, name, path] of [
      [install, 'cni-bin', binDir],
      [daemon, 'cni-bin', binDir],
      [daemon, 'cni-conf', config.multusAutoconfigDir],
      [daemon, 'cni-conf', config.cniConfigDir],
      [daemon, 'pod-resources', `${kubeletDir}/pod-resources`],
      [daemon, 'device-plugins', `${kubeletDir}/device-plugins`],
    ]) {
      assert.equal(mounted(container, name), [path], `mount ${name} of ${container.name}`);
      assert.is(onNode(name), path, `volume ${name}`);
    }
    const { command } = install;
    assert.is(command[command.indexOf('--bin-dir') + 1], binDir);
    // Containers see /var/run as /run: the one name is the other.
    assert.equal(mounted(daemon, 'netns'), ['/run/netns']);
    assert.match(onNode('netns'), /^(\/var)?\/run\/netns$/);
  });
}

// In other folders it would find nothing, and say that the node is given back.
for (const folder of WHOLE) {
  test(`deploy/uninstall over ${folder} is accepted, looks into that one's folders, and leaves the definition alone`, async () => {
    const installed = only(await render(folder), 'DaemonSet').spec.template.spec;
    const objects = await render({ resources: [join(DEPLOY, folder)], components: [join(DEPLOY, 'uninstall')] });
    await api.apply(...objects.filter((one) => !isOpenShift(one)));
    const kinds = objects.map(({ kind }) => kind).filter((kind) => kind !== 'SecurityContextConstraints');
    assert.equal(kinds, ['ServiceAccount', 'DaemonSet']);
    const { containers, initContainers, volumes } = only(objects, 'DaemonSet').spec.template.spec;
    const pathOf = (name: string, among: Manifest[]) => among.find((one) => one.name === name).hostPath.path;
    const [binDir, confDir] = ['cni-bin', 'cni-conf'].map((name) => pathOf(name, installed.volumes));
    assert.is(initContainers, undefined);
    assert.is(containers.length, 1);
    const [{ image, command, readinessProbe, volumeMounts }] = containers;
    assert.is(image, installed.initContainers[0].image);
    const folders = ['uninstall', '--bin-dir', binDir, '--conf-dir', confDir];
    assert.equal(command.slice(1), [...folders, '--watch']);
    assert.equal(readinessProbe.exec.command, [command[0], ...folders, '--verify', '--dry-run']);
    for (const { name, mountPath } of volumeMounts) {
      assert.is(pathOf(name, volumes).replace(/^\/var\/run/, '/run'), mountPath, name);
    }
  });
}

test('the pod is of the highest quality of service: the last to be killed or evicted when memory is short', async () => {
  for (const folder of WHOLE) {
    const {
      initContainers = [],
      containers,
      priorityClassName,
    } = only(await render(folder), 'DaemonSet').spec.template.spec;
    assert.is(priorityClassName, 'system-node-critical', folder);
    for (const { name, resources } of [...initContainers, ...containers]) {
      assert.equal(resources.requests, resources.limits, `${folder}: ${name}`);
      assert.equal(Object.keys(resources.limits).sort(), ['cpu', 'memory'], `${folder}: ${name}`);
    }
  }
});

/** What Multus's own definition of the type takes, and what users have in their clusters. */
const DEFINITIONS: Manifest[] = [
  { name: 'json', spec: { config: '{"cniVersion":"0.3.1","type":"macvlan","master":"eth0"}' } },
  { name: 'list', spec: { config: '{"cniVersion":"1.0.0","name":"a","plugins":[{"type":"bridge"}]}' } },
  { name: 'no-json', spec: { config: 'by mistake' } },
  { name: 'empty', spec: { config: '' } },
  { name: 'no-config', spec: {} },
  { name: 'no-spec' },
  { name: 'unknown-fields', spec: { config: '{}', other: 1 }, status: { phase: 'x' } },
];

test('every definition that Multus takes is taken, and kept as it was', async () => {
  for (const { name, ...rest } of DEFINITIONS) {
    const object = {
      apiVersion: 'k8s.cni.cncf.io/v1',
      kind: 'NetworkAttachmentDefinition',
      metadata: { name },
      ...rest,
    };
    const path = `${NADS}/namespaces/default/network-attachment-definitions`;
    const { status, body } = await api.request('POST', path, object);
    assert.is(status, 201, `${name}: ${body.message}`);
    assert.is(body.spec?.config, rest.spec?.config);
  }
});

test('a table of definitions says which device they want', async () => {
  await api.apply({
    apiVersion: 'k8s.cni.cncf.io/v1',
    kind: 'NetworkAttachmentDefinition',
    metadata: {
      name: 'vf',
      namespace: 'default',
      annotations: { 'k8s.v1.cni.cncf.io/resourceName': 'intel.com/sriov' },
    },
    spec: { config: '{"type":"sriov"}' },
  });
  const path = `${NADS}/namespaces/default/network-attachment-definitions/vf`;
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'; // as kubectl get
  const { body } = await api.request('GET', path, undefined, { accept });
  assert.equal(
    body.columnDefinitions.map(({ name }: Manifest) => name),
    ['Name', 'Device', 'Age', 'Config'],
  );
  assert.equal(body.rows[0].cells.slice(0, 2), ['vf', 'intel.com/sriov']);
});

/** One request of the daemon, as src/cluster/kubernetes sends it. */
interface Call {
  /** Whose verb it is: "get pods". */
  verb: string;
  method: string;
  path: string;
  body?: unknown;
  contentType?: string;
}

const MERGE = 'application/merge-patch+json';
const EVENTS = '/api/v1/namespaces/default/events';

const event = (name: string) => ({
  metadata: { name, namespace: 'default' },
  involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'web' },
  reason: 'AddedInterface',
  message: 'Add net1 [10.1.1.1/24] from default/lan',
  type: 'Normal',
});

const CALLS: Call[] = [
  { verb: 'list pods', method: 'GET', path: '/api/v1/pods?fieldSelector=spec.nodeName%3Dnode1' },
  {
    verb: 'watch pods',
    method: 'GET',
    path: '/api/v1/pods?fieldSelector=spec.nodeName%3Dnode1&watch=1&timeoutSeconds=1',
  },
  { verb: 'get pods', method: 'GET', path: '/api/v1/namespaces/default/pods/web' },
  { verb: 'list network-attachment-definitions', method: 'GET', path: `${NADS}/network-attachment-definitions` },
  {
    verb: 'watch network-attachment-definitions',
    method: 'GET',
    path: `${NADS}/network-attachment-definitions?watch=1&timeoutSeconds=1`,
  },
  {
    verb: 'get network-attachment-definitions',
    method: 'GET',
    path: `${NADS}/namespaces/default/network-attachment-definitions/vf`,
  },
  {
    verb: 'patch pods/status',
    method: 'PATCH',
    path: '/api/v1/namespaces/default/pods/web/status',
    body: { metadata: { annotations: { 'k8s.v1.cni.cncf.io/network-status': '[]' } } },
    contentType: MERGE,
  },
  { verb: 'create events', method: 'POST', path: EVENTS, body: event('new') },
  { verb: 'get events', method: 'GET', path: `${EVENTS}/known` },
  { verb: 'patch events', method: 'PATCH', path: `${EVENTS}/known`, body: { count: 2 }, contentType: MERGE },
];

const DRA_CALLS: Call[] = [
  { verb: 'get resourceclaims', method: 'GET', path: `${DRA}/namespaces/default/resourceclaims/none` },
  {
    verb: 'list resourceslices',
    method: 'GET',
    path: `${DRA}/resourceslices?fieldSelector=spec.driver%3Ddra.example.com`,
  },
];

/** What nobody in our place needs, whose name may stand in a bug of ours or in an intruder's wishes. */
const FORBIDDEN: Call[] = [
  { verb: 'list secrets', method: 'GET', path: '/api/v1/secrets' },
  { verb: 'get secrets', method: 'GET', path: '/api/v1/namespaces/kube-system/secrets/a' },
  { verb: 'list configmaps', method: 'GET', path: '/api/v1/configmaps' },
  { verb: 'list nodes', method: 'GET', path: '/api/v1/nodes' },
  { verb: 'patch nodes', method: 'PATCH', path: '/api/v1/nodes/node1', body: {}, contentType: MERGE },
  { verb: 'delete pods', method: 'DELETE', path: '/api/v1/namespaces/default/pods/web' },
  { verb: 'create pods', method: 'POST', path: '/api/v1/namespaces/default/pods', body: {} },
  { verb: 'patch pods', method: 'PATCH', path: '/api/v1/namespaces/default/pods/web', body: {}, contentType: MERGE },
  { verb: 'update pods/status', method: 'PUT', path: '/api/v1/namespaces/default/pods/web/status', body: {} },
  { verb: 'create pods/exec', method: 'POST', path: '/api/v1/namespaces/default/pods/web/exec?command=sh' },
  { verb: 'create pods/eviction', method: 'POST', path: '/api/v1/namespaces/default/pods/web/eviction', body: {} },
  { verb: 'list events', method: 'GET', path: '/api/v1/events' },
  { verb: 'delete events', method: 'DELETE', path: `${EVENTS}/known` },
  ...['POST', 'DELETE'].map((method) => ({
    verb: `${method} network-attachment-definitions`,
    method,
    path: `${NADS}/namespaces/default/network-attachment-definitions${method === 'POST' ? '' : '/vf'}`,
    body: method === 'POST' ? {} : undefined,
  })),
  {
    verb: 'patch network-attachment-definitions',
    method: 'PATCH',
    path: `${NADS}/namespaces/default/network-attachment-definitions/vf`,
    body: {},
    contentType: MERGE,
  },
  {
    verb: 'list customresourcedefinitions',
    method: 'GET',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  },
  {
    verb: 'create serviceaccounts/token',
    method: 'POST',
    path: `/api/v1/namespaces/kube-system/serviceaccounts/${ACCOUNT}/token`,
    body: {},
  },
  { verb: 'list clusterroles', method: 'GET', path: '/apis/rbac.authorization.k8s.io/v1/clusterroles' },
];

const send = ({ method, path, body, contentType }: Call, token: string): Promise<Reply> =>
  api.request(method, path, body, { token, ...(contentType === undefined ? {} : { contentType }) });

const isAllowed = async (call: Call, token: string): Promise<boolean> => {
  const { status, body } = await send(call, token);
  assert.ok(status !== 401 && status < 500, `${call.verb}: ${status} ${body?.message}`);
  return status !== 403;
};

/** A pod of the node, an event, and the manifests' own account. @returns its token */
async function setUp(): Promise<string> {
  if ((await api.get('/api/v1/namespaces/default/pods/web')) === undefined) await api.createPod({ name: 'web' });
  await api.request('POST', EVENTS, event('known'));
  await api.apply(...(await render('base')));
  await api.delete('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/multus-native-dra');
  return api.serviceAccountToken('kube-system', ACCOUNT);
}

test('the account may do all that the daemon does, and nothing of what it must not', async () => {
  const token = await setUp();
  for (const call of CALLS) {
    await api.delete(`${EVENTS}/new`);
    await until(`${call.verb} is allowed`, () => isAllowed(call, token)); // roles take effect in a moment
    const { status, body } = await send(call, token);
    assert.ok(status < 300 || status === 409, `${call.verb}: ${status} ${body?.message}`);
  }
  for (const call of DRA_CALLS) await until(`${call.verb} is refused`, async () => !(await isAllowed(call, token)));
  const tooMuch = [];
  for (const call of FORBIDDEN) if (await isAllowed(call, token)) tooMuch.push(call.verb);
  assert.equal(tooMuch, []);
});

test('a daemon with these rights follows pods and definitions, and is refused nothing', async () => {
  const kubeconfig = api.kubeconfigFor(await setUp());
  const user = `system:serviceaccount:kube-system:${ACCOUNT}`;
  const since = Date.now();
  // Not in a namespace of its own: the API server is on this one's 127.0.0.1, and no pod is attached.
  const folder = mkdtempSync(join(tmpdir(), 'deploy-test-'));
  const folders = ['--socket-dir', join(folder, 'run'), '--cni-dir', join(folder, 'state')];
  const words = [join(DIST, 'multusd.cjs'), ...folders, '--kubeconfig', kubeconfig, '--node-name', 'node1'];
  const daemon = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    await until('it watches', async () => {
      if (daemon.exitCode !== null) throw new Error(`multusd ended with ${daemon.exitCode}`);
      const watched = (await api.requests({ user, since })).filter(({ verb }) => verb === 'watch');
      return watched.length >= 2;
    });
  } finally {
    const ended = once(daemon, 'exit');
    if (daemon.exitCode === null && daemon.kill()) await ended;
    rmSync(folder, { recursive: true });
  }
  const refused = (await api.requests({ user, since })).filter(({ code }) => code >= 400);
  assert.equal(refused, []);
});

test('claims of devices can be read with the component for them', async () => {
  const token = await setUp();
  await api.apply(...(await renderWith(['dra'])));
  for (const call of DRA_CALLS) await until(`${call.verb} is allowed`, () => isAllowed(call, token));
});

/** "get pods", ... of a role. */
const verbsOf = (role: Manifest): string[] =>
  role.rules.flatMap(({ resources, verbs }: Manifest) =>
    resources.flatMap((resource: string) => verbs.map((verb: string) => `${verb} ${resource}`)),
  );

test('each verb of the roles is one that a call needs: without it that call is refused, and no other', async () => {
  await setUp();
  const objects = await renderWith(['dra']);
  const roles = objects.filter(({ kind }) => kind === 'ClusterRole');
  const calls = [...CALLS, ...DRA_CALLS];
  assert.equal(roles.flatMap(verbsOf).sort(), calls.map(({ verb }) => verb).sort());
  const rules: Manifest[] = roles.flatMap((role) => role.rules);
  for (const [i, call] of calls.entries()) {
    const [verb = '', resource = ''] = call.verb.split(' ');
    const less = rules.map((rule) =>
      rule.resources.includes(resource) ? { ...rule, verbs: rule.verbs.filter((one: string) => one !== verb) } : rule,
    );
    const name = `less-${i}`;
    const subjects = [{ kind: 'ServiceAccount', name, namespace: 'default' }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
    const rbac = 'rbac.authorization.k8s.io/v1';
    await api.apply(
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'default' } },
      {
        apiVersion: rbac,
        kind: 'ClusterRole',
        metadata: { name },
        rules: less.filter(({ verbs }) => verbs.length > 0),
      },
      { apiVersion: rbac, kind: 'ClusterRoleBinding', metadata: { name }, roleRef, subjects },
    );
    const token = await api.serviceAccountToken('default', name);
    for (const other of calls.filter((one) => one !== call && !one.verb.startsWith('watch'))) {
      await until(`${other.verb} is allowed without ${call.verb}`, () => isAllowed(other, token));
    }
    assert.is(await isAllowed(call, token), false, `${call.verb} is allowed without its rule`);
  }
});

test("the image's version is the program's", async () => {
  const { version } = JSON.parse(readFileSync(join(DEPLOY, '..', 'package.json'), 'utf8'));
  for (const folder of WHOLE) {
    const { initContainers = [], containers } = only(await render(folder), 'DaemonSet').spec.template.spec;
    for (const { image } of [...initContainers, ...containers]) assert.is(image, `multus-native:${version}`, folder);
  }
});

test.run();
