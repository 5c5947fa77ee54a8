// timeout: 300s
/** What pods are told of their networks through a real API server, while it is up, away, unwilling and back. */
import { constants, existsSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { delegateBody, postDelegate } from '../lab/controller.ts';
import { inLab } from '../lab/doors.ts';
import { type CniReply, type Lab, referencePlugins } from '../lab/lab.ts';
import { must, until } from '../lab/process.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';
import { Tunnel } from './lab/tunnel.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const STATUS = 'k8s.v1.cni.cncf.io/network-status';
const RBAC = 'rbac.authorization.k8s.io';

/** What the daemon needs, as the manifests grant it. */
const RULES = [
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: [''], resources: ['pods/status'], verbs: ['patch'] },
  { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch', 'get'] },
  { apiGroups: ['k8s.cni.cncf.io'], resources: ['network-attachment-definitions'], verbs: ['get', 'list', 'watch'] },
];

let api: ApiServer;

/** An account of the cluster that has these rules. @returns its token */
async function account(name: string, rules: object[]): Promise<string> {
  const subjects = [{ kind: 'ServiceAccount', namespace: 'kube-system', name }];
  await api.apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace: 'kube-system', name } },
    { apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: { name }, rules },
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name },
      subjects,
    },
  );
  return api.serviceAccountToken('kube-system', name);
}

const definition = (name: string, config: object): object => ({
  apiVersion: 'k8s.cni.cncf.io/v1',
  kind: 'NetworkAttachmentDefinition',
  metadata: { namespace: 'default', name },
  spec: { config: JSON.stringify(config) },
});

let token: string;

test.before(async () => {
  api = await startApiServer();
  token = await account('multus', RULES);
});

test.after(() => api.close());

const podPath = (name: string): string => `/api/v1/namespaces/default/pods/${name}`;

async function annotationsOf(pod: string): Promise<Record<string, string>> {
  return (await api.get(podPath(pod)))?.metadata.annotations ?? {};
}

/** Names of the networks that a pod is told it has; undefined before it is told any. */
async function toldOf(pod: string): Promise<string[] | undefined> {
  const text = (await annotationsOf(pod))[STATUS];
  return text === undefined ? undefined : (JSON.parse(text) as { name: string }[]).map(({ name }) => name);
}

async function eventsOf(pod: string): Promise<{ type: string; reason: string; message: string; count: number }[]> {
  const { items } = await api.get('/api/v1/namespaces/default/events');
  return items.filter((one: { involvedObject: { name: string } }) => one.involvedObject.name === pod);
}

