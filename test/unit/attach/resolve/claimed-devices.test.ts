import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { claimedDevices } from '../../../../src/attach/resolve/claimed-devices.ts';
import type { PodRecord, ResourceSource } from '../../../../src/cluster/source.ts';
import { anAllocation, aSlice, claimingPod, fakeResources, networkDevice } from '../../../fakes/fake-resources.ts';
import { laterRefusal } from '../../cni/refusal.ts';

const SRIOV = 'intel.com/sriov';
const VF0 = '0000:3b:02.0';
const VF1 = '0000:3b:02.1';
const SLICE = aSlice({ 'vf-0': networkDevice(VF0, SRIOV), 'vf-1': networkDevice(VF1, SRIOV) });

async function found(pod: PodRecord, source: ResourceSource) {
  const { devices, doubts, leftOut } = await claimedDevices(
    pod,
    new Set([SRIOV]),
    source,
    new AbortController().signal,
  );
  return { devices: [...devices], doubts, leftOut };
}

const refused = (pod: PodRecord, source: ResourceSource) => laterRefusal(() => found(pod, source));

// The kubelet starts a pod only once its claims are allocated: what we see is old, and guessing gives no device.
test('a claim that has no allocation is "try again later"', async () => {
  const { code, message } = await refused(claimingPod({ names: ['nic'] }), fakeResources({ nic: undefined }, []));
  assert.is(code, 11);
  assert.is(message, 'Cannot tell the devices of ResourceClaim prod/nic: nothing is allocated for it yet');
});

test('takes the devices of all claims in the order of their allocation, with one look-up for each driver', async () => {
  const source = fakeResources({ nic: [anAllocation('vf-1')], two: [anAllocation('vf-0')], none: [] }, [SLICE]);
  const pod = claimingPod({ names: ['nic', 'none', 'two'] });
  assert.equal(await found(pod, source), { devices: [[SRIOV, [VF1, VF0]]], doubts: [], leftOut: [] });
  assert.equal(source.calls, ['claim prod/nic', 'slices sriov.example', 'claim prod/none', 'claim prod/two']);
});

test('a pod without claims has no devices, and nothing is looked up', async () => {
  const source = fakeResources({}, []);
  assert.equal(await found(claimingPod({}), source), { devices: [], doubts: [], leftOut: [] });
  assert.equal(source.calls, []);
});

// A GPU's claim in the same pod must not keep it from its networks.
test('devices without the attributes are left out, and named', async () => {
  const slice = aSlice({
    gpu: {},
    'vf-0': networkDevice(VF0, ''),
    'vf-1': networkDevice('', SRIOV),
    'vf-2': networkDevice('0000:3b:02.2', 'other'),
  });
  const devices = ['gpu', 'vf-0', 'vf-1', 'vf-2'].map((device) => anAllocation(device));
  assert.equal(await found(claimingPod({ names: ['c'] }), fakeResources({ c: devices }, [slice])), {
    devices: [['other', ['0000:3b:02.2']]],
    doubts: [],
    leftOut: [
      'device sriov.example/node-1/gpu of claim c has no attribute k8s.cni.cncf.io/deviceID, k8s.cni.cncf.io/resourceName',
      'device sriov.example/node-1/vf-0 of claim c has no attribute k8s.cni.cncf.io/resourceName',
      'device sriov.example/node-1/vf-1 of claim c has no attribute k8s.cni.cncf.io/deviceID',
    ],
  });
});

// Whoever watches a device by adminAccess would take it out of the pod that it belongs to.
test('a device that is allocated to look at is left alone', async () => {
  const source = fakeResources({ c: [anAllocation('vf-0', { adminAccess: true }), anAllocation('vf-1')] }, [SLICE]);
  assert.equal(await found(claimingPod({ names: ['c'] }), source), {
    devices: [[SRIOV, [VF1]]],
    doubts: [],
    leftOut: ['device sriov.example/node-1/vf-0 is allocated with adminAccess: it belongs to another pod'],
  });
});

