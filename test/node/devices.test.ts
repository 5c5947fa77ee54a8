// timeout: 300s
// Devices of the node: from the kubelet, or a pod's claims, into the plugins' configurations, and back.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeKubelet } from '../fakes/fake-kubelet.ts';
import { eachDoor } from '../lab/doors.ts';
import { claimLink, type Execution, Fakes, fail, makeLink, removeLink } from '../lab/fakes.ts';
import type { Lab } from '../lab/lab.ts';
import { assertClean, assertError, assertResult, assertSilent } from '../lab/spec.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const DEFAULT_NETWORK = 'v1.multus-cni.io/default-network';
const RESOURCE = 'k8s.v1.cni.cncf.io/resourceName';
const SRIOV = 'intel.com/sriov';

/** A plugin that makes a link, claims it and removes it. */
const LINK = { ADD: `${makeLink()}\n${claimLink({})}`, DEL: removeLink() };

/** Test with a kubelet that gave pod1 these devices. */
function eachDoorWith(
  devices: [string, string[]][],
  name: string,
  body: (lab: Lab, kubelet: FakeKubelet) => Promise<void>,
): void {
  eachDoor(name, async (lab) => {
    lab.config['kubeletDir'] = join(lab.directory, 'kubelet');
    lab.config['deviceInfoDir'] = join(lab.directory, 'devinfo');
    await lab.addNetns('pod1');
    const kubelet = await FakeKubelet.start(join(lab.directory, 'kubelet'));
    kubelet.pods = [{ namespace: 'default', name: 'pod1', containers: [{ devices }] }];
    try {
      await body(lab, kubelet);
    } finally {
      await kubelet.stop();
    }
  });
}

/** A definition whose networks each take a device of a resource. */
function deviceNetwork(lab: Lab, name: string, config: unknown, resource: string, namespace = 'default'): unknown {
  const definition = lab.nadManifest(name, config, namespace) as { metadata: object };
  return { ...definition, metadata: { ...definition.metadata, annotations: { [RESOURCE]: resource } } };
}

function pod(lab: Lab, annotations: Record<string, string>, more: object = {}): { args: string } {
  lab.manifest('pod.yaml', { kind: 'Pod', metadata: { name: 'pod1', namespace: 'default', annotations }, ...more });
  return { args: lab.podArgs('pod1') };
}

/** What a device plugin wrote of a device. */
function describeDevice(lab: Lab, id: string): void {
  const path = join(lab.directory, 'devinfo', 'dp', `intel.com-sriov-${id}-device.json`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify({ type: 'pci', pci: { 'pci-address': id } }));
}

const infoFiles = (lab: Lab): string[] => {
  const directory = join(lab.directory, 'devinfo', 'cni');
  return existsSync(directory) ? readdirSync(directory).sort() : [];
};

/** `ADD plugin ifName device` for everything that ran. */
const devicesOf = (executions: readonly Execution[]): string[] =>
  executions.map(({ command, plugin, env, stdin }) => {
    const { deviceID, pciBusID } = JSON.parse(stdin);
    assert.is(pciBusID, deviceID);
    return `${command} ${plugin} ${env['CNI_IFNAME']} ${deviceID ?? '-'}`;
  });

// Multus's weak point 8: the same VF twice, and the second plugin fails or takes it from the first.
eachDoorWith(
  [[SRIOV, ['0000:3b:02.2', '0000:3b:02.1']]],
  'two references get two devices, DEL the same',
  async (lab, kubelet) => {
    const fakes = new Fakes(lab);
    const folder = `${lab.directory}/devinfo/cni`;
    const ADD = `cat ${folder}/*_$CNI_IFNAME > ${lab.directory}/seen.$CNI_IFNAME\n${LINK.ADD}`;
    const config = {
      ...fakes.plugin('vf', { ...LINK, ADD }),
      capabilities: { deviceID: true, CNIDeviceInfoFile: true },
    };
    lab.manifest('nad.yaml', deviceNetwork(lab, 'fast', config, SRIOV));
    for (const id of ['0000:3b:02.1', '0000:3b:02.2']) describeDevice(lab, id);
    const call = pod(lab, { [NETWORKS]: 'fast,fast' });
    assertResult(await lab.cni('ADD', call), '1.0.0');
    const added = ['ADD vf net1 0000:3b:02.1', 'ADD vf net2 0000:3b:02.2'];
    assert.equal(devicesOf(fakes.executions()), added);
    assert.equal(JSON.parse(fakes.executions()[0]?.stdin ?? '').runtimeConfig, {
      deviceID: '0000:3b:02.1',
      CNIDeviceInfoFile: `${folder}/default-fast-c1_net1`,
    });
    assert.equal(infoFiles(lab), ['default-fast-c1_net1', 'default-fast-c1_net2']);
    const seen = JSON.parse(readFileSync(join(lab.directory, 'seen.net2'), 'utf8'));
    assert.is(seen.pci['pci-address'], '0000:3b:02.2', 'the plugin finds the description of its device');
    assert.equal(kubelet.calls, ['Get default/pod1']);
    const status = JSON.parse(lab.statusAnnotations('pod1')?.['k8s.v1.cni.cncf.io/network-status'] ?? '') as object[];
    const told = status.map((entry) => ('device-info' in entry ? entry['device-info'] : undefined));
    const info = (id: string) => ({ type: 'pci', pci: { 'pci-address': id } });
    assert.equal(told, [undefined, info('0000:3b:02.1'), info('0000:3b:02.2')], 'and applications that of theirs');

    await kubelet.stop();
    assertSilent(await lab.cni('DEL', call));
    const deleted = ['DEL vf net2 0000:3b:02.2', 'DEL vf net1 0000:3b:02.1'];
    assert.equal(devicesOf(fakes.executions()).slice(2), deleted, 'without asking anybody');
    assert.equal(infoFiles(lab), []);
    await assertClean(lab, 'pod1');
  },
);

