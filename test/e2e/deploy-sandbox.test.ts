// timeout: 600s
/**
 * The DaemonSet's own capabilities, mounts and limits, under runc: a daemon that lacks one of them fails pods of a node
 * in production, and one that has more than it needs is a way into the node.
 */
import { copyFileSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeKubelet } from '../fakes/fake-kubelet.ts';
import { DIST, referencePlugins } from '../lab/lab.ts';
import { postTo } from '../lab/post.ts';
import { until } from '../lab/process.ts';
import { makeAuthority } from './lab/certificates.ts';
import { type Answer, type AskedRequest, type FakeApi, startFakeApi } from './lab/fake-api.ts';
import { Relay } from './lab/relay.ts';
import { DEPLOY, type Manifest, only, render } from './lab/render.ts';
import { type RunningContainer, SandboxNode } from './lab/sandbox-node.ts';

const HOTPLUG = join(DEPLOY, 'components', 'hotplug');
const RESOURCE = 'k8s.v1.cni.cncf.io/resourceName';
const MANIFESTS = '/var/lib/cni/multus/manifests';
const NODE_CONFIG = '/etc/cni/net.d/00-multus.conf';
const PRIMARY = '/etc/cni/net.d/10-primary.conflist';
/** What plugin "device" was told. */
const DEVICE_LOG = '/run/device-ADD.json';
const CHECKPOINT = '/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint';

/** Plugins that are the node's: they run as children of the shim, outside of the daemon's container. */
const PLUGINS = {
  // Makes "weird0", whatever name it is asked for.
  misnaming: `
case $CNI_COMMAND in
ADD) nsenter --net=$CNI_NETNS ip link add weird0 type bridge
  echo '{"cniVersion":"1.0.0","interfaces":[{"name":"weird0","sandbox":"'$CNI_NETNS'"}]}' ;;
DEL) nsenter --net=$CNI_NETNS ip link delete $CNI_IFNAME 2>/dev/null || true ;;
esac`,
  // Keeps what it was told of its device.
  device: `
cat >/run/device-$CNI_COMMAND.json
case $CNI_COMMAND in
ADD) nsenter --net=$CNI_NETNS ip link add $CNI_IFNAME type bridge
  echo '{"cniVersion":"1.0.0","interfaces":[{"name":"'$CNI_IFNAME'","sandbox":"'$CNI_NETNS'"}]}' ;;
DEL) nsenter --net=$CNI_NETNS ip link delete $CNI_IFNAME 2>/dev/null || true ;;
esac`,
};

const bridge = (name: string, subnet: string) => ({
  cniVersion: '1.0.0',
  name,
  type: 'bridge',
  bridge: `${name}0`,
  isGateway: true,
  ipam: { type: 'host-local', ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] },
});

/** Has the plugin make a link on the node that does not go with the pod. */
const EGRESS = { egressRate: 1_000_000, egressBurst: 1_000_000 };
const IFB = /^bwp/m;

const nad = (name: string, config: object | undefined, annotations = {}) => ({
  kind: 'NetworkAttachmentDefinition',
  metadata: { name, namespace: 'default', annotations },
  spec: config === undefined ? {} : { config: JSON.stringify(config) },
});

const pod = (name: string, networks: unknown) => ({
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'default',
    uid: `uid-${name}`,
    annotations: { 'k8s.v1.cni.cncf.io/networks': JSON.stringify(networks) },
  },
});

const argsOf = (name: string): string =>
  `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name};K8S_POD_UID=uid-${name}`;