test('what cannot be told is a doubt with its reason, and the rest counts', async () => {
  const claims = { c: [anAllocation('vf-9'), anAllocation('vf-0')] };
  assert.equal(await found(claimingPod({ names: ['gone', 'c'], pending: ['late'] }), fakeResources(claims, [SLICE])), {
    devices: [[SRIOV, [VF0]]],
    doubts: [
      'there is no ResourceClaim for claim "late" of the pod yet',
      'no claim gone',
      'cannot look up device sriov.example/node-1/vf-9: no ResourceSlice of its pool has it',
    ],
    leftOut: [],
  });
  const { doubts } = await found(
    claimingPod({ names: ['c'] }),
    fakeResources({ c: [anAllocation('vf-0')] }, [], 'away'),
  );
  assert.equal(doubts, ['cannot look up device sriov.example/node-1/vf-0: away']);
});

// A driver that renumbers its devices publishes the new slices before it removes the old ones.
test("only slices of a pool's highest generation count, and only of that pool", async () => {
  const of = (id: string) => ({ 'vf-0': networkDevice(id, SRIOV) });
  const slices = [
    aSlice(of('old'), { generation: 1 }),
    aSlice({}, { generation: 2 }),
    aSlice(of('new'), { generation: 2 }),
    aSlice(of('of another pool'), { pool: 'node-2', generation: 9 }),
    aSlice(of('of another driver'), { driver: 'other.example', generation: 9 }),
  ];
  const pod = claimingPod({ names: ['c'] });
  const claims = { c: [anAllocation('vf-0')] };
  assert.equal((await found(pod, fakeResources(claims, slices))).devices, [[SRIOV, ['new']]]);
  const { devices, doubts } = await found(pod, fakeResources(claims, slices.slice(0, 2)));
  assert.equal([devices.length, doubts.length], [0, 1], 'what an old generation says is not believed');
});

const extended = (resources: Record<string, string>) =>
  claimingPod({ extended: { name: 'x', resources: new Map(Object.entries(resources)) } });

test('takes the devices of the claim for extended resources', async () => {
  const source = fakeResources({ x: [anAllocation('vf-0'), anAllocation('vf-1')] }, [SLICE]);
  const pod = extended({ 'request-vf-0': SRIOV, 'request-vf-1': SRIOV });
  assert.equal((await found(pod, source)).devices, [[SRIOV, [VF0, VF1]]]);
});

// The scheduler counted the device as one resource, its driver offers it as another: one of them is wrong.
test('a device of the claim for extended resources whose driver says otherwise is refused', async () => {
  const of = (device: Record<string, string>) =>
    fakeResources({ x: [anAllocation('vf-0')] }, [aSlice({ 'vf-0': device })]);
  const mapped = extended({ 'request-vf-0': SRIOV });
  const CASES: [PodRecord, Record<string, string>, string][] = [
    [
      mapped,
      networkDevice(VF0, 'other'),
      `is for resource "${SRIOV}", attribute k8s.cni.cncf.io/resourceName says "other"`,
    ],
    [mapped, networkDevice(VF0, ''), `is for resource "${SRIOV}", attribute k8s.cni.cncf.io/resourceName says ""`],
    [
      extended({}),
      networkDevice(VF0, SRIOV),
      `is for resource "", attribute k8s.cni.cncf.io/resourceName says "${SRIOV}"`,
    ],
    [mapped, networkDevice('', SRIOV), 'attribute k8s.cni.cncf.io/deviceID is missing'],
  ];
  for (const [pod, device, expected] of CASES) {
    const { code, message } = await refused(pod, of(device));
    assert.is(code, 7);
    assert.match(message, 'Cannot use device sriov.example/node-1/vf-0 of ResourceClaim prod/x: ');
    assert.match(message, expected);
  }
});

test('what the claim for extended resources has for no network of the pod is not looked at', async () => {
  const slice = aSlice({ 'vf-0': networkDevice(VF0, SRIOV), gpu: { a: 'b' } });
  const source = fakeResources({ x: [anAllocation('gpu'), anAllocation('vf-0')] }, [slice]);
  const pod = extended({ 'request-gpu': 'nvidia.com/gpu', 'request-vf-0': SRIOV });
  assert.equal(await found(pod, source), { devices: [[SRIOV, [VF0]]], doubts: [], leftOut: [] });
});

test.run();