// The pod would start without one of its networks' devices, and nobody would know.
eachDoorWith(
  [[SRIOV, ['a', 'b']]],
  'three references with two devices are an error that leaves nothing',
  async (lab) => {
    const fakes = new Fakes(lab);
    lab.manifest('nad.yaml', deviceNetwork(lab, 'fast', fakes.plugin('vf', LINK), SRIOV));
    const refused = await lab.cni('ADD', pod(lab, { [NETWORKS]: 'fast,fast,fast' }));
    assertError(
      refused,
      7,
      'Cannot give network "default/fast" a device of resource "intel.com/sriov"',
      'pod default/pod1 has 2',
    );
    assert.equal(fakes.history(), []);
    assert.equal(infoFiles(lab), []);
    await assertClean(lab, 'pod1');
  },
);

eachDoorWith([[SRIOV, ['a']]], 'every plugin of a list gets the device', async (lab) => {
  const fakes = new Fakes(lab);
  const plugins = [fakes.plugin('first', LINK), fakes.plugin('second', { ADD: claimLink({}) })];
  const list = { cniVersion: '1.0.0', name: 'list', plugins: plugins.map(({ type }) => ({ type })) };
  lab.manifest('nad.yaml', deviceNetwork(lab, 'list', list, SRIOV));
  const call = pod(lab, { [NETWORKS]: 'list' });
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assert.equal(devicesOf(fakes.executions()), ['ADD first net1 a', 'ADD second net1 a']);
  assertSilent(await lab.cni('DEL', call));
  assert.equal(devicesOf(fakes.executions()).slice(2), ['DEL second net1 a', 'DEL first net1 a']);
  await assertClean(lab, 'pod1');
});

// Multus makes a map for each of these ways, so that each of them begins with the first device.
eachDoorWith(
  [[SRIOV, ['a', 'b', 'c', 'd']]],
  'every way to name a network takes from the same devices',
  async (lab, kubelet) => {
    const fakes = new Fakes(lab);
    const network = (name: string, namespace: string) =>
      deviceNetwork(lab, name, fakes.plugin(name, LINK), SRIOV, namespace);
    lab.manifest(
      'nads.yaml',
      network('node', 'kube-system'),
      network('more', 'kube-system'),
      network('fast', 'default'),
    );
    lab.config['clusterNetwork'] = 'node';
    lab.config['defaultNetworks'] = ['more'];
    const call = pod(lab, { [NETWORKS]: 'fast,fast', [DEFAULT_NETWORK]: 'kube-system/node' });
    assertResult(await lab.cni('ADD', call), '1.0.0');
    const added = ['ADD node eth0 a', 'ADD more net1 b', 'ADD fast net2 c', 'ADD fast net3 d'];
    assert.equal(devicesOf(fakes.executions()), added);
    assert.equal(kubelet.calls, ['Get default/pod1']);
    assertSilent(await lab.cni('DEL', call));
    await assertClean(lab, 'pod1');
  },
);

// Every pod of the node would depend on the kubelet's socket.
eachDoorWith([[SRIOV, ['a']]], 'pods without device networks do not touch the kubelet', async (lab, kubelet) => {
  const fakes = new Fakes(lab);
  lab.manifest('nad.yaml', lab.nadManifest('plain', fakes.plugin('plain', LINK)));
  const call = pod(lab, { [NETWORKS]: 'plain' });
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assertSilent(await lab.cni('DEL', call));
  assert.equal(kubelet.calls, []);
  assert.not.ok(existsSync(join(lab.directory, 'devinfo')));
  await assertClean(lab, 'pod1');
});

eachDoorWith(
  [[SRIOV, ['0000:3b:02.1', '0000:3b:02.2']]],
  'an ADD that fails takes its device information with it',
  async (lab) => {
    const fakes = new Fakes(lab);
    const broken = fakes.plugin('broken', { ADD: fail(111, 'no carrier') });
    lab.manifest(
      'nads.yaml',
      deviceNetwork(lab, 'fast', fakes.plugin('vf', LINK), SRIOV),
      deviceNetwork(lab, 'broken', broken, SRIOV),
    );
    for (const id of ['0000:3b:02.1', '0000:3b:02.2']) describeDevice(lab, id);
    assertError(await lab.cni('ADD', pod(lab, { [NETWORKS]: 'fast,broken' })), 111, 'no carrier');
    assert.equal(fakes.history(), ['ADD vf', 'ADD broken', 'DEL broken', 'DEL vf']);
    assert.equal(infoFiles(lab), []);
    await assertClean(lab, 'pod1');
  },
);

