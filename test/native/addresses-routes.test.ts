/**
 * Addresses and routes of a pod's namespace on the real kernel. A user loses: a pod without connectivity, or with its
 * default route through the wrong network.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../src/node/native.ts';
import { kernelTest } from './kernel-test.ts';
import { failureOf, type ScratchNetns } from './scratch-netns.ts';

const RT_TABLE_MAIN = 254;

/** eth0 with 10.1.0.2/24 and fd00::2/64, ready at once. */
function addAddressedVeth(netns: ScratchNetns): number {
  const index = netns.addVeth('eth0', 'peer0');
  netns.ip('addr add 10.1.0.2/24 dev eth0');
  netns.ip('addr add fd00::2/64 dev eth0 nodad');
  return index;
}

kernelTest('addAddress() refuses what is no address', async (netns) => {
  const index = netns.addVeth('eth0', 'peer0');
  for (const cidr of ['', '10.0.0.1', '10.0.0.1/33', 'fd00::1/129', 'fe80::1%eth0/64', 'eth0/8']) {
    const error = await failureOf(() => native().addAddress(netns.socket, index, cidr));
    assert.is(error.code, 'EINVAL', cidr);
    assert.is(error.ifname, 'eth0');
    assert.match(error.message, `"${cidr}" is not an IP address with a prefix length`);
  }
  const gone = await failureOf(() => native().addAddress(netns.socket, 4711, '10.0.0.1/8'));
  assert.is(gone.code, 'ENODEV');
});

kernelTest('addAddress() adds both families, with the broadcast address of the reference plugins', async (netns) => {
  const index = netns.addVeth('eth0', 'peer0');
  await native().addAddress(netns.socket, index, '10.1.0.2/24');
  await native().addAddress(netns.socket, index, '10.2.0.2/32');
  await native().addAddress(netns.socket, index, 'fd00::2/64');
  const addresses = netns.ipJson('addr show dev eth0')[0].addr_info;
  const find = (local: string) => addresses.find((one: { local: string }) => one.local === local);
  assert.is(find('10.1.0.2').broadcast, '10.1.0.255');
  assert.is(find('10.2.0.2').broadcast, undefined);
  assert.is(find('fd00::2').prefixlen, 64);
  const twice = await failureOf(() => native().addAddress(netns.socket, index, '10.1.0.2/24'));
  assert.is(twice.code, 'EEXIST');
  assert.is(twice.ifname, 'eth0');
});

kernelTest('listAddresses() says what iproute2 says', async (netns) => {
  addAddressedVeth(netns);
  netns.ip('addr add 10.9.0.1 peer 10.9.0.2/32 dev peer0');
  const wanted = netns.ipJson('addr show').flatMap((link) =>
    link.addr_info.map((one: { local: string; prefixlen: number; family: string }) => ({
      index: link.ifindex,
      family: one.family === 'inet' ? 4 : 6,
      address: one.local,
      prefixLength: one.prefixlen,
    })),
  );
  const found = (await native().listAddresses(netns.socket)).map(({ index, family, address, prefixLength }) => ({
    index,
    family,
    address,
    prefixLength,
  }));
  const byText = (a: object, b: object) => JSON.stringify(a).localeCompare(JSON.stringify(b));
  assert.equal(found.sort(byText), wanted.sort(byText));
  assert.ok(found.length >= 3);
});

kernelTest('addRoute() refuses what cannot be and names the route', async (netns) => {
  const index = addAddressedVeth(netns);
  const beyond = { family: 4, dst: '10.50.0.0/16', gateway: '192.0.2.1', index } as const;
  const error = await failureOf(() => native().addRoute(netns.socket, beyond));
  assert.is(error.code, 'ENETUNREACH');
  assert.is(error.syscall, 'RTM_NEWROUTE');
  assert.is(error.ifname, 'eth0');
  assert.match(error.message, '10.50.0.0/16 via 192.0.2.1');
  const wrong = { family: 6, dst: '10.0.0.0/8', index } as const;
  assert.is((await failureOf(() => native().addRoute(netns.socket, wrong))).code, 'EINVAL');
  const subnet = { family: 4, dst: '10.60.0.0/16', index } as const;
  await native().addRoute(netns.socket, subnet);
  assert.is((await failureOf(() => native().addRoute(netns.socket, subnet))).code, 'EEXIST');
});

