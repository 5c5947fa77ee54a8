import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { JournalAttachment } from '../../../../src/attach/journal-record.ts';
import { replanDefaultRoutes } from '../../../../src/attach/routes/replan-routes.ts';
import { ensureDefaultRoutes } from '../../../../src/attach/routes/settle-routes.ts';
import { planDefaultRoutes } from '../../../../src/pod/plan.ts';
import { FakeNetns, fakeLink, fakeRoute } from '../../../fakes/fake-netns.ts';
import { laterRefusal } from '../../cni/refusal.ts';
import { aDefaultAttachment, anAttachment, aRecord } from '../records.ts';

/** A default network that brought default routes of its own: one with a gateway, one that goes by its address. */
const NODE = aDefaultAttachment({
  result: JSON.stringify({
    cniVersion: '1.0.0',
    interfaces: [{ name: 'eth0', sandbox: '/run/netns/x' }],
    ips: [
      { address: '10.0.0.5/24', gateway: '10.0.0.1' },
      { address: 'fd00::5/64', gateway: 'fd00::1' },
    ],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0', gw: 'fd00::9' }, { dst: '10.0.0.0/8', gw: '10.0.0.7' }],
  }),
});

const asking = (ifName: string, ...defaultRoute: string[]) => anAttachment({ ifName, defaultRoute });

/** A pod whose record has these attachments, and the default routes that they ask for. */
function aPod(...attachments: JournalAttachment[]) {
  const defaultRoutes = planDefaultRoutes(attachments);
  const netns = new FakeNetns({
    links: [fakeLink(2, 'eth0'), fakeLink(3, 'net1'), fakeLink(4, 'net2')],
    routes: defaultRoutes.flatMap(({ family, gateways }) =>
      gateways.map(({ gateway, ifName }, i) =>
        fakeRoute(family === 4 ? '0.0.0.0/0' : '::/0', gateway, {
          index: ifName === 'net1' ? 3 : 4,
          priority: i * 100,
        }),
      ),
    ),
  });
  return { netns, record: aRecord({ attachments, defaultRoutes }) };
}

test('a gateway that cannot be set is told, and the plan of those who stay is kept all the same', async () => {
  const { netns, record } = aPod(NODE, asking('net1', '10.1.0.1'));
  netns.addRoute = async () => {
    throw new Error('ENETUNREACH');
  };
  const { code, message } = await laterRefusal(() => replanDefaultRoutes(record, [NODE], netns.asNetns));
  assert.is(code, 102);
  assert.match(message, 'via 10.0.0.1 on interface "eth0": ENETUNREACH');
  assert.equal(record.defaultRoutes, []);
});

// A pod without a default route is cut off, although its default network is there.
test('the default network gets its own default routes back when nobody asks for others any more', async () => {
  const { netns, record } = aPod(NODE, asking('net1', '10.1.0.1', 'fd01::1'));
  await replanDefaultRoutes(record, [NODE], netns.asNetns);
  assert.equal(record.defaultRoutes, []);
  assert.equal(netns.changes, ['clear 4', 'add 0.0.0.0/0 via 10.0.0.1 dev 2', 'clear 6', 'add ::/0 via fd00::9 dev 2']);
});

test('what others ask for stays, in its order', async () => {
  const { netns, record } = aPod(NODE, asking('net1', '10.1.0.1'), asking('net2', '10.2.0.1'));
  await replanDefaultRoutes(record, [NODE, asking('net2', '10.2.0.1')], netns.asNetns);
  assert.equal(record.defaultRoutes, [{ family: 4, gateways: [{ gateway: '10.2.0.1', ifName: 'net2' }] }]);
  assert.equal(netns.changes, ['clear 4', 'add 0.0.0.0/0 via 10.2.0.1 dev 4']);
});

test('a pod that was asked to have no default route does not get one back', async () => {
  const { netns, record } = aPod(NODE, asking('net1'), asking('net2', '10.2.0.1'));
  await replanDefaultRoutes(record, [NODE, asking('net1')], netns.asNetns);
  assert.equal(record.defaultRoutes, [
    { family: 4, gateways: [] },
    { family: 6, gateways: [] },
  ]);
  assert.equal(netns.changes, ['clear 4']);
});

// Every connection of the pod would break for a moment, each time a network comes or goes.
test('routes that are right are not taken away for a moment', async () => {
  const { netns, record } = aPod(NODE, asking('net1', '10.1.0.1'), anAttachment({ ifName: 'net2' }));
  await replanDefaultRoutes(record, [NODE, asking('net1', '10.1.0.1')], netns.asNetns);
  await ensureDefaultRoutes(netns.asNetns, record.defaultRoutes);
  assert.equal(netns.changes, []);
});

test('a container without a default network, or without its namespace, is replanned without harm', async () => {
  const { netns, record } = aPod(asking('net1', '10.1.0.1'), anAttachment({ ifName: 'net2' }));
  await replanDefaultRoutes(record, [anAttachment({ ifName: 'net2' })], netns.asNetns);
  assert.equal([netns.changes, record.defaultRoutes], [['clear 4'], []]);
  const gone = aPod(NODE, asking('net1', '10.1.0.1'));
  await replanDefaultRoutes(gone.record, [NODE], undefined);
  assert.equal(gone.record.defaultRoutes, []);
});

test.run();