/** Networks and plugins of a node; the primary's bridge and those of the networks are in its namespace. */
async function furnish(node: SandboxNode): Promise<void> {
  const plugins = referencePlugins();
  await node.must('sh', '-c', 'mkdir -p /opt/cni/bin /var/lib/kubelet/pod-resources');
  await node.must(
    'sh',
    '-c',
    `cd ${plugins} && cp bandwidth bridge host-local loopback macvlan static tuning /opt/cni/bin/`,
  );
  for (const [name, body] of Object.entries(PLUGINS)) node.write(`/opt/cni/bin/${name}`, `#!/bin/sh\n${body}\n`, 0o755);
  node.write(PRIMARY, {
    cniVersion: '1.0.0',
    name: 'primary',
    plugins: [{ ...bridge('primary', '10.210.0.0/24'), cniVersion: undefined, name: undefined }],
  });
  node.write('/etc/cni/multus/net.d/by-file.conf', bridge('by-file', '10.214.0.0/24'));
  const { cniVersion, name, ...shapedBridge } = bridge('shaped', '10.216.0.0/24');
  const device = { cniVersion: '1.0.0', type: 'device', capabilities: { deviceID: true, CNIDeviceInfoFile: true } };
  const objects = [
    nad('lan', bridge('lan', '10.211.0.0/24')),
    nad('fast', {
      cniVersion: '1.0.0',
      type: 'macvlan',
      master: 'uplink0',
      ipam: { type: 'static' },
      capabilities: { ips: true },
    }),
    nad('store', bridge('store', '10.213.0.0/24')),
    nad('misnamed', { cniVersion: '1.0.0', type: 'misnaming' }),
    nad('by-file', undefined),
    nad('shaped', { cniVersion: '1.0.0', plugins: [shapedBridge, { type: 'bandwidth', ...EGRESS }] }),
    nad('device', device, { [RESOURCE]: 'lab/dev' }),
    pod('three', [{ name: 'lan' }, { name: 'fast', ips: ['10.212.0.1/24'] }, { name: 'store', interface: 'data0' }]),
    pod('renamed', [{ name: 'misnamed' }]),
    pod('routed', [{ name: 'lan', 'default-route': ['10.211.0.1'] }]),
    pod('by-file', [{ name: 'by-file' }]),
    pod('shaped', [{ name: 'lan' }, { name: 'shaped' }]),
    pod('device', [{ name: 'device' }]),
  ];
  for (const [i, object] of objects.entries()) node.write(`${MANIFESTS}/${i}.json`, object);
  node.write('/run/k8s.cni.cncf.io/devinfo/dp/lab-dev-d1-device.json', { type: 'pci', pci: { 'pci-address': 'd1' } });
  node.write(CHECKPOINT, {
    Data: {
      PodDeviceEntries: [
        {
          PodUID: 'uid-device',
          ContainerName: 'app',
          ResourceName: 'lab/dev',
          DeviceIDs: { '-1': ['d2'] },
          AllocResp: '',
        },
      ],
      RegisteredDevices: {},
    },
    Checksum: 0,
  });
  await node.must('ip', 'link', 'add', 'uplink0', 'type', 'veth', 'peer', 'name', 'wire0');
  await node.must('ip', 'link', 'set', 'uplink0', 'up');
  // As runtimes have it: a mount of its own, below which the namespaces of pods come and go.
  await node.must('sh', '-c', 'mount --bind /run/netns /run/netns; mount --make-shared /run/netns');
  await node.must('sh', '-c', ': >/run/netns/of-the-node; mount --bind /proc/self/ns/net /run/netns/of-the-node');
}

/** What the runtime passes: the daemon's file, or so much that the other facts can be seen. */
function configOf(node: SandboxNode): string {
  if (node.exists(NODE_CONFIG)) return node.read(NODE_CONFIG);
  return JSON.stringify({ cniVersion: '1.0.0', name: 'n', type: 'multus', clusterNetwork: PRIMARY });
}

/** ADD and DEL of a pod; what `look` sees in between. Whatever fails is false. */
async function attached(
  node: SandboxNode,
  name: string,
  look: () => boolean | Promise<boolean>,
  config = configOf(node),
): Promise<boolean> {
  const call = { container: name, pod: name, args: argsOf(name), config };
  await node.addNetns(name);
  const added = await node.cni('ADD', call);
  const seen = added.code === 0 && (await look());
  if (process.env['SHOW'] && added.code !== 0) console.error(name, added.stdout, added.stderr);
  await node.cni('DEL', call);
  const left = await node.links(name);
  await node.must('ip', 'netns', 'delete', name);
  return seen && left.length === 0 && !node.exists(`/var/lib/cni/multus/${name}`);
}

