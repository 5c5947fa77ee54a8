import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assignDevices, type DeviceQuestion } from '../../../../src/attach/resolve/devices.ts';
import type { ClusterSource, PodRecord } from '../../../../src/cluster/source.ts';
import { FakeKubelet } from '../../../fakes/fake-kubelet.ts';
import {
  anAllocation,
  aSlice,
  claimingPod,
  type FakeResources,
  fakeResources,
  networkDevice,
} from '../../../fakes/fake-resources.ts';
import { fakeSource } from '../../../fakes/fake-source.ts';
import { laterRefusal } from '../../cni/refusal.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);
const SRIOV = 'intel.com/sriov';
const POD = { namespace: 'prod', name: 'web', uid: 'u-1' };

let kubelet: FakeKubelet;
test.before.each(async () => {
  kubelet = await FakeKubelet.start(folder.path);
});
test.after.each(() => kubelet.stop());

/** What the kubelet gave to the pod. */
function given(devices: [string, string[]][], claims: [string, string[][]][] = []): void {
  kubelet.pods = [{ namespace: 'prod', name: 'web', containers: [{ devices, claims }] }];
}

/** One device of a resource for each of these networks. */
async function assign(resources: readonly string[], more: Partial<DeviceQuestion> = {}): Promise<string[]> {
  const networks = resources.map((resourceName, i) => ({ label: `prod/n${i}`, resourceName }));
  const signal = new AbortController().signal;
  const found = await assignDevices(networks, {
    pod: POD,
    kubeletDir: folder.path,
    source: undefined,
    signal,
    ...more,
  });
  return networks.map((network) => found.get(network)?.id ?? '');
}

const refused = (resources: readonly string[], more: Partial<DeviceQuestion> = {}) =>
  laterRefusal(() => assign(resources, more));

// Two networks of the pod would get one VF: the second plugin fails, or takes it from the first.
test('a device that the pod names for a network is not handed out to another one', async () => {
  given([[SRIOV, ['0000:3b:02.1', '0000:3b:02.2']]]);
  const named = { label: 'prod/own', resourceName: '', requests: { deviceId: '0000:3B:02.1' } };
  const other = { label: 'prod/fast', resourceName: SRIOV };
  const question = { pod: POD, kubeletDir: folder.path, source: undefined, signal: new AbortController().signal };
  assert.is((await assignDevices([other, named], question)).get(other)?.id, '0000:3b:02.2');
  const { code, message } = await laterRefusal(() => assignDevices([named, other, { ...other }], question));
  assert.is(code, 7);
  assert.match(message, 'has 2, taken by "prod/own", "prod/fast"');
});

// A VF would be taken from a network of the pod that runs.
test('a network that is plugged in gets none of the devices that the pod uses', async () => {
  given([[SRIOV, ['0000:3b:02.1', '0000:3b:02.2']]]);
  const used = (...ids: string[]) =>
    ids.map((id) => ({ network: `prod/used-${id.at(-1)}`, device: { id, resourceName: SRIOV } }));
  assert.equal(await assign([SRIOV], { taken: used('0000:3b:02.1') }), ['0000:3b:02.2']);
  assert.equal(await assign([SRIOV], { taken: used('0000:3b:02.2') }), ['0000:3b:02.1']);
  const { code, message } = await refused([SRIOV], { taken: used('0000:3b:02.1', '0000:3b:02.2') });
  assert.is(code, 7);
  assert.match(message, 'has 2, taken by "prod/used-1", "prod/used-2"');
});

function sourceOf(pod: PodRecord, resources?: FakeResources): ClusterSource {
  return {
    ...fakeSource({}),
    pod: async () => ({ outcome: 'found', pod }),
    ...(resources === undefined ? {} : { resources }),
  };
}

const resources = () =>
  fakeResources({ nic: [anAllocation('vf-0'), anAllocation('vf-1')] }, [
    aSlice({ 'vf-0': networkDevice('0000:3b:02.0', SRIOV), 'vf-1': networkDevice('0000:3b:02.1', SRIOV) }),
  ]);

// Every pod without device networks would wait for the kubelet, and fail without one.
test('asks nobody where no network needs a device', async () => {
  assert.equal(await assign(['', ''], { kubeletDir: '/absent', pod: undefined }), ['', '']);
  assert.equal(kubelet.calls, []);
});

test('a container that is no pod is refused a device, not attached without it', async () => {
  assert.equal(await refused([SRIOV], { pod: undefined }), {
    code: 4,
    message:
      'Cannot give network "prod/n0" a device of resource "intel.com/sriov": only pods have devices, and CNI_ARGS names none',
    details: '',
  });
});

test('gives every network a device of its own, and does not ask the cluster when that is enough', async () => {
  given([
    [SRIOV, ['b', 'a']],
    ['gpu', ['0']],
  ]);
  const source = { ...fakeSource({}), pod: () => assert.unreachable() as never };
  assert.equal(await assign([SRIOV, '', 'gpu', SRIOV], { source }), ['a', '', '0', 'b']);
});

test('too few devices is an error, also where there is no cluster to ask', async () => {
  given([[SRIOV, ['a', 'b']]]);
  const { code, message } = await refused([SRIOV, SRIOV, SRIOV]);
  assert.is(code, 7);
  assert.match(message, 'Cannot give network "prod/n2" a device of resource "intel.com/sriov": pod prod/web has 2');
});

test("adds the devices of the pod's claims to those of the kubelet, each once", async () => {
  given([[SRIOV, ['0000:3b:02.1', '0000:3b:02.9']]]);
  const source = sourceOf(claimingPod({ names: ['nic'] }), resources());
  assert.equal(await assign([SRIOV, SRIOV, SRIOV], { source }), ['0000:3b:02.1', '0000:3b:02.9', '0000:3b:02.0']);
  const { code, message } = await refused([SRIOV, SRIOV, SRIOV, SRIOV], { source });
  assert.is(code, 7);
  assert.match(message, 'pod prod/web has 3');
});

// Definitions of Multus 4.3 name the claim; and without the API server that is all there is.
test('a definition that names a claim gets the device that the kubelet has for it', async () => {
  given([], [['web-nic', [['vendor.com/net=vf0']]]]);
  assert.equal(await assign(['web-nic']), ['vf0']);
  assert.equal(await assign(['web-nic'], { source: sourceOf(claimingPod({ names: ['nic'] }), resources()) }), ['vf0']);
});

test('where the cluster cannot tell, too few devices is "try again later" with the reason', async () => {
  given([]);
  const other = { ...claimingPod({}), uid: 'u-2' };
  const { claims: _, ...unread } = claimingPod({});
  const CASES: [ClusterSource, string][] = [
    [fakeSource({ unknown: 'still reading' }), 'still reading'],
    [sourceOf(other, resources()), 'the fakes have another pod of that name, with UID u-2'],
    [sourceOf(unread, resources()), 'the fakes do not tell resource claims'],
    [sourceOf(claimingPod({})), 'the fakes do not tell resource claims'],
    [sourceOf(claimingPod({ pending: ['nic'] }), resources()), 'there is no ResourceClaim for claim "nic"'],
  ];
  for (const [source, reason] of CASES) {
    const { code, message } = await refused([SRIOV], { source });
    assert.is(code, 11, message);
    assert.match(message, `has no devices, as far as can be told: ${reason}`);
  }
});

test('a kubelet that cannot be asked is no pod without devices', async () => {
  kubelet.instead = (_, stream) => {
    stream.close(2);
    return true;
  };
  assert.is((await refused([SRIOV], { source: sourceOf(claimingPod({ names: ['nic'] }), resources()) })).code, 11);
});

test.run();