// It is an aid for applications: /var/run being full must not keep pods from starting.
eachDoorWith(
  [[SRIOV, ['0000:3b:02.1']]],
  'device information that cannot be copied keeps no pod from starting',
  async (lab) => {
    const fakes = new Fakes(lab);
    lab.manifest('nad.yaml', deviceNetwork(lab, 'fast', fakes.plugin('vf', LINK), SRIOV));
    describeDevice(lab, '0000:3b:02.1');
    writeFileSync(join(lab.directory, 'devinfo', 'cni'), 'a file where the folder should be');
    const call = pod(lab, { [NETWORKS]: 'fast' });
    assertResult(await lab.cni('ADD', call), '1.0.0');
    assertSilent(await lab.cni('DEL', call));
    await assertClean(lab, 'pod1');
  },
);

eachDoorWith([], 'a kubelet that does not answer is "try again later", and says which socket', async (lab, kubelet) => {
  const fakes = new Fakes(lab);
  lab.manifest('nad.yaml', deviceNetwork(lab, 'fast', fakes.plugin('vf', LINK), SRIOV));
  kubelet.instead = (_, stream) => {
    stream.close(2);
    return true;
  };
  const refused = await lab.cni('ADD', pod(lab, { [NETWORKS]: 'fast' }));
  assertError(refused, 11, `${lab.directory}/kubelet/pod-resources/kubelet.sock`, 'the devices of pod default/pod1');
  assert.equal(fakes.history(), []);
  await assertClean(lab, 'pod1');
});

eachDoorWith([], 'without the socket, the checkpoint has the devices', async (lab, kubelet) => {
  const fakes = new Fakes(lab);
  lab.manifest('nad.yaml', deviceNetwork(lab, 'fast', fakes.plugin('vf', LINK), SRIOV));
  await kubelet.stop();
  const path = join(lab.directory, 'kubelet', 'device-plugins', 'kubelet_internal_checkpoint');
  mkdirSync(dirname(path));
  const entries = [
    { PodUID: 'uid-other', ResourceName: SRIOV, DeviceIDs: { 0: ['x'] } },
    { PodUID: 'uid-pod1', ResourceName: SRIOV, DeviceIDs: { 0: ['b'], 1: ['a'] } },
  ];
  writeFileSync(path, JSON.stringify({ Data: { PodDeviceEntries: entries }, Checksum: 1 }));
  const call = pod(lab, { [NETWORKS]: 'fast' });
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assert.equal(devicesOf(fakes.executions()), ['ADD vf net1 a']);
  rmSync(path);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

eachDoorWith([[SRIOV, ['given']]], 'devices of resource claims come behind those of the kubelet', async (lab) => {
  const fakes = new Fakes(lab);
  const attributes = (id: string) => ({
    'k8s.cni.cncf.io/deviceID': { string: id },
    'k8s.cni.cncf.io/resourceName': { string: SRIOV },
  });
  const device = { request: 'nic', driver: 'sriov.example', pool: 'node-1', device: 'vf-1' };
  lab.manifest(
    'cluster.yaml',
    deviceNetwork(lab, 'fast', fakes.plugin('vf', LINK), SRIOV),
    {
      apiVersion: 'resource.k8s.io/v1',
      kind: 'ResourceClaim',
      metadata: { name: 'pod1-nic', namespace: 'default' },
      status: { allocation: { devices: { results: [device] } } },
    },
    {
      apiVersion: 'resource.k8s.io/v1',
      kind: 'ResourceSlice',
      metadata: { name: 'slice' },
      spec: {
        driver: 'sriov.example',
        pool: { name: 'node-1', generation: 1 },
        devices: [
          { name: 'vf-0', attributes: attributes('another pod has it') },
          { name: 'vf-1', attributes: attributes('claimed') },
        ],
      },
    },
  );
  const status = { resourceClaimStatuses: [{ name: 'nic', resourceClaimName: 'pod1-nic' }] };
  const call = pod(lab, { [NETWORKS]: 'fast,fast' }, { status });
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assert.equal(devicesOf(fakes.executions()), ['ADD vf net1 given', 'ADD vf net2 claimed']);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
  const pending = pod(
    lab,
    { [NETWORKS]: 'fast,fast' },
    { spec: { resourceClaims: [{ name: 'nic', resourceClaimTemplateName: 't' }] } },
  );
  assertError(await lab.cni('ADD', pending), 11, 'has 1', 'there is no ResourceClaim for claim "nic" of the pod yet');
  await assertClean(lab, 'pod1');
});

test.run();
