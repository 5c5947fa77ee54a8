import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  applyDefaultRoutes,
  keepDefaultNetworkFirst,
  withoutReplacedRoutes,
} from '../../../src/attach/default-routes.ts';
import type { JournalAttachment } from '../../../src/attach/journal-record.ts';
import { emptyResult } from '../../../src/cni/result.ts';
import type { FamilyRoutes } from '../../../src/pod/plan.ts';
import { FakeNetns, fakeLink, fakeRoute } from '../../fakes/fake-netns.ts';
import { laterRefusal } from '../cni/refusal.ts';
import { aDefaultAttachment, anAttachment } from './records.ts';

const IPV4: FamilyRoutes = {
  family: 4,
  gateways: [
    { gateway: '10.1.0.1', ifName: 'net1' },
    { gateway: '10.2.0.1', ifName: 'net2' },
    { gateway: '10.2.0.2', ifName: 'net2' },
  ],
};
const IPV6: FamilyRoutes = {
  family: 6,
  gateways: [
    { gateway: 'FD01:0::1', ifName: 'net1' },
    { gateway: 'fd02::1', ifName: 'net2' },
  ],
};

function aPod(): FakeNetns {
  return new FakeNetns({
    links: [fakeLink(1, 'lo'), fakeLink(2, 'eth0'), fakeLink(3, 'net1'), fakeLink(4, 'net2')],
    routes: [fakeRoute('0.0.0.0/0', '10.0.0.1'), fakeRoute('10.0.0.0/24'), fakeRoute('::/0', 'fd00::1')],
  });
}

const defaultsOf = (pod: FakeNetns) => pod.snapshotValue.routes.filter(({ dst }) => dst.endsWith('/0'));

test('a gateway on an interface that is not in the pod fails the ADD and names both', async () => {
  const plan: FamilyRoutes[] = [{ family: 4, gateways: [{ gateway: '10.9.0.1', ifName: 'net9' }] }];
  assert.equal(await laterRefusal(() => applyDefaultRoutes(aPod().asNetns, plan)), {
    code: 102,
    message: 'Cannot set default route via 10.9.0.1: interface "net9" is not in the pod',
    details: '',
  });
});

test("a gateway that the kernel refuses fails the ADD with the kernel's reason and what to look at", async () => {
  const pod = aPod();
  pod.addRoute = async () => {
    throw new Error('RTM_NEWROUTE: ENETUNREACH');
  };
  assert.equal(await laterRefusal(() => applyDefaultRoutes(pod.asNetns, [IPV4])), {
    code: 102,
    message: 'Cannot set default route via 10.1.0.1 on interface "net1": RTM_NEWROUTE: ENETUNREACH',
    details: 'the gateway must be in a subnet of that interface',
  });
});

test('routes that are not there afterwards fail the ADD, also when as many others are', async () => {
  const lost = aPod();
  lost.addRoute = async () => undefined;
  assert.match(
    (await laterRefusal(() => applyDefaultRoutes(lost.asNetns, [IPV4]))).message,
    'IPv4 default routes of the pod must be via 10.1.0.1, 10.2.0.1, 10.2.0.2, found: none',
  );
  const other = aPod();
  other.addRoute = async () => {
    other.snapshotValue.routes.push(fakeRoute('::/0', 'fe80::1'));
  };
  const plan: FamilyRoutes[] = [{ family: 6, gateways: [{ gateway: 'fd01::1', ifName: 'net1' }] }];
  const { code, message } = await laterRefusal(() => applyDefaultRoutes(other.asNetns, plan));
  assert.equal([code, message], [102, 'IPv6 default routes of the pod must be via fd01::1, found: fe80::1']);
});

test('a route that comes back by itself fails the ADD: traffic of the pod would leave by the wrong network', async () => {
  const pod = aPod();
  pod.deleteDefaultRoutes = async () => [];
  const { message } = await laterRefusal(() => applyDefaultRoutes(pod.asNetns, [{ family: 4, gateways: [] }]));
  assert.match(message, 'IPv4 default routes of the pod must be via none, found: 10.0.0.1');
});

test('replaces the default routes of a family, and touches nothing else', async () => {
  const pod = aPod();
  await applyDefaultRoutes(pod.asNetns, [IPV4]);
  assert.equal(pod.changes, [
    'clear 4',
    'add 0.0.0.0/0 via 10.1.0.1 dev 3',
    'add 0.0.0.0/0 via 10.2.0.1 dev 4',
    'add 0.0.0.0/0 via 10.2.0.2 dev 4',
  ]);
  assert.equal(
    pod.snapshotValue.routes.slice(0, 2).map(({ dst, gateway }) => [dst, gateway]),
    [
      ['10.0.0.0/24', ''],
      ['::/0', 'fd00::1'],
    ],
  );
});

test('the gateway that is listed first is the one that the kernel uses, in both families', async () => {
  for (const routes of [IPV4, IPV6]) {
    const pod = aPod();
    await applyDefaultRoutes(pod.asNetns, [routes]);
    const byMetric = defaultsOf(pod)
      .filter(({ family }) => family === routes.family)
      .sort((a, b) => a.priority - b.priority);
    assert.equal(
      byMetric.map(({ gateway }) => gateway),
      routes.gateways.map(({ gateway }) => gateway),
      `IPv${routes.family}`,
    );
    assert.is(new Set(byMetric.map(({ priority }) => priority)).size, byMetric.length, 'no two of one metric');
  }
});

test('takes all default routes away where the pod wants none', async () => {
  const pod = aPod();
  await applyDefaultRoutes(pod.asNetns, [
    { family: 4, gateways: [] },
    { family: 6, gateways: [] },
  ]);
  assert.equal(defaultsOf(pod), []);
});

test('asks nothing of the pod when the plan has no default routes', async () => {
  const pod = aPod();
  pod.snapshot = () => assert.unreachable('the pod must not be asked') as never;
  await applyDefaultRoutes(pod.asNetns, []);
  assert.equal(pod.changes, []);
});

test('the answer does not claim the default routes that were replaced: the runtime would report a wrong gateway', () => {
  const routes = [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }, { dst: '10.0.0.0/8' }, { dst: '::/0', gw: 'fd00::1' }];
  const result = { ...emptyResult('1.0.0'), routes };
  const left = (...plan: FamilyRoutes[]) => withoutReplacedRoutes(result, plan).routes.map(({ dst }) => dst);
  assert.equal(left(), ['0.0.0.0/0', '10.0.0.0/8', '::/0']);
  assert.equal(left(IPV4), ['10.0.0.0/8', '::/0']);
  assert.equal(left(IPV6), ['0.0.0.0/0', '10.0.0.0/8']);
  assert.equal(left(IPV4, IPV6), ['10.0.0.0/8']);
  assert.is(result.routes.length, 3, 'the result in the journal stays whole');
});

/** eth0 is link 2, net1 link 3 and net2 link 4, as in aPod(). */
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