/** What works on a node with such a daemon: what users would lose, one by one. */
async function factsOf(node: SandboxNode): Promise<Record<string, boolean>> {
  const linksOf = async (name: string) =>
    (await node.links(name))
      .map(({ ifname }) => ifname)
      .sort()
      .join();
  /** What the plugin was told; nothing when it has not run. */
  const device = () => (node.exists(DEVICE_LOG) ? JSON.parse(node.read(DEVICE_LOG)).runtimeConfig : {});
  const facts: Record<string, boolean> = {};
  facts['the runtime finds 00-multus.conf'] = await until(
    '00-multus.conf is there',
    () => node.exists('/etc/cni/net.d/00-multus.conf'),
    3000,
  ).then(
    () => true,
    () => false,
  );
  facts['a pod has three networks'] = await attached(node, 'three', async () => {
    facts['the journal is on the node'] = node.exists('/var/lib/cni/multus/three');
    return (await linksOf('three')) === 'data0,eth0,net1,net2';
  });
  facts['a misnamed link is renamed'] = await attached(
    node,
    'renamed',
    async () => (await linksOf('renamed')) === 'eth0,net1',
  );
  facts['a network has the default route'] = await attached(node, 'routed', async () =>
    /^default via 10.211.0.1 dev net1/.test(await node.must('ip', '-n', 'routed', 'route', 'show', 'default')),
  );
  facts['a definition is a file of the node'] = await attached(
    node,
    'by-file',
    async () => (await linksOf('by-file')) === 'eth0,net1',
  );
  facts['the checkpoint tells the device'] = await attached(node, 'device', () => device().deviceID === 'd2');
  const kubelet = await FakeKubelet.start(node.path('/var/lib/kubelet'));
  kubelet.pods = [{ namespace: 'default', name: 'device', containers: [{ devices: [['lab/dev', ['d1']]] }] }];
  facts['the kubelet tells the device'] = await attached(node, 'device', () => {
    const { deviceID, CNIDeviceInfoFile } = device();
    facts['the plugin has the device information'] = node.exists(CNIDeviceInfoFile ?? '/nonexistent');
    return deviceID === 'd1';
  });
  await kubelet.stop();
  const own = { container: 'own', pod: 'of-the-node', args: argsOf('three'), config: configOf(node) };
  facts["the node's own namespace is refused"] = (await node.cni('ADD', own)).json?.code === 8;
  return facts;
}

/** The pod of deploy/base with its configuration, and the manifests of the test as the source of pods. */
async function podOf(folder: string | object): Promise<{ pod: Manifest; files: Record<string, string> }> {
  const objects = await render(folder);
  const { data } = only(objects, 'ConfigMap');
  const config = { ...JSON.parse(data['daemon-config.json']), manifestsDir: MANIFESTS };
  return {
    pod: only(objects, 'DaemonSet').spec.template.spec,
    files: { 'daemon-config.json': JSON.stringify(config) },
  };
}

/** Run the pod's init container to its end. */
async function install(node: SandboxNode, pod: Manifest, files: Record<string, string>): Promise<void> {
  const container = await node.startContainer(pod, 'install', files);
  await container.ended;
  for (const name of ['multus', 'multus-standalone', 'multus_native.node']) {
    if (!node.exists(`/opt/cni/bin/${name}`))
      throw new Error(`${name} is not installed: ${container.log() || 'killed?'}`);
  }
}

/** Plug a network into a running pod and out again, as a controller asks it: what happens. Without links: plugged in. */
async function plugged(change: (daemon: Manifest) => void): Promise<string> {
  const { pod, files } = await podOf({ resources: [join(DEPLOY, 'base')], components: [HOTPLUG] });
  change(pod.containers[0]);
  const node = await SandboxNode.start();
  try {
    await furnish(node);
    copyFileSync(join(DIST, 'multus'), node.path('/opt/cni/bin/multus'));
    const container = await node.startContainer(pod, 'multusd', files);
    await node.untilProbe(pod, container, 'startupProbe');
    await until('00-multus.conf is there', () => node.exists(NODE_CONFIG));
    let answers = '';
    const seen = await attached(node, 'by-file', async () => {
      for (const command of ['ADD', 'DEL']) answers += await delegate(node, command);
      return !node.exists('/var/lib/cni/networks/hot/10.215.0.2');
    });
    await container.kill();
    return `${answers}${seen ? '' : ', something is left'}`;
  } finally {
    await node.close();
  }
}

/** POST /delegate. @returns what came of it */
async function delegate(node: SandboxNode, command: string): Promise<string> {
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: 'by-file',
    CNI_NETNS: '/var/run/netns/by-file',
    CNI_IFNAME: 'hot0',
    CNI_ARGS: argsOf('by-file'),
  };
  const config = Buffer.from(JSON.stringify(bridge('hot', '10.215.0.0/24'))).toString('base64');
  const { status, body } = await postTo(
    node.path('/run/multus/multus.sock'),
    '/delegate',
    JSON.stringify({ env, config }),
  );
  if (status !== 200) return `${command}: ${body}`;
  const has = (await node.links('by-file')).some(({ ifname }) => ifname === 'hot0');
  const isReserved = node.exists('/var/lib/cni/networks/hot/10.215.0.2');
  return `${command}${has ? ' link' : ''}${isReserved ? ' address' : ''} `;
}