kernelTest('addRoute() adds every kind of route', async (netns) => {
  const index = addAddressedVeth(netns);
  const add = native().addRoute;
  await add(netns.socket, { family: 4, dst: '0.0.0.0/0', gateway: '10.1.0.1', index, priority: 100, src: '10.1.0.2' });
  await add(netns.socket, { family: 4, dst: '10.50.0.0/16', index });
  await add(netns.socket, { family: 4, dst: '10.51.0.0/16', gateway: '192.0.2.1', index, onlink: true });
  await add(netns.socket, { family: 4, dst: '10.52.0.0/16', gateway: 'fd00::9', index });
  await add(netns.socket, { family: 4, dst: '10.53.0.0/16', gateway: '10.1.0.1', index, mtu: 1300, advmss: 1200 });
  await add(netns.socket, { family: 4, dst: '10.54.0.0/16', index, table: 1000 });
  await add(netns.socket, { family: 6, dst: '::/0', gateway: 'fd00::1', index, priority: 50 });

  const [main] = netns.ipJson('route show default');
  assert.is(main.gateway, '10.1.0.1');
  assert.is(main.prefsrc, '10.1.0.2');
  const [metrics] = netns.ipJson('route show 10.53.0.0/16')[0].metrics;
  assert.is(metrics.mtu, 1300);
  assert.is(metrics.advmss, 1200);
  assert.is(netns.ipJson('route show table 1000').length, 1);

  const routes = await native().listRoutes(netns.socket);
  const find = (dst: string) => routes.find((route) => route.dst === dst);
  assert.equal(find('0.0.0.0/0'), {
    family: 4,
    dst: '0.0.0.0/0',
    gateway: '10.1.0.1',
    index,
    table: RT_TABLE_MAIN,
    priority: 100,
    scope: 0,
    protocol: 3,
    type: 1,
    src: '10.1.0.2',
  });
  assert.is(find('10.50.0.0/16')?.scope, 253); // Link: the kernel takes no other for a route without gateway.
  assert.is(find('10.52.0.0/16')?.gateway, 'fd00::9');
  assert.is(find('::/0')?.gateway, 'fd00::1');
  assert.is(find('10.54.0.0/16'), undefined); // Not in the main table.
  assert.ok(routes.every((route) => route.table === RT_TABLE_MAIN));
});

kernelTest('deleteDefaultRoutes() takes all of one family and nothing else', async (netns) => {
  const index = addAddressedVeth(netns);
  netns.ip('route add default via 10.1.0.1 dev eth0');
  netns.ip('route add default via 10.1.0.9 dev eth0 metric 100');
  netns.ip('route add default metric 200 nexthop via 10.1.0.7 dev eth0 nexthop via 10.1.0.8 dev eth0');
  netns.ip('route add default via 10.1.0.1 dev eth0 table 1000');
  netns.ip('route add 10.50.0.0/16 dev eth0');
  netns.ip('-6 route add default via fd00::1 dev eth0');
  netns.ip('-6 route add default via fd00::9 dev eth0 metric 7');

  const deleted = await native().deleteDefaultRoutes(netns.socket, 4);
  assert.equal(deleted.map((route) => route.gateway).sort(), ['10.1.0.1', '10.1.0.7', '10.1.0.8', '10.1.0.9']);
  assert.ok(deleted.every((route) => route.index === index && route.dst === '0.0.0.0/0'));
  assert.is(netns.ipJson('route show default').length, 0);
  assert.is(netns.ipJson('route show table 1000').length, 1);
  assert.is(netns.ipJson('route show 10.50.0.0/16').length, 1);
  assert.is(netns.ipJson('-6 route show default').length, 2);

  assert.is((await native().deleteDefaultRoutes(netns.socket, 6)).length, 2);
  assert.is(netns.ipJson('-6 route show default').length, 0);
  assert.equal(await native().deleteDefaultRoutes(netns.socket, 4), []);
});

