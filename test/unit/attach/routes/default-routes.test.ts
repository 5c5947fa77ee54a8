import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  applyDefaultRoutes,
  differingDefaultRoutes,
  presentDefaultRoutes,
  withPlannedRoutes,
} from '../../../../src/attach/routes/default-routes.ts';
import { type CniResult, emptyResult } from '../../../../src/cni/result.ts';
import type { NativeRoute } from '../../../../src/node/native.ts';
import type { FamilyRoutes } from '../../../../src/pod/plan.ts';
import { FakeNetns, fakeLink, fakeRoute } from '../../../fakes/fake-netns.ts';
import { laterRefusal } from '../../cni/refusal.ts';

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
  const refusedWith = (code: string) => {
    const pod = aPod();
    pod.addRoute = async () => {
      throw Object.assign(new Error(`RTM_NEWROUTE: ${code}`), { code });
    };
    return laterRefusal(() => applyDefaultRoutes(pod.asNetns, [IPV4]));
  };
  for (const code of ['ENETUNREACH', 'EHOSTUNREACH']) {
    assert.equal(await refusedWith(code), {
      code: 102,
      message: `Cannot set default route via 10.1.0.1 on interface "net1": RTM_NEWROUTE: ${code}`,
      details: 'the gateway must be in a subnet of that interface',
    });
  }
  assert.is((await refusedWith('EEXIST')).details, '', 'a hint that is wrong costs hours');
});

test('routes that are not there afterwards fail the ADD, also when as many others are', async () => {
  const lost = aPod();
  lost.addRoute = async () => undefined;
  assert.match(
    (await laterRefusal(() => applyDefaultRoutes(lost.asNetns, [IPV4]))).message,
    'IPv4 default routes of the pod must be via 10.1.0.1 on "net1", then 10.2.0.1 on "net2", then 10.2.0.2 on "net2"; found: none',
  );
  const other = aPod();
  other.addRoute = async () => {
    other.snapshotValue.routes.push(fakeRoute('::/0', 'fe80::1'));
  };
  const plan: FamilyRoutes[] = [{ family: 6, gateways: [{ gateway: 'fd01::1', ifName: 'net1' }] }];
  const { code, message } = await laterRefusal(() => applyDefaultRoutes(other.asNetns, plan));
  assert.equal(
    [code, message],
    [102, 'IPv6 default routes of the pod must be via fd01::1 on "net1"; found: via fe80::1 on "eth0"'],
  );
});

test('a route that comes back by itself fails the ADD: traffic of the pod would leave by the wrong network', async () => {
  const pod = aPod();
  pod.deleteDefaultRoutes = async () => [];
  const { message } = await laterRefusal(() => applyDefaultRoutes(pod.asNetns, [{ family: 4, gateways: [] }]));
  assert.match(message, 'IPv4 default routes of the pod must be none; found: via 10.0.0.1 on "eth0"');
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

test('another interface or another order than planned is a difference: traffic leaves by the wrong network', () => {
  const { links } = aPod().snapshotValue;
  const differing = (...routes: NativeRoute[]) => differingDefaultRoutes({ links, addresses: [], routes }, [IPV6]);
  const route = (gateway: string, index: number, priority: number) => fakeRoute('::/0', gateway, { index, priority });
  assert.equal(differing(route('fd02::1', 4, 1124), route('fd01::1', 3, 1024)), []);
  const must = 'IPv6 default routes of the pod must be via fd01::1 on "net1", then fd02::1 on "net2"; found: ';
  assert.equal(differing(route('fd02::1', 4, 1024), route('fd01::1', 3, 1124)), [
    `${must}via fd02::1 on "net2", then fd01::1 on "net1"`,
  ]);
  assert.equal(differing(route('fd01::1', 2, 1024), route('fd02::1', 4, 1124)), [
    `${must}via fd01::1 on "eth0", then fd02::1 on "net2"`,
  ]);
  assert.equal(differing(fakeRoute('::/0', '', { index: 3 })), [`${must}via no gateway on "net1"`]);
});

test('only routes by which packets leave count, IPv4 first, the preferred one before the others', () => {
  const links = [fakeLink(2, 'eth0'), fakeLink(3, 'net1')];
  const routes = [
    fakeRoute('::/0', 'fd00::1', { index: 3, priority: 1024 }),
    fakeRoute('::/0', '', { index: 1, type: 7, priority: 0xffffffff }), // old kernels' "unreachable"
    fakeRoute('0.0.0.0/0', '10.0.0.2', { index: 2, priority: 100 }),
    fakeRoute('0.0.0.0/0', '10.0.0.1', { index: 3 }),
    fakeRoute('0.0.0.0/1', '10.0.0.9', { index: 3 }),
  ];
  assert.equal(presentDefaultRoutes({ links, addresses: [], routes }), [
    { family: 4, gateway: '10.0.0.1', ifName: 'net1' },
    { family: 4, gateway: '10.0.0.2', ifName: 'eth0' },
    { family: 6, gateway: 'fd00::1', ifName: 'net1' },
  ]);
});

const RESULT: CniResult = {
  ...emptyResult('1.1.0'),
  routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }, { dst: '10.0.0.0/8' }, { dst: '::/0', gw: 'fd00::1' }],
};

test('the answer does not claim the default routes that were replaced: the runtime would report a wrong gateway', () => {
  const left = (...plan: FamilyRoutes[]) => withPlannedRoutes(RESULT, 'eth0', plan).routes.map(({ dst }) => dst);
  assert.equal(left(), ['0.0.0.0/0', '10.0.0.0/8', '::/0']);
  assert.equal(left(IPV4), ['10.0.0.0/8', '::/0']);
  assert.equal(left(IPV6), ['0.0.0.0/0', '10.0.0.0/8']);
  assert.equal(left(IPV4, IPV6), ['10.0.0.0/8']);
  assert.is(RESULT.routes.length, 3, 'the result in the journal stays whole');
});

// Multus's weak point 5: it compares with "::0/0", so that an IPv6 default route is never taken out, and writes "::0/0".
test('every spelling of a default route is replaced, but not those of other routing tables', () => {
  const routes = ['::0/0', '0:0::/0', '::/00', '::/1'].map((dst) => ({ dst, gw: 'fd00::1' }));
  const other = { dst: '::/0', gw: 'fd00::1', table: 100 };
  const result = { ...emptyResult('1.1.0'), routes: [...routes, other] };
  assert.equal(withPlannedRoutes(result, 'eth0', [{ family: 6, gateways: [] }]).routes, [
    { dst: '::/1', gw: 'fd00::1' },
    other,
  ]);
});

test("the answer has the default routes that were put on its own interface, and nobody else's", () => {
  assert.equal(withPlannedRoutes(RESULT, 'net2', [IPV4, IPV6]).routes, [
    { dst: '10.0.0.0/8' },
    { dst: '0.0.0.0/0', gw: '10.2.0.1', priority: 100 },
    { dst: '0.0.0.0/0', gw: '10.2.0.2', priority: 200 },
    { dst: '::/0', gw: 'fd02::1', priority: 1124 },
  ]);
  assert.equal(withPlannedRoutes(RESULT, 'net1', [IPV6]).routes.at(-1), { dst: '::/0', gw: 'fd01::1' });
});

test.run();
