/**
 * Links of a pod's namespace on the real kernel. A user loses: an interface under the wrong name, or one that multus
 * believes to be there and is not.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../src/node/native.ts';
import { kernelTest } from './kernel-test.ts';
import { failureOf } from './scratch-netns.ts';

kernelTest('getLink() refuses names of no link', async (netns) => {
  netns.addVeth('eth0', 'peer0');
  netns.ip('link property add dev eth0 altname other-name');
  const missing = await failureOf(() => native().getLink(netns.socket, 'eth1'));
  assert.is(missing.code, 'ENODEV');
  assert.is(missing.ifname, 'eth1');
  // The kernel would find eth0 by its alternative name: a delegate that created no "other-name" would pass as good.
  const alternative = await failureOf(() => native().getLink(netns.socket, 'other-name'));
  assert.is(alternative.code, 'ENODEV');
  assert.match(alternative.detail ?? '', 'alternative name of eth0');
  for (const name of ['', 'sixteen-bytes-xx', 'x'.repeat(200)]) {
    assert.is((await failureOf(() => native().getLink(netns.socket, name))).code, 'ENODEV');
  }
  const index = await failureOf(() => native().getLink(netns.socket, 4711));
  assert.is(index.code, 'ENODEV');
  assert.match(index.message, 'no link has index 4711');
});

kernelTest('getLink() and listLinks() say what iproute2 says', async (netns) => {
  netns.addVeth('eth0', 'peer0');
  netns.ip('link add bridge0 type bridge');
  netns.ip('link set peer0 master bridge0');
  netns.ip('link add macvlan0 link eth0 mtu 1400 type macvlan mode bridge');
  netns.ip('link property add dev eth0 altname first altname second');
  const links = await native().listLinks(netns.socket);
  const wanted = netns.ipJson('link show');
  assert.is(links.length, wanted.length);
  for (const want of wanted) {
    const link = links.find((one) => one.index === want.ifindex);
    assert.ok(link, want.ifname);
    assert.is(link.name, want.ifname);
    assert.is(link.mac, want.address);
    assert.is(link.mtu, want.mtu);
    assert.is(link.kind, want.linkinfo?.info_kind ?? '');
    assert.is(link.up, want.flags.includes('UP'));
    assert.equal(link.altNames, want.altnames ?? []);
    assert.is(link.parentNsid, -1);
    const named = (index: number) => wanted.find((one) => one.ifindex === index)?.ifname;
    assert.is(named(link.parentIndex), want.link);
    assert.is(named(link.masterIndex), want.master);
    assert.equal(await native().getLink(netns.socket, want.ifindex), link);
    assert.equal(await native().getLink(netns.socket, want.ifname), link);
  }
});

kernelTest('getLink() tells a peer in another namespace from a link here', async (netns) => {
  netns.addVeth('eth0', 'peer0');
  netns.ip(`link set peer0 netns ${process.pid}`); // Our own namespace; deleted with eth0.
  const link = await native().getLink(netns.socket, 'eth0');
  assert.ok(link.parentNsid >= 0);
  await native().deleteLink(netns.socket, link.index);
});

kernelTest('renameLink() refuses names that are taken or impossible and changes nothing', async (netns) => {
  const index = netns.addVeth('eth0', 'peer0');
  netns.ip('link property add dev eth0 altname own-alt');
  netns.ip('link property add dev peer0 altname peer-alt');
  const refusals: [string, string][] = [
    ['peer0', 'EEXIST'],
    ['peer-alt', 'EEXIST'],
    ['own-alt', 'EEXIST'],
    ['sixteen-bytes-xx', 'ERANGE'],
    ['', 'EINVAL'],
    ['eth%d', 'EINVAL'], // A template: the kernel would pick a name of its own.
    ['a/b', 'EINVAL'],
    ['..', 'EINVAL'],
  ];
  for (const [name, code] of refusals) {
    const error = await failureOf(() => native().renameLink(netns.socket, index, name));
    assert.is(error.code, code, name);
    assert.is(error.syscall, 'RTM_SETLINK');
  }
  assert.is((await native().getLink(netns.socket, index)).name, 'eth0');
  const gone = await failureOf(() => native().renameLink(netns.socket, 4711, 'net1'));
  assert.is(gone.code, 'ENODEV');
});

kernelTest('renameLink() keeps index, addresses and routes of a link that is up', async (netns) => {
  const index = netns.addVeth('eth0', 'peer0');
  netns.ip('addr add 10.1.0.2/24 dev eth0');
  netns.ip('route add default via 10.1.0.1 dev eth0');
  const { wentDown } = await native().renameLink(netns.socket, index, 'fifteen-bytes-x');
  assert.type(wentDown, 'boolean');
  const link = await native().getLink(netns.socket, 'fifteen-bytes-x');
  assert.is(link.index, index);
  assert.ok(link.up);
  if (wentDown) return; // Linux <= 6.1: then routes may be lost, which is what the flag says.
  assert.is(netns.ipJson('route show default')[0].dev, 'fifteen-bytes-x');
});

kernelTest('renameLink() leaves a link that is down where it is', async (netns) => {
  const index = netns.addVeth('eth0', 'peer0');
  netns.ip('link set eth0 down');
  assert.equal(await native().renameLink(netns.socket, index, 'net1'), { wentDown: false });
  assert.is((await native().getLink(netns.socket, 'net1')).up, false);
});

kernelTest('setLinkUp() sets and clears IFF_UP only', async (netns) => {
  const index = netns.addVeth('eth0', 'peer0');
  const before = await native().getLink(netns.socket, index);
  await native().setLinkUp(netns.socket, index, false);
  const down = await native().getLink(netns.socket, index);
  assert.is(down.up, false);
  await native().setLinkUp(netns.socket, index, true);
  const after = await native().getLink(netns.socket, index);
  assert.ok(after.up);
  const CONFIGURED = 0x1 | 0x2 | 0x100 | 0x1000; // UP, BROADCAST, PROMISC, MULTICAST
  assert.is(after.flags & CONFIGURED, before.flags & CONFIGURED);
});

kernelTest('setLinkMtu() hands on the limit that the driver names', async (netns) => {
  const index = netns.addVeth('eth0', 'peer0');
  const error = await failureOf(() => native().setLinkMtu(netns.socket, index, 9));
  assert.is(error.code, 'EINVAL');
  assert.is(error.ifname, 'eth0');
  assert.is(error.detail, 'mtu less than device minimum');
  assert.is(error.message, 'RTM_SETLINK eth0: EINVAL, Invalid argument (mtu less than device minimum)');
  await native().setLinkMtu(netns.socket, index, 1400);
  assert.is((await native().getLink(netns.socket, index)).mtu, 1400);
});

kernelTest('setLinkMac() refuses what the kernel would cut to size', async (netns) => {
  const index = netns.addVeth('eth0', 'peer0');
  const before = await native().getLink(netns.socket, index);
  for (const mac of ['', 'eth0', '02:00:00:00:00', '02:00:00:00:00:01:02:03', '02:00:00:00:00:0g']) {
    const error = await failureOf(() => native().setLinkMac(netns.socket, index, mac));
    assert.is(error.code, 'EINVAL', mac);
  }
  assert.is((await native().getLink(netns.socket, index)).mac, before.mac);
  await native().setLinkMac(netns.socket, index, '02:AA:00:00:00:01');
  assert.is((await native().getLink(netns.socket, index)).mac, '02:aa:00:00:00:01');
  const multicast = await failureOf(() => native().setLinkMac(netns.socket, index, '01:00:00:00:00:01'));
  assert.is(multicast.code, 'EADDRNOTAVAIL');
});

kernelTest('addAltName() and deleteAltName() change the list', async (netns) => {
  const index = netns.addVeth('eth0', 'peer0');
  const long = 'an-alternative-name-longer-than-fifteen-bytes';
  await native().addAltName(netns.socket, index, long);
  assert.equal((await native().getLink(netns.socket, index)).altNames, [long]);
  assert.is((await failureOf(() => native().addAltName(netns.socket, index, 'peer0'))).code, 'EEXIST');
  await native().deleteAltName(netns.socket, index, long);
  assert.equal((await native().getLink(netns.socket, index)).altNames, []);
  const error = await failureOf(() => native().deleteAltName(netns.socket, index, long));
  assert.is(error.syscall, 'RTM_DELLINKPROP');
  assert.is(error.ifname, 'eth0');
});

kernelTest('deleteLink() deletes a pair and refuses what cannot go', async (netns) => {
  const index = netns.addVeth('eth0', 'peer0');
  await native().deleteLink(netns.socket, index);
  assert.equal(
    (await native().listLinks(netns.socket)).map((link) => link.name),
    ['lo'],
  );
  assert.is((await failureOf(() => native().deleteLink(netns.socket, index))).code, 'ENODEV');
  assert.is((await failureOf(() => native().deleteLink(netns.socket, 1))).code, 'EOPNOTSUPP');
});

kernelTest('listLinks() is whole while links come and go', async (netns) => {
  // Dumps race with changes on every busy node; an interrupted one must be repeated, not believed.
  for (let i = 0; i < 60; i++) netns.ip(`link add stay${i} type bridge`);
  const changer = spawn('ip', ['-n', netns.name, '-batch', '-'], { stdio: ['pipe', 'ignore', 'inherit'] });
  let running = true;
  const ended = once(changer, 'exit').then(() => {
    running = false;
  });
  changer.stdin.end('link add comes type bridge\nlink del comes\n'.repeat(100));
  let lists = 0;
  while (running) {
    const links = await native().listLinks(netns.socket);
    assert.is(links.filter((link) => link.name.startsWith('stay')).length, 60);
    lists++;
  }
  await ended;
  assert.ok(lists > 10, `only ${lists} lists were taken while links changed`);
});

kernelTest('getVfs() of a link without VFs is an empty list, not an error', async (netns) => {
  const index = netns.addVeth('eth0', 'peer0');
  assert.equal(await native().getVfs(netns.socket, index), {
    numVfs: null,
    queryable: true,
    truncated: false,
    vfs: [],
  });
  assert.is((await failureOf(() => native().getVfs(netns.socket, 4711))).code, 'ENODEV');
});

test.run();
