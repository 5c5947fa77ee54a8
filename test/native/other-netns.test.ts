/**
 * Asking about another namespace by its number, and moving links there, on the real kernel. A user loses: the links of
 * one pod taken for those of another; a VF that was to come back to the host and is in neither place.
 */
import { closeSync, openSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../src/node/native.ts';
import { kernelTest } from './kernel-test.ts';
import { failureOf, ScratchNetns } from './scratch-netns.ts';

/** A test with two namespaces, and an fd of the second. */
function twoNetnsTest(
  name: string,
  body: (here: ScratchNetns, there: ScratchNetns, fd: number) => Promise<void>,
): void {
  kernelTest(name, async (here) => {
    const there = new ScratchNetns();
    const { fd } = native().openNetns(there.path);
    try {
      await body(here, there, fd);
    } finally {
      closeSync(fd);
      there.remove();
    }
  });
}

const namesIn = (netns: ScratchNetns): string[] => netns.ipJson('link show').map((link) => link.ifname);

twoNetnsTest('netnsId() refuses an fd that is no namespace', async (here) => {
  const fd = openSync('/dev/null', 'r');
  try {
    const error = await failureOf(() => native().netnsId(here.socket, fd));
    assert.is(error.code, 'EINVAL');
    assert.is(error.syscall, 'RTM_GETNSID');
  } finally {
    closeSync(fd);
  }
});

twoNetnsTest('netnsId() gives a namespace one number for good, which ip knows too', async (here, there, fd) => {
  const ids = await Promise.all(Array.from({ length: 8 }, () => native().netnsId(here.socket, fd)));
  assert.is(new Set(ids).size, 1);
  assert.is(await native().netnsId(here.socket, fd), ids[0]);
  const listed = here.ipJson('netns list-id').find((one) => one.nsid === ids[0]);
  assert.is(listed?.name, there.name);
});

twoNetnsTest('netnsId() takes the number that a moved link brought about', async (here, there, fd) => {
  here.addVeth('eth0', 'peer0');
  here.ip(`link set peer0 netns ${there.name}`);
  assert.is(await native().netnsId(here.socket, fd), (await native().getLink(here.socket, 'eth0')).parentNsid);
});

twoNetnsTest('listLinks() of another namespace says what its own socket says', async (here, there, fd) => {
  here.addVeth('only-here', 'peer0');
  there.addVeth('eth0', 'peer0');
  for (let i = 0; i < 100; i++) there.ip(`link add bridge${i} type bridge`);
  const nsid = await native().netnsId(here.socket, fd);
  const links = await native().listLinks(here.socket, nsid);
  assert.is(links.length, 103);
  assert.equal(links, await native().listLinks(there.socket));
  assert.is.not((await native().listLinks(here.socket)).length, links.length);
});

twoNetnsTest('a number that no namespace has is an error, never an empty list', async (here) => {
  for (const ask of [() => native().listLinks(here.socket, 4711), () => native().getVfs(here.socket, 1, 4711)]) {
    const error = await failureOf(ask);
    assert.is(error.code, 'EINVAL');
    assert.match(error.message, /no namespace has the number 4711|Invalid target network namespace id/);
  }
});

twoNetnsTest('getVfs() asks in the other namespace', async (here, there, fd) => {
  const index = there.addVeth('eth0', 'peer0');
  const nsid = await native().netnsId(here.socket, fd);
  assert.is((await native().getVfs(here.socket, index, nsid)).numVfs, null);
  // Here no link has that index: the answer would have to come from there.
  assert.is((await failureOf(() => native().getVfs(here.socket, index))).code, 'ENODEV');
  assert.is((await failureOf(() => native().getVfs(here.socket, 4711, nsid))).detail, 'no link has index 4711');
});

twoNetnsTest('moveLink() moves and renames, whether or not the old name is free there', async (here, there, fd) => {
  const free = here.addVeth('eth0', 'peer0');
  await native().moveLink(here.socket, free, fd, 'host0');
  there.ip('link add eth1 type bridge');
  const taken = here.addVeth('eth1', 'peer1');
  await native().moveLink(here.socket, taken, fd, 'host1');
  assert.equal(namesIn(there).sort(), ['eth1', 'host0', 'host1', 'lo']);
  assert.equal(namesIn(here).sort(), ['lo', 'peer0', 'peer1']);
  assert.is((await native().getLink(there.socket, 'host0')).up, false);
});

// Left to itself, the kernel moves the link and then says EEXIST: a VF would be back on the host under a pod's name.
twoNetnsTest('moveLink() moves nothing when the name is taken, as alternative name too', async (here, there, fd) => {
  const index = here.addVeth('eth0', 'peer0');
  here.ip('link property add dev eth0 altname own-alt');
  there.ip('link add host0 type bridge');
  there.ip('link property add dev host0 altname host-alt');
  const refusals: [string, RegExp][] = [
    ['host0', /a link there has it; eth0 was not moved/],
    ['host-alt', /host0 there has it as well; eth0 was not moved/],
    ['own-alt', /an alternative name of eth0 itself/],
    ['lo', /a link there has it/],
  ];
  for (const [name, detail] of refusals) {
    const error = await failureOf(() => native().moveLink(here.socket, index, fd, name));
    assert.is(error.code, 'EEXIST', name);
    assert.is(error.ifname, name);
    assert.match(error.detail ?? '', detail);
  }
  assert.is((await native().getLink(here.socket, index)).name, 'eth0');
  assert.equal(namesIn(there).sort(), ['host0', 'lo']);
});

twoNetnsTest('moveLink() refuses impossible names before it moves', async (here, there, fd) => {
  const index = here.addVeth('eth0', 'peer0');
  const names = ['', '.', '..', 'all', 'default', 'a/b', 'a:b', 'a b', 'a\tb', 'net%d'];
  for (const name of names) {
    assert.is((await failureOf(() => native().moveLink(here.socket, index, fd, name))).code, 'EINVAL', name);
  }
  const long = await failureOf(() => native().moveLink(here.socket, index, fd, 'sixteen-bytes-xx'));
  assert.is(long.code, 'ERANGE');
  assert.is((await native().getLink(here.socket, index)).name, 'eth0');
  assert.equal(namesIn(there), ['lo']);
});

twoNetnsTest('moveLink() says that a link stayed which may not leave', async (here, _there, fd) => {
  const error = await failureOf(() => native().moveLink(here.socket, 1, fd, 'lo9'));
  assert.is(error.code, 'EINVAL');
  assert.is(error.ifname, 'lo');
  assert.match(error.detail ?? '', 'the link was not moved');
  const missing = await failureOf(() => native().moveLink(here.socket, 4711, fd, 'net1'));
  assert.is(missing.code, 'ENODEV');
});

twoNetnsTest('moveLink() to where the link is already is a rename', async (here) => {
  const index = here.addVeth('eth0', 'peer0');
  here.ip('link set eth0 down'); // Kernels up to 6.1 rename only then.
  const { fd } = native().openNetns(here.path);
  try {
    await native().moveLink(here.socket, index, fd, 'net1');
  } finally {
    closeSync(fd);
  }
  assert.is((await native().getLink(here.socket, index)).name, 'net1');
});

test.run();