/** Facts of a node whose daemon runs in a pod like that, changed. */
async function factsWith(change: (daemon: Manifest, pod: Manifest) => void): Promise<Record<string, boolean>> {
  const { pod, files } = await podOf('base');
  change(pod.containers[0], pod);
  const node = await SandboxNode.start();
  try {
    await furnish(node);
    copyFileSync(join(DIST, 'multus'), node.path('/opt/cni/bin/multus')); // only the shim: nobody else shall answer
    const container = await node.startContainer(pod, 'multusd', files);
    const isReady = await node.untilProbe(pod, container, 'startupProbe').then(
      () => true,
      () => false,
    );
    const facts = { 'the daemon is ready': isReady, ...(await factsOf(node)) };
    await container.kill();
    return facts;
  } finally {
    await node.close();
  }
}

const lost = (facts: Record<string, boolean>): string[] => Object.keys(facts).filter((fact) => !facts[fact]);

/** What the daemon has been given, and what a node without it loses. */
const REASONS: Record<string, string> = {
  'capability SYS_ADMIN': 'a pod has three networks',
  'capability NET_ADMIN': 'a misnamed link is renamed',
  'mount socket': 'the daemon is ready',
  'mount state': 'a pod has three networks',
  'mount cni-conf': 'the runtime finds 00-multus.conf',
  'mount netns': 'a pod has three networks',
  'propagation of netns': 'a pod has three networks',
  'mount config': 'the daemon is ready',
  'mount networks': 'a definition is a file of the node',
  'mount pod-resources': 'the kubelet tells the device',
  'mount device-plugins': 'the checkpoint tells the device',
  'mount device-info': 'the plugin has the device information',
  'network of the node': "the node's own namespace is refused",
};

/** Everything that a pod is given beyond an ordinary one's, by its name in REASONS, and how to take it away. */
function givenTo(pod: Manifest): Map<string, (daemon: Manifest, pod: Manifest) => void> {
  const [{ securityContext, volumeMounts }] = pod.containers;
  const given = new Map<string, (daemon: Manifest, pod: Manifest) => void>();
  for (const capability of securityContext.capabilities.add) {
    given.set(`capability ${capability}`, ({ securityContext: { capabilities } }) => {
      capabilities.add = capabilities.add.filter((one: string) => one !== capability);
    });
  }
  for (const { name, mountPropagation } of volumeMounts) {
    given.set(`mount ${name}`, (daemon) => {
      daemon.volumeMounts = daemon.volumeMounts.filter((one: Manifest) => one.name !== name);
    });
    if (mountPropagation === undefined) continue;
    given.set(`propagation of ${name}`, (daemon) => {
      for (const one of daemon.volumeMounts) delete one.mountPropagation;
    });
  }
  given.set('network of the node', (_, changed) => {
    changed.hostNetwork = false;
  });
  return given;
}

const given = givenTo((await podOf('base')).pod);

test('with what the DaemonSet gives it the daemon does all of its work', async () => {
  assert.equal(lost(await factsWith(() => undefined)), []);
});

test('all that the DaemonSet gives to the daemon has its reason in this file', () => {
  assert.equal([...given.keys()].sort(), Object.keys(REASONS).sort());
});

test('the pod is not privileged, sees no other process of the node, and no folder of the node as a whole', async () => {
  const { pod } = await podOf('base');
  assert.is(pod.hostPID, undefined);
  assert.is(pod.hostIPC, undefined);
  assert.equal(pod.securityContext.seccompProfile, { type: 'RuntimeDefault' });
  for (const { name, securityContext } of [...pod.initContainers, ...pod.containers]) {
    assert.is(securityContext.privileged, undefined, name);
    assert.is(securityContext.allowPrivilegeEscalation, false, name);
    assert.is(securityContext.readOnlyRootFilesystem, true, name);
  }
  const paths = pod.volumes.flatMap((one: Manifest) => one.hostPath?.path ?? []);
  for (const path of paths)
    assert.ok(!['/', '/etc', '/run', '/var', '/var/lib', '/var/lib/kubelet'].includes(path), path);
});

