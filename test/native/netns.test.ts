/**
 * Opening network namespaces and sockets in them. A user loses: a pod's link renamed on the host when a socket is bound
 * to the wrong namespace, or an unreadable error when the runtime hands over a wrong path.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../src/node/native.ts';
import { Netns } from '../../src/node/netns.ts';
import { kernelTest } from './kernel-test.ts';
import { failureOf, ScratchNetns } from './scratch-netns.ts';

test('openNetns() names the path that has vanished', async () => {
  const error = await failureOf(() => native().openNetns('/run/netns/no-such-namespace'));
  assert.is(error.code, 'ENOENT');
  assert.is(error.syscall, 'openat');
  assert.is(error.path, '/run/netns/no-such-namespace');
  assert.is(error.message, 'openat /run/netns/no-such-namespace: ENOENT, No such file or directory');
});

test('openNetns() refuses a mount namespace and says so', async () => {
  const error = await failureOf(() => native().openNetns('/proc/self/ns/mnt'));
  assert.is(error.code, 'EINVAL');
  assert.is(error.detail, 'is a mount namespace, not a network namespace');
  assert.match(error.message, 'is a mount namespace');
});

test('openNetns() refuses files and folders and says what they are', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'multus-netns-'));
  try {
    const file = join(folder, 'file');
    writeFileSync(file, 'not a namespace');
    assert.is((await failureOf(() => native().openNetns(file))).detail, 'is not a namespace file');
    // What a reboot leaves of /run/netns/x on a persistent disk: the mount point without the mount.
    writeFileSync(file, '');
    assert.match((await failureOf(() => native().openNetns(file))).detail ?? '', 'is gone');
    assert.match((await failureOf(() => native().openNetns(folder))).detail ?? '', 'is a directory');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('openNetns() gives the identity that stat() gives', () => {
  const netns = native().openNetns('/proc/self/ns/net');
  const status = statSync('/proc/self/ns/net', { bigint: true });
  closeSync(netns.fd);
  assert.is(netns.ino, status.ino);
  assert.is(netns.dev, status.dev);
});

test('openSocket() refuses an fd that is no namespace', async () => {
  const error = await failureOf(() => native().openSocket(0));
  assert.is(error.syscall, 'setns');
});

test('enterNetns() refuses an fd that is no namespace', async () => {
  const error = await failureOf(() => native().enterNetns(0));
  assert.is(error.syscall, 'setns');
});

kernelTest('enterNetns() gives a socket of the namespace, with the number that it has for all', async (netns) => {
  netns.addVeth('scratch0', 'scratch1');
  const { fd } = native().openNetns(netns.path);
  const { socket, cookie } = await native().enterNetns(fd);
  closeSync(fd);
  try {
    assert.ok((await native().listLinks(socket)).some((link) => link.name === 'scratch0'));
    assert.is(cookie, native().netnsCookie(netns.socket));
  } finally {
    closeSync(socket);
  }
});

kernelTest('openNetns() tells two namespaces apart', (netns) => {
  const own = native().openNetns('/proc/self/ns/net');
  const other = native().openNetns(netns.path);
  closeSync(own.fd);
  closeSync(other.fd);
  assert.is.not(own.ino, other.ino);
  assert.match(readlinkSync(`/proc/self/ns/net`), String(own.ino));
});

kernelTest('openSocket() stays bound to its namespace and leaves every thread where it is', async (netns) => {
  netns.addVeth('scratch0', 'scratch1');
  const before = readlinkSync('/proc/self/ns/net');
  const own = native().openSocket(-1);
  try {
    // More calls than the pool has threads: a thread left behind in the namespace would answer for the host.
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) => native().listLinks(i % 2 === 0 ? netns.socket : own)),
    );
    answers.forEach((links, i) => {
      const found = links.some((link) => link.name === 'scratch0');
      assert.is(found, i % 2 === 0);
    });
  } finally {
    closeSync(own);
  }
  assert.is(readlinkSync('/proc/self/ns/net'), before);
  assert.is(readlinkSync('/proc/thread-self/ns/net'), before);
});

kernelTest('a socket serves many calls at once', async (netns) => {
  const index = netns.addVeth('scratch0', 'scratch1');
  const links = await Promise.all(Array.from({ length: 64 }, () => native().getLink(netns.socket, index)));
  assert.ok(links.every((link) => link.name === 'scratch0'));
});

// DEL would be run in a namespace that has another path by now, or none.
kernelTest(
  'a namespace knows whether its path still leads to it; to close it twice closes nothing else',
  async (netns) => {
    const opened = await Netns.open(netns.path);
    assert.ok(opened.isAt(netns.path));
    assert.not(opened.isAt(netns.path.replace('/run', '/var/run')), 'plugins get the path as it was');
    const other = new ScratchNetns();
    execFileSync('mount', ['--bind', other.path, netns.path]);
    assert.not(opened.isAt(netns.path));
    execFileSync('umount', [netns.path]);
    assert.ok(opened.isAt(netns.path));
    other.remove();
    opened.close();
    const next = await Netns.open(netns.path);
    opened.close();
    assert.ok((await next.links()).length > 0, 'its descriptors have the numbers of those that were closed');
    next.close();
    netns.remove();
    assert.not(next.isAt(netns.path));
  },
);

test.run();
