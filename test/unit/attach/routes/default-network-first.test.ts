import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { JournalAttachment } from '../../../../src/attach/journal-record.ts';
import { keepDefaultNetworkFirst } from '../../../../src/attach/routes/default-network-first.ts';
import { FakeNetns, fakeRoute } from '../../../fakes/fake-netns.ts';
import { laterRefusal } from '../../cni/refusal.ts';
import { aDefaultAttachment, anAttachment } from '../records.ts';

/** eth0 is link 2, net1 link 3 and net2 link 4. */
function attached(...ifNames: string[]): JournalAttachment[] {
  const link = (index: number, delegateName: string) => ({ index, mac: '', delegateName });
  const others = ifNames.map((ifName) => anAttachment({ ifName, link: link(ifName === 'net1' ? 3 : 4, ifName) }));
  return [aDefaultAttachment({ link: link(2, 'eth0') }), ...others];
}

const podWith = (...routes: ReturnType<typeof fakeRoute>[]) => new FakeNetns({ routes: structuredClone(routes) });
const onEth0 = fakeRoute('0.0.0.0/0', '10.0.0.1');
const onNet1 = fakeRoute('0.0.0.0/0', '10.1.0.1', { index: 3 });
const onNet2 = fakeRoute('0.0.0.0/0', '10.2.0.1', { index: 4 });

test('a default route that cannot be put behind fails the ADD: traffic for the cluster would leave by that network', async () => {
  const pod = podWith(onEth0, onNet1);
  pod.failure = new Error('RTM_NEWROUTE: EEXIST');
  assert.equal(await laterRefusal(() => keepDefaultNetworkFirst(pod.asNetns, attached('net1'), [])), {
    code: 102,
    message:
      'Cannot put the default route via 10.1.0.1 on interface "net1" behind that of the default network: RTM_NEWROUTE: EEXIST',
    details: 'remove it from the "routes" of the network, or ask for it by "default-route"',
  });
});

test("puts the default routes of other networks behind the default network's, in their order", async () => {
  const pod = podWith(onNet2, onNet1, onEth0, fakeRoute('10.9.0.0/16', '10.1.0.1', { index: 3 }));
  const yielded = await keepDefaultNetworkFirst(pod.asNetns, attached('net1', 'net2'), []);
  assert.equal(pod.changes, [
    'metric 100 of 0.0.0.0/0 via 10.1.0.1 dev 3',
    'metric 200 of 0.0.0.0/0 via 10.2.0.1 dev 4',
  ]);
  assert.equal(yielded[0], { network: 'prod/data', ifName: 'net1', gateway: '10.1.0.1', metric: 100 });
});

test("takes one network out of IPv6's shared default route: half of the connections would leave by it", async () => {
  const shared = { priority: 1024 };
  const pod = podWith(fakeRoute('::/0', 'fd00::1', shared), fakeRoute('::/0', 'fd01::1', { ...shared, index: 3 }));
  await keepDefaultNetworkFirst(pod.asNetns, attached('net1'), []);
  assert.equal(pod.changes, ['metric 1124 of ::/0 via fd01::1 dev 3']);
});

test('leaves the only default route of a family where it is', async () => {
  const pod = podWith(fakeRoute('::/0', 'fd00::1', { priority: 1024 }), onNet1, onNet2);
  assert.equal(await keepDefaultNetworkFirst(pod.asNetns, attached('net1', 'net2'), []), []);
  assert.equal(pod.changes, []);
});

test('leaves a family alone for which the pod asks for a default route', async () => {
  const pod = podWith(onEth0, onNet1);
  await keepDefaultNetworkFirst(pod.asNetns, attached('net1'), [{ family: 4, gateways: [] }]);
  assert.equal(pod.changes, []);
});

test("leaves routes alone that come later anyway, that are no network's, and that routers advertise", async () => {
  const pod = podWith(
    onEth0,
    { ...onNet1, priority: 50 },
    { ...onNet2, protocol: 9 },
    fakeRoute('0.0.0.0/0', '10.7.0.1', { index: 7 }),
    fakeRoute('0.0.0.0/0', '', { index: 3, type: 7 }),
  );
  await keepDefaultNetworkFirst(pod.asNetns, attached('net1', 'net2'), []);
  assert.equal(pod.changes, []);
});

test('gives no metric that a default route has already: the kernel would refuse it', async () => {
  const pod = podWith(onEth0, { ...onEth0, gateway: '10.0.0.9', priority: 100 }, onNet1);
  await keepDefaultNetworkFirst(pod.asNetns, attached('net1'), []);
  assert.equal(pod.changes, ['metric 200 of 0.0.0.0/0 via 10.1.0.1 dev 3']);
});

test('asks nothing of a pod with one network', async () => {
  const pod = podWith(onEth0);
  pod.snapshot = () => assert.unreachable('the pod must not be asked') as never;
  assert.equal(await keepDefaultNetworkFirst(pod.asNetns, attached(), []), []);
});

test.run();
