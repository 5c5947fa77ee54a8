/**
 * Arguments and errors of the addon. A user loses: an error that says nothing, or worse, a change made to another link
 * than the one meant.
 */
import { closeSync, openSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../src/node/native.ts';
import { kernelTest } from './kernel-test.ts';
import { failureOf } from './scratch-netns.ts';

// biome-ignore lint/suspicious/noExplicitAny: these calls are wrong on purpose.
const addon = native() as any;

const wrong: [string, () => unknown, string][] = [
  ['openNetns', () => addon.openNetns(), 'path'],
  ['openNetns', () => addon.openNetns('/run/netns/a\0b'), 'path'],
  ['openSocket', () => addon.openSocket('3'), 'netnsFd'],
  ['openSocket', () => addon.openSocket(-2), 'netnsFd'],
  ['enterNetns', () => addon.enterNetns(-1), 'netnsFd'],
  ['listLinks', () => addon.listLinks(), 'socket'],
  ['listLinks', () => addon.listLinks(1.5), 'socket'],
  ['listLinks', () => addon.listLinks(Number.NaN), 'socket'],
  ['getLink', () => addon.getLink(3, {}), 'by'],
  // Index 0 is "look it up by name" to the kernel: never let through.
  ['getLink', () => addon.getLink(3, 0), 'by'],
  ['renameLink', () => addon.renameLink(3, 0, 'x'), 'index'],
  ['renameLink', () => addon.renameLink(3, 2 ** 31, 'x'), 'index'],
  ['renameLink', () => addon.renameLink(3, 1, 7), 'name'],
  ['setLinkUp', () => addon.setLinkUp(3, 1, 1), 'up'],
  ['setLinkMtu', () => addon.setLinkMtu(3, 1, -1), 'mtu'],
  ['setLinkMac', () => addon.setLinkMac(3, 1), 'mac'],
  ['addAltName', () => addon.addAltName(3, 1, null), 'name'],
  ['deleteAltName', () => addon.deleteAltName(3, 1, undefined), 'name'],
  ['deleteLink', () => addon.deleteLink(3, '1'), 'index'],
  ['addAddress', () => addon.addAddress(3, 1, []), 'cidr'],
  ['addRoute', () => addon.addRoute(3, null), 'route'],
  ['addRoute', () => addon.addRoute(3, { family: 5, dst: '::/0', index: 1 }), 'family'],
  ['addRoute', () => addon.addRoute(3, { family: 6, index: 1 }), 'dst'],
  ['addRoute', () => addon.addRoute(3, { family: 6, dst: '::/0' }), 'index'],
  ['addRoute', () => addon.addRoute(3, { family: 6, dst: '::/0', index: 1, mtu: 'x' }), 'mtu'],
  ['deleteDefaultRoutes', () => addon.deleteDefaultRoutes(3, 10), 'family'],
  ['setRouteMetric', () => addon.setRouteMetric(3, 'default', 100), 'route'],
  ['setRouteMetric', () => addon.setRouteMetric(3, { family: 4, dst: '0.0.0.0/0', index: 1 }, 100), 'gateway'],
  ['getVfs', () => addon.getVfs(3, -1), 'index'],
  // -1 is "the socket's own" to nobody: an answer of the wrong namespace must not come of it.
  ['getVfs', () => addon.getVfs(3, 1, -1), 'nsid'],
  ['listLinks', () => addon.listLinks(3, null), 'nsid'],
  ['netnsId', () => addon.netnsId(3, -1), 'netnsFd'],
  ['moveLink', () => addon.moveLink(3, 0, 4, 'x'), 'index'],
  ['moveLink', () => addon.moveLink(3, 1, -1, 'x'), 'netnsFd'],
  ['moveLink', () => addon.moveLink(3, 1, 4), 'name'],
  ['setVf', () => addon.setVf(3, 1, -1, { vlan: 1 }), 'vf'],
  ['setVf', () => addon.setVf(3, 1, 0), 'change'],
  ['setVf', () => addon.setVf(3, 1, 0, {}), 'change'],
  // Two at once would be applied in the kernel's order, and in part.
  ['setVf', () => addon.setVf(3, 1, 0, { vlan: 1, trust: true }), 'change'],
  // The kernel would take 65746 for 210, and 258 for 2.
  ['setVf', () => addon.setVf(3, 1, 0, { vlan: 65746 }), 'vlan'],
  ['setVf', () => addon.setVf(3, 1, 0, { vlan: 1, qos: 258 }), 'qos'],
  ['setVf', () => addon.setVf(3, 1, 0, { vlan: 1, protocol: '802.1q' }), 'protocol'],
  ['setVf', () => addon.setVf(3, 1, 0, { maxTxRate: 5 }), 'minTxRate'],
  ['setVf', () => addon.setVf(3, 1, 0, { trust: 1 }), 'trust'],
  ['setVf', () => addon.setVf(3, 1, 0, { linkState: 3 }), 'linkState'],
  ['setVf', () => addon.setVf(3, 1, 0, { mac: null }), 'mac'],
  ['placeFile', () => addon.placeFile('/x\0', '/y', Buffer.from(''), 0o600), 'draft'],
  ['placeFile', () => addon.placeFile('/x', null, Buffer.from(''), 0o600), 'path'],
  ['placeFile', () => addon.placeFile('/x', '/y', 'text', 0o600), 'content'],
  ['placeFile', () => addon.placeFile('/x', '/y', Buffer.from(''), 0o10000), 'mode'],
  ['placeFile', () => addon.placeFile('/x', '/y', Buffer.from(''), 0o600, 1), 'durable'],
  ['placeFile', () => addon.placeFile('/x', '/y', Buffer.from(''), 0o600, true), 'kept'],
  ['syncFile', () => addon.syncFile(1, ''), 'path'],
  ['syncFile', () => addon.syncFile('/x'), 'obsolete'],
];

for (const [name, call, argument] of wrong) {
  test(`${name}() names the wrong argument "${argument}": ${String(call).slice(12)}`, () => {
    assert.throws(call, (error: Error) => {
      assert.instance(error, TypeError);
      assert.match(error.message, `"${argument}"`);
      return true;
    });
  });
}

test('an fd that is no netlink socket is refused by every call', async () => {
  const fd = openSync('/dev/null', 'r');
  const error = await failureOf(() => native().listLinks(fd));
  closeSync(fd);
  assert.is(error.code, 'ENOTSOCK');
  assert.is(error.syscall, 'getsockname');
  const closed = await failureOf(() => native().snapshot(1_000_000));
  assert.is(closed.code, 'EBADF');
});

test('unset and undefined properties of a route are the same', async () => {
  const fd = openSync('/dev/null', 'r');
  const route = { family: 4, dst: '10.0.0.0/8', index: 1, gateway: undefined, mtu: undefined, onlink: undefined };
  assert.is((await failureOf(() => addon.addRoute(fd, route))).code, 'ENOTSOCK');
  closeSync(fd);
});

kernelTest('an error has the shape of Node and the words of the kernel', async (netns) => {
  const index = netns.addVeth('eth0', 'peer0');
  const error = await failureOf(() => native().renameLink(netns.socket, index, 'peer0'));
  assert.instance(error, Error);
  assert.is(error.errno, -17);
  assert.is(error.code, 'EEXIST');
  assert.is(error.syscall, 'RTM_SETLINK');
  assert.is(error.ifname, 'peer0');
  assert.is(error.message, 'RTM_SETLINK peer0: EEXIST, File exists');
  const worded = await failureOf(() => native().setLinkMtu(netns.socket, index, 9));
  assert.equal(Object.keys(worded).sort(), ['code', 'detail', 'errno', 'ifname', 'syscall']);
  assert.match(worded.message, `(${worded.detail})`);
});

test.run();