/** What the API server answers who follows definitions, until it is away. */
function definitionsFor({ path }: AskedRequest): Answer {
  if (!path.includes('sendInitialEvents')) return { status: 200, body: '' }; // the watch that follows
  const lan = nad('lan', bridge('lan', '10.211.0.0/24'));
  const events = [
    { type: 'ADDED', object: { ...lan, metadata: { ...lan.metadata, resourceVersion: '1' } } },
    {
      type: 'BOOKMARK',
      object: { metadata: { resourceVersion: '1', annotations: { 'k8s.io/initial-events-end': 'true' } } },
    },
  ];
  return { status: 200, body: events.map((event) => `${JSON.stringify(event)}\n`).join('') };
}

interface ThinNode {
  node: SandboxNode;
  api: FakeApi;
  container: RunningContainer;
}

/** A thin node that has read the definitions, with a pod like that of deploy/thin, changed. */
async function onThinNode(
  body: (thin: ThinNode) => Promise<void>,
  change: (follower: Manifest) => void = () => undefined,
): Promise<void> {
  const objects = await render('thin');
  const pod = only(objects, 'DaemonSet').spec.template.spec;
  const files = only(objects, 'ConfigMap').data;
  const node = await SandboxNode.start();
  const authority = await makeAuthority(node.path('/run/authority'));
  const api = await startFakeApi(authority);
  const apiPort = Number(new URL(api.url).port);
  const relay = await Relay.open(node.machine, apiPort);
  try {
    await furnish(node);
    await install(node, pod, files);
    change(pod.containers[0]);
    node.write('/run/account/token', 'the-token');
    node.write('/run/account/ca.crt', readFileSync(authority.caFile, 'utf8'));
    api.answer = definitionsFor;
    const container = await node.startContainer(pod, 'follow', files, { folder: '/run/account', apiPort });
    const isFurnished = () => node.exists(NODE_CONFIG) && node.exists('/var/lib/cni/multus/.definitions.json');
    // A tenth of a CPU: node itself takes seconds to start with it.
    await until('the node is configured', () => isFurnished() || !container.isRunning(), 60_000);
    assert.ok(container.isRunning(), container.log());
    await body({ node, api, container });
    assert.ok(container.isRunning(), container.log());
    await container.kill();
  } finally {
    relay.close();
    await api.close();
    await node.close();
  }
}

const isOwed = ({ node }: ThinNode): boolean => node.exists('/var/lib/cni/multus/.outbox/three');

/** A pod starts while the API server is away, which comes back then. @returns is it told its networks by `told`? */
async function startsInOutage(thin: ThinNode, told: () => Promise<boolean>): Promise<boolean> {
  const { node, api } = thin;
  api.answer = { status: 503 };
  const runtimeConfig = { 'io.kubernetes.cri.pod-annotations': { 'k8s.v1.cni.cncf.io/networks': 'lan' } };
  const config = JSON.stringify({ ...JSON.parse(node.read(NODE_CONFIG)), runtimeConfig });
  const look = async (): Promise<boolean> => {
    const links = await node.links('three');
    assert.ok(isOwed(thin), 'its status is owed');
    api.answer = { status: 200, body: '{}' };
    return links.length === 2 && (await told());
  };
  return attached(node, 'three', look, config);
}

const isTold = ({ api }: ThinNode): boolean =>
  api.asked.some(
    ({ method, path, headers }) =>
      method === 'PATCH' && path.includes('/pods/three/status') && /thin node/.test(headers['user-agent'] ?? ''),
  );

// Nobody else looks after a node without a daemon while no pod starts.
test('deploy/thin: keeps the node configured, pods start while the API server is away and are told once it is back', () =>
  onThinNode(async (thin) => {
    const { kubeconfig } = JSON.parse(thin.node.read(NODE_CONFIG));
    assert.match(thin.node.read(kubeconfig), '"token": "the-token"');
    assert.is(statSync(thin.node.path(kubeconfig)).mode & 0o777, 0o600);
    const told = async (): Promise<boolean> => {
      await until('the pod is told', () => isTold(thin), 60_000);
      await until('nothing is owed', () => !isOwed(thin));
      return true;
    };
    assert.ok(await startsInOutage(thin, told));
  }));

const TAKEN_FROM_THIN: Record<string, (follower: Manifest) => void> = {
  'capability SYS_ADMIN': ({ securityContext: { capabilities } }) => {
    assert.equal(capabilities.add, ['SYS_ADMIN']);
    capabilities.add = [];
  },
  'mount netns': (follower) => {
    follower.volumeMounts = follower.volumeMounts.filter(({ name }: Manifest) => name !== 'netns');
  },
};