/**
 * Default routes whose hops are in nexthop objects. An object may share its gateway with an ordinary route, be a group of
 * others, or drop what it gets; none of that the kernel lets a route be found by.
 */
function addObjectRoutes(netns: ScratchNetns): void {
  for (const command of [
    'link set lo up', // an object that drops has it for its device
    'nexthop add id 7 via 10.1.0.1 dev eth0',
    'nexthop add id 8 via 192.0.2.1 dev eth0 onlink',
    'nexthop add id 9 via 10.1.0.9 dev eth0',
    'nexthop add id 10 group 7/9',
    'nexthop add id 11 blackhole',
    'nexthop add id 12 via fd00::1 dev eth0',
    'nexthop add id 13 via fd00::9 dev eth0',
    'nexthop add id 14 group 12/13',
    'route add default nhid 7',
    'route add default nhid 8 metric 20 mtu 1300',
    'route add default nhid 10 metric 30',
    'route add default nhid 11 metric 40',
    'route add default nhid 12 metric 50',
    'route append default via 10.1.0.1 dev eth0',
    '-6 route add default nhid 12 mtu 1300',
    '-6 route add default nhid 14 metric 60',
    'route add 10.50.0.0/16 nhid 7',
  ]) {
    netns.ip(command);
  }
}

// ADD fails with EEXIST when a network asks for the default route: those of the default network are still there.
kernelTest('deleteDefaultRoutes() takes those over nexthop objects, and leaves the objects', async (netns) => {
  addAddressedVeth(netns);
  addObjectRoutes(netns);
  const deleted = await native().deleteDefaultRoutes(netns.socket, 4);
  assert.is(netns.ipJson('route show default').length, 0);
  assert.equal(deleted.map(({ priority, gateway }) => `${priority} ${gateway}`).sort(), [
    '0 10.1.0.1',
    '0 10.1.0.1',
    '20 192.0.2.1',
    '30 10.1.0.1',
    '30 10.1.0.9',
    '40 ',
    '50 fd00::1',
  ]);
  assert.is(netns.ipJson('-6 route show default').length, 2);
  await native().deleteDefaultRoutes(netns.socket, 6);
  assert.is(netns.ipJson('-6 route show default').length, 0);
  assert.is(netns.ipJson('route show 10.50.0.0/16').length, 1);
  assert.is(netns.ipJson('nexthop show').length, 8);
});

kernelTest('a deleted default route can be put back as it was', async (netns) => {
  addAddressedVeth(netns);
  netns.ip('route add default via 10.1.0.1 dev eth0 metric 100');
  const [route] = await native().deleteDefaultRoutes(netns.socket, 4);
  assert.ok(route);
  await native().addRoute(netns.socket, {
    family: 4,
    dst: route.dst,
    gateway: route.gateway,
    index: route.index,
    priority: route.priority,
  });
  const [again] = await native().deleteDefaultRoutes(netns.socket, 4);
  assert.equal(again, route);
});