/** Pods that have yet to be told something. */
function owed(lab: Lab): string[] {
  const folder = join(lab.stateDir, '.outbox');
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** A node whose host namespace reaches the API server. */
class Node {
  readonly lab: Lab;
  readonly kubeconfig: string;

  constructor(lab: Lab, kubeconfig: string) {
    this.lab = lab;
    this.kubeconfig = kubeconfig;
    const { manifestsDir: _, ...config } = lab.config;
    lab.config = { ...config, kubernetes: true };
  }

  /** Start the daemon, and wait until it has seen the definitions, if the API server is up. */
  async startDaemon(isUp = true): Promise<void> {
    await this.lab.startDaemon('--kubeconfig', this.kubeconfig, '--node-name', 'node1');
    const snapshot = join(this.lab.stateDir, '.definitions.json');
    if (isUp) await until('the daemon has seen the definitions', () => existsSync(snapshot));
  }

  /** CNI_ARGS of a pod. */
  args(pod: string, uid: string): string {
    return `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod};K8S_POD_UID=${uid}`;
  }

  /** Run a command for a pod, whose annotations the runtime hands over. */
  async cni(command: string, pod: string, uid: string, more: Record<string, unknown> = {}): Promise<CniReply> {
    const runtimeConfig = { 'io.kubernetes.cri.pod-annotations': { [NETWORKS]: 'lan' } };
    const config = JSON.stringify({ ...this.lab.config, runtimeConfig, ...more });
    return this.lab.cni(command, { container: `c-${pod}`, pod, args: this.args(pod, uid), config });
  }

  /** Make a pod in the cluster, and its namespace. @returns its UID */
  async makePod(pod: string, annotations: Record<string, string> = {}): Promise<string> {
    const { uid } = await api.createPod({ name: pod, annotations: { [NETWORKS]: 'lan', ...annotations } });
    await this.lab.addNetns(pod);
    return uid;
  }
}

/** A test on a node of the cluster, with the API server up in the beginning. */
function onNode(name: string, body: (node: Node) => Promise<void>, kubeconfigOf = async () => token): void {
  inLab(name, async (lab) => {
    await api.start();
    await lab.exec('host', 'ip', 'link', 'set', 'lo', 'up');
    const tunnel = await Tunnel.into(lab, api.url);
    try {
      await api.apply(definition('lan', lab.bridge('lan', '10.220.0.0/24')));
      await body(new Node(lab, api.kubeconfigFor(await kubeconfigOf(), tunnel.url)));
    } finally {
      await lab.endDaemon();
      await tunnel.close();
    }
  });
}

function assertAdded(reply: CniReply): void {
  assert.is(reply.code, 0, reply.stdout + reply.stderr);
}

const TOLD = ['lab-default', 'default/lan'];

onNode('a pod is told what it got, in its annotation and in Multus’s events; what others wrote stays', async (node) => {
  await node.startDaemon();
  const uid = await node.makePod('thick', { theirs: 'stays' });
  assertAdded(await node.cni('ADD', 'thick', uid));
  await until('the pod is told', async () => (await toldOf('thick')) !== undefined);
  assert.equal(await toldOf('thick'), TOLD);
  assert.is((await annotationsOf('thick'))['theirs'], 'stays');
  await until('nothing is owed', () => owed(node.lab).length === 0);
  await until('there are two events', async () => (await eventsOf('thick')).length === 2);
  const events = (await eventsOf('thick')).map(({ type, reason, message }) => `${type} ${reason} ${message}`).sort();
  assert.match(events[0] ?? '', /^Normal AddedInterface Add eth0 \[10\.210\.0\.\d+\/24\] from lab-default$/);
  assert.match(events[1] ?? '', /^Normal AddedInterface Add net1 \[10\.220\.0\.\d+\/24\] from default\/lan$/);
});

// Events are kept nowhere but in the daemon that has worked on the pod.
onNode('a pod whose ADD ends in a daemon that has been replaced is told all the same', async (node) => {
  const { lab } = node;
  await node.startDaemon();
  const old = lab.daemonPid;
  const gate = join(lab.directory, 'gate');
  await must('mkfifo', gate);
  const wait = `[ $CNI_COMMAND != ADD ] || read released < ${gate}`;
  lab.plugin('slow', `#!/bin/sh\n${wait}\nexec ${referencePlugins()}/ptp\n`);
  lab.config['delegates'] = [{ ...lab.ptp('lab-default', '10.210.0.0/24'), type: 'slow' }];
  const uid = await node.makePod('handed');
  const adding = node.cni('ADD', 'handed', uid);
  await until('the daemon works on it', () => lab.stateFiles().length > 0);
  await node.startDaemon();
  await until('it is replaced', () => lab.daemonMessages(old).some((one) => one.startsWith('another daemon')));
  writeSync(openSync(gate, constants.O_RDWR), '\n');
  assertAdded(await adding);
  await until('the old daemon stands by', () => lab.daemonMessages(old).includes('standing by'));
  assert.is((await eventsOf('handed')).length, 2);
  assert.equal(await toldOf('handed'), TOLD);
  await lab.endPredecessors();
});

// There is nobody on such a node to do it later.
onNode('without a daemon, a pod is told before the program ends', async (node) => {
  node.lab.config = { ...node.lab.config, kubeconfig: node.kubeconfig };
  const uid = await node.makePod('thin');
  assertAdded(await node.cni('ADD', 'thin', uid));
  assert.equal(await toldOf('thin'), TOLD);
  assert.is((await eventsOf('thin')).length, 2);
  assert.equal(owed(node.lab), []);
});

// A control plane that is upgraded would leave pods without a status for ever.
onNode('a pod that starts while the API server is away is told once it is back, by another daemon', async (node) => {
  await node.startDaemon();
  const uid = await node.makePod('late');
  await api.stop();
  assertAdded(await node.cni('ADD', 'late', uid));
  assert.equal(owed(node.lab), ['c-late']);
  await node.lab.endDaemon('SIGKILL');
  await node.startDaemon(false);
  await api.start();
  await until('the pod is told', async () => (await toldOf('late')) !== undefined, 20_000);
  assert.equal(await toldOf('late'), TOLD);
  await until('nothing is owed', () => owed(node.lab).length === 0);
});

onNode('without a daemon, what could not be told is told by the next request', async (node) => {
  node.lab.config = { ...node.lab.config, kubeconfig: node.kubeconfig };
  await node.startDaemon();
  await node.lab.endDaemon(); // it has left the definitions
  const [first, second] = [await node.makePod('first'), await node.makePod('second')];
  await api.stop();
  assertAdded(await node.cni('ADD', 'first', first));
  assert.equal(owed(node.lab), ['c-first']);
  await api.start();
  assertAdded(await node.cni('ADD', 'second', second));
  assert.equal([await toldOf('first'), await toldOf('second')], [TOLD, TOLD]);
  assert.equal(owed(node.lab), []);
});

// The new pod would be shown the addresses of the old one.
onNode('a pod that was made anew under the same name is not told what the old one had', async (node) => {
  await node.startDaemon();
  const uid = await node.makePod('again');
  await api.stop();
  assertAdded(await node.cni('ADD', 'again', uid));
  await node.lab.endDaemon();
  await api.start();
  await api.delete(podPath('again'));
  await api.createPod({ name: 'again' });
  await node.startDaemon();
  await until('nothing is owed', () => owed(node.lab).length === 0);
  assert.is(await toldOf('again'), undefined);
  assert.ok(node.lab.daemonMessages().includes('the network status is not wanted any more'));
});

onNode('a pod whose container is gone is not told what it had', async (node) => {
  await node.startDaemon();
  const uid = await node.makePod('brief');
  await api.stop();
  assertAdded(await node.cni('ADD', 'brief', uid));
  assertAdded(await node.cni('DEL', 'brief', uid));
  assert.equal(owed(node.lab), []);
  await api.start();
  const other = await node.makePod('other');
  assertAdded(await node.cni('ADD', 'other', other));
  await until('the other pod is told', async () => (await toldOf('other')) !== undefined, 20_000);
  assert.is(await toldOf('brief'), undefined);
});

// A controller's network would vanish from the status: the promise is older than what was plugged in since.
onNode('what is plugged in before the pod is told is in what it is told', async (node) => {
  const uid = await node.makePod('plugged');
  await node.startDaemon();
  await api.stop();
  assertAdded(await node.cni('ADD', 'plugged', uid));
  const config = { ...node.lab.bridge('hot', '10.230.0.0/24') };
  const call = { container: 'c-plugged', pod: 'plugged', config, env: { CNI_ARGS: node.args('plugged', uid) } };
  const reply = await postDelegate(node.lab, delegateBody(node.lab, 'ADD', call));
  assert.is(reply.status, 200, reply.body);
  await api.start();
  await until('the pod is told', async () => (await toldOf('plugged')) !== undefined, 20_000);
  assert.equal(await toldOf('plugged'), [...TOLD, 'hot']);
});

onNode('a network that is not defined, and one that fails, are told with their reasons', async (node) => {
  await node.startDaemon();
  const uid = await node.makePod('wrong');
  const annotated = (networks: string) => ({
    runtimeConfig: { 'io.kubernetes.cri.pod-annotations': { [NETWORKS]: networks } },
  });
  assert.is((await node.cni('ADD', 'wrong', uid, annotated('nowhere'))).code, 1);
  const master = { cniVersion: '1.0.0', name: 'broken', type: 'macvlan', master: 'absent0' };
  await api.apply(definition('broken', master));
  for (let i = 0; i < 5; i++) assert.is((await node.cni('ADD', 'wrong', uid, annotated('broken'))).code, 1);
  await until('both are told', async () => (await eventsOf('wrong')).length >= 2);
  const events = await eventsOf('wrong');
  const messages = events.map(({ type, reason, message }) => `${type} ${reason} ${message}`).sort();
  assert.is(messages.length, 2, messages.join('\n'));
  assert.match(
    messages[0] ?? '',
    /^Warning AttachFailed Add net1 from default\/broken: plugin "macvlan" of network "default\/broken": Link not found \(code \d+\)$/,
  );
  assert.match(
    messages[1] ?? '',
    /^Warning NoNetworkFound cannot find a network-attachment-definition \(nowhere\) in namespace \(default\): /,
  );
  assert.equal(
    events.map(({ count }) => count),
    [1, 1],
    'the kubelet’s tries are no flood',
  );
  assert.is(await toldOf('wrong'), undefined);
});

onNode('statusUpdate "wait": the answer comes after the status, or when it has waited long enough', async (node) => {
  await node.startDaemon();
  const uid = await node.makePod('waiting');
  assertAdded(await node.cni('ADD', 'waiting', uid, { statusUpdate: 'wait' }));
  assert.equal(await toldOf('waiting'), TOLD);
  const other = await node.makePod('patient');
  api.pause();
  try {
    assertAdded(await node.cni('ADD', 'patient', other, { statusUpdate: 'wait', requestTimeout: '3s' }));
  } finally {
    api.resume();
  }
  assert.ok(node.lab.daemonMessages().includes('the network status is not published in time; it is told later'));
  await until('it is told later', async () => (await toldOf('patient')) !== undefined, 20_000);
});

const UNABLE = RULES.filter(({ resources }) => !resources.includes('pods/status'));

// Without a line that says what is missing, a status that never comes has no reason.
onNode(
  'an account that may not write the status costs no pod its networks, is told, and may be given the right later',
  async (node) => {
    await node.startDaemon();
    const uid = await node.makePod('refused');
    assertAdded(await node.cni('ADD', 'refused', uid));
    await until('it is told', () => node.lab.daemonMessages().includes('cannot publish the network status yet'));
    assert.match(node.lab.daemonLog, /answers 403 to PATCH \S*\/pods\/refused\/status: our role does not allow it/);
    assert.match(node.lab.daemonLog, /cannot patch resource \\\\?\\?"pods\/status/);
    assert.is(await toldOf('refused'), undefined);
    await account('unable', RULES);
    await until('the pod is told', async () => (await toldOf('refused')) !== undefined, 30_000);
    assert.equal(await toldOf('refused'), TOLD);
  },
  () => account('unable', UNABLE),
);

test.run();