for (const [what, takeAway] of Object.entries(TAKEN_FROM_THIN)) {
  test(`deploy/thin without the ${what}: pods start, but a status that is owed is not told`, () =>
    onThinNode(async (thin) => {
      const told = async (): Promise<boolean> => {
        const isGivenUp = () => thin.container.log().includes('cannot publish the network status yet');
        await until('it was tried', () => isGivenUp() || !isOwed(thin), 60_000);
        return isTold(thin);
      };
      assert.not.ok(await startsInOutage(thin, told));
    }, takeAway));
}

test('deploy/components/hotplug: with what it gives, a running pod gets a network and loses it', async () => {
  assert.is(await plugged(() => undefined), 'ADD link address DEL ');
});

for (const [mount, reason] of [
  ['cni-bin', /not found in \/opt\/cni\/bin/],
  ['ipam', /read-only file system/],
] as const) {
  test(`deploy/components/hotplug: without the mount ${mount} a running pod gets no network`, async () => {
    const answer = await plugged((daemon) => {
      daemon.volumeMounts = daemon.volumeMounts.filter((one: Manifest) => one.name !== mount);
    });
    assert.match(answer, reason);
  });
}

const UNINSTALL = { resources: [join(DEPLOY, 'base')], components: [join(DEPLOY, 'uninstall')] };

/** What the daemon or its installation put on the node. */
const OURS = ['/opt/cni/bin/multus', '/opt/cni/bin/multus-standalone', NODE_CONFIG, '/run/multus/overlay.json'];

/** Give a node back on which a pod runs that ends then. @returns what the uninstaller says in the end */
async function givenBack(change: (uninstaller: Manifest) => void): Promise<string> {
  const { pod, files } = await podOf('base');
  const uninstaller = only(await render(UNINSTALL), 'DaemonSet').spec.template.spec;
  change(uninstaller.containers[0]);
  const node = await SandboxNode.start();
  try {
    await furnish(node);
    await install(node, pod, files);
    const daemon = await node.startContainer(pod, 'multusd', files);
    await node.untilProbe(pod, daemon, 'startupProbe');
    await until('00-multus.conf is there', () => node.exists(NODE_CONFIG));
    await node.addNetns('shaped');
    const config = configOf(node);
    const added = await node.cni('ADD', { container: 'shaped', pod: 'shaped', args: argsOf('shaped'), config });
    assert.is(added.code, 0, added.stdout);
    await daemon.kill();

    const container = await node.startContainer(uninstaller, 'uninstall', {});
    const probe = uninstaller.containers[0].readinessProbe.exec.command;
    await until('it waits for the pod', () => container.log().includes('waits for pod default/shaped'), 30_000);
    assert.is((await node.exec(container, probe)).code, 1, 'it is not ready');
    assert.not.ok(node.exists(NODE_CONFIG), 'pods that start get the primary network');
    assert.is((await node.links('shaped')).length, 3, 'pods that run keep their networks');

    // containerd has the primary's plugins detach, and nobody else's.
    await node.must('ip', 'netns', 'delete', 'shaped');
    const end = /the node is given back|plugin .*/;
    await until('it has tried', () => end.test(container.log()), 30_000);
    const said = end.exec(container.log())?.[0] ?? '';
    if (!said.startsWith('plugin')) {
      assert.is((await node.exec(container, probe)).code, 0, 'it is ready');
      assert.is(await node.must('find', '/var/lib/cni/networks', '-name', '10.*'), '', 'addresses are free again');
      assert.not.match(await node.must('ip', '-brief', 'link'), IFB, 'what plugins made on the node is gone');
      assert.equal(
        OURS.filter((path) => node.exists(path)),
        [],
      );
      assert.ok(container.isRunning(), 'the DaemonSet would start it again');
    }
    await container.kill();
    return said;
  } finally {
    await node.close();
  }
}

// Without it a node keeps files that break it later, or a pod loses its networks while it runs.
test('deploy/uninstall: with what it gives, a pod keeps its networks to its end, and then nothing is left', async () => {
  assert.is(await givenBack(() => undefined), 'the node is given back');
});

test('deploy/uninstall: without NET_ADMIN what plugins made on the node stays, and is told', async () => {
  const said = await givenBack(({ securityContext }) => {
    securityContext.capabilities.add = [];
  });
  assert.match(said, /plugin .*shaped.*not permitted/);
});

for (const [what, takeAway] of given) {
  test(`without the ${what}: ${REASONS[what]} fails`, async () => {
    assert.ok(lost(await factsWith(takeAway)).includes(REASONS[what] ?? ''));
  });
}

test.run();