kernelTest('setRouteMetric() changes the metric and nothing else, in both families', async (netns) => {
  addAddressedVeth(netns);
  netns.ip('route add default via 192.0.2.1 dev eth0 onlink mtu 1300 src 10.1.0.2 proto static');
  netns.ip('-6 route add default via fd00::1 dev eth0 mtu 1300 pref high');
  for (const [family, metric] of [
    ['4', 100],
    ['6', 1124],
  ] as const) {
    const shown = () => netns.ipJson(`-${family} route show default`);
    const [before] = shown();
    const route = (await native().listRoutes(netns.socket)).find(
      (one) => String(one.family) === family && one.dst.endsWith('/0'),
    );
    assert.ok(route);
    await native().setRouteMetric(netns.socket, route, metric);
    assert.equal(shown(), [{ ...before, metric }]);
    assert.is((await failureOf(() => native().setRouteMetric(netns.socket, route, 7))).code, 'ESRCH');
  }
});

// A default route in such a form would fail the ADD of a pod that asks for none.
kernelTest('setRouteMetric() moves a route over a nexthop object, which it keeps', async (netns) => {
  addAddressedVeth(netns);
  addObjectRoutes(netns);
  const shown = () => [...netns.ipJson('route show default'), ...netns.ipJson('-6 route show default')];
  const before = shown();
  const set = async (family: 4 | 6, from: number, metric: number): Promise<void> => {
    const found = (await native().listRoutes(netns.socket)).find(
      (one) => one.family === family && one.priority === from && one.dst.endsWith('/0'),
    );
    assert.ok(found);
    await native().setRouteMetric(netns.socket, found, metric);
  };
  await set(4, 20, 120);
  await set(4, 50, 150);
  await set(6, 1024, 1124);
  const moved = new Map([
    [20, 120],
    [50, 150],
    [1024, 1124],
  ]);
  const byText = (routes: object[]) => routes.map((one) => JSON.stringify(one)).sort();
  assert.equal(
    byText(shown()),
    byText(before.map((one) => (moved.has(one.metric) ? { ...one, metric: moved.get(one.metric) } : one))),
  );
  for (const [family, metric] of [
    [4, 30],
    [6, 60],
  ] as const) {
    assert.is((await failureOf(() => set(family, metric, 7))).code, 'EOPNOTSUPP', `one hop of a group, IPv${family}`);
  }
});

kernelTest(
  'setRouteMetric() moves the route that is meant, also where another link has one of its metric',
  async (netns) => {
    addAddressedVeth(netns);
    netns.addVeth('net1', 'peer1');
    netns.ip('addr add 10.2.0.2/24 dev net1');
    netns.ip('addr add fd02::2/64 dev net1 nodad');
    // As the reference plugins add theirs: before the others of IPv4, beside the others of IPv6.
    netns.ip('route add default via 10.1.0.1 dev eth0');
    netns.ip('route prepend default via 10.2.0.1 dev net1');
    netns.ip('-6 route add default via fd00::1 dev eth0');
    netns.ip('-6 route append default via fd02::1 dev net1');
    const defaults = async () => (await native().listRoutes(netns.socket)).filter(({ dst }) => dst.endsWith('/0'));
    for (const route of await defaults()) {
      if (/^(10\.2|fd02)/.test(route.gateway)) await native().setRouteMetric(netns.socket, route, 2000);
    }
    assert.equal(
      (await defaults()).map(({ gateway, priority }) => `${gateway} ${priority}`),
      ['10.1.0.1 0', '10.2.0.1 2000', 'fd00::1 1024', 'fd02::1 2000'],
    );
    assert.match(netns.ip('route get 192.0.2.1'), 'via 10.1.0.1 dev eth0');
  },
);

kernelTest('snapshot() is the three lists', async (netns) => {
  addAddressedVeth(netns);
  const snapshot = await native().snapshot(netns.socket);
  assert.equal(snapshot.links, await native().listLinks(netns.socket));
  assert.equal(snapshot.routes, await native().listRoutes(netns.socket));
  // Not compared whole: an IPv6 address loses its "tentative" flag while we look.
  const addresses = await native().listAddresses(netns.socket);
  assert.equal(
    snapshot.addresses.map((one) => one.address),
    addresses.map((one) => one.address),
  );
});

test.run();
