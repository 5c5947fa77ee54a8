/** What `sriov verify --fix` does to the kernel, and what it refuses: another pod may have got the device meanwhile. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../src/node/native.ts';
import { applyFix } from '../../src/sriov/apply-fix.ts';
import type { PlacedLink } from '../../src/sriov/model.ts';
import { processesIn } from '../../src/sriov/netns-users.ts';
import { withVfLock } from '../../src/sriov/vf-lock.ts';
import { kernelTest } from './kernel-test.ts';
import { failureOf, ScratchNetns } from './scratch-netns.ts';

const directory = mkdtempSync(join(tmpdir(), 'multus-fix-'));
test.after(() => rmSync(directory, { recursive: true }));

const HOST_NAME = `mnfix${process.pid}`;

/** A link in the namespace, as the inventory has it. */
async function place(netns: ScratchNetns): Promise<PlacedLink> {
  netns.ip('link add net1 type veth peer name peer0');
  const { fd, dev, ino } = native().openNetns(netns.path);
  closeSync(fd);
  const link = await native().getLink(netns.socket, 'net1');
  return { netns: { dev: String(dev), ino: String(ino), path: netns.path, isHost: false }, link };
}

const namesIn = (netns: ScratchNetns): string[] =>
  netns
    .ipJson('link show')
    .map(({ ifname }) => ifname)
    .sort();

const act = (action: Parameters<typeof applyFix>[0]) => applyFix(action, { sriovDir: directory });

kernelTest('applyFix() brings a link home under its name', async (netns) => {
  await act({ kind: 'move-to-host', place: await place(netns), name: HOST_NAME });
  assert.equal(namesIn(netns), ['lo', 'peer0']);
  assert.is(spawnSync('ip', ['link', 'del', HOST_NAME]).status, 0);
});

kernelTest('applyFix() renames a link', async (netns) => {
  await act({ kind: 'rename', place: await place(netns), name: 'eth7' });
  assert.equal(namesIn(netns), ['eth7', 'lo', 'peer0']);
});

// A pod would lose its interface while it runs.
kernelTest('applyFix() takes no link from a namespace in which a program runs', async (netns) => {
  const at = await place(netns);
  assert.equal(processesIn(at.netns), []);
  const program = spawn('nsenter', [`--net=${netns.path}`, 'sh', '-c', 'echo; read _'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(program.stdout, 'data');
  assert.equal(processesIn(at.netns), [program.pid]);
  const { message } = await failureOf(() => act({ kind: 'move-to-host', place: at, name: HOST_NAME }));
  const who = `a program (process ${program.pid}) runs in ${netns.path}`;
  assert.is(message, `not done: ${who}, and may use net1: its pod lives; look again`);
  const ofPf = await failureOf(() => act({ kind: 'set-vf', pf: at, vf: 3, settings: { vlan: 0 }, places: [] }));
  assert.is(ofPf.message, message, 'nor sets VFs of a PF that is there');
  program.stdin.end('\n');
  await once(program, 'exit');
  assert.equal(namesIn(netns), ['lo', 'net1', 'peer0']);
});

// The index of a VF that went is soon another's.
kernelTest('applyFix() refuses a link that is another one by now, or gone', async (netns) => {
  const at = await place(netns);
  netns.ip('link set net1 address 02:00:00:00:00:77');
  const changed = await failureOf(() => act({ kind: 'rename', place: at, name: 'eth7' }));
  assert.match(changed.message, `not done: net1 (${at.link.mac}) in ${netns.path} is net1 (02:00:00:00:00:77) by now`);
  netns.ip('link del net1');
  const gone = await failureOf(() => act({ kind: 'rename', place: at, name: 'eth7' }));
  assert.is(gone.message, `not done: net1 is not in ${netns.path} any more; look again`);
});

// Paths of namespaces are given anew: the pod of the same name has another one.
kernelTest('applyFix() refuses a namespace that is another one by now, or gone', async (netns) => {
  const { link, netns: found } = await place(netns);
  const other = await failureOf(() =>
    act({ kind: 'rename', place: { link, netns: { ...found, ino: '1' } }, name: 'eth7' }),
  );
  assert.is(other.message, `not done: ${netns.path} is another network namespace by now; look again`);
  const absent = { ...found, path: '/run/netns/absent' };
  const gone = await failureOf(() => act({ kind: 'rename', place: { link, netns: absent }, name: 'eth7' }));
  assert.match(gone.message, 'not done: the network namespace /run/netns/absent cannot be opened any more');
});

kernelTest('applyFix() refuses to set a VF that the PF does not have', async (netns) => {
  const pf = await place(netns);
  const { message } = await failureOf(() => act({ kind: 'set-vf', pf, vf: 3, settings: { vlan: 0 }, places: [] }));
  assert.is(message, 'not done: net1 reports no VF 3 any more; look again');
});

// A VF that the host itself uses would fall out of its VLAN, and maybe the operator out of the host.
kernelTest('applyFix() does not set a VF that the host uses', async (netns) => {
  const pf = await place(netns);
  const other = new ScratchNetns();
  netns.ip(`link set peer0 netns ${other.name}`);
  const set = () => act({ kind: 'set-vf', pf, vf: 3, settings: { vlan: 0 }, places: [pf] });
  const uses: [string, string, string][] = [
    [
      'address add 10.9.8.7/24 dev net1',
      'net1 has the address 10.9.8.7: the host itself uses it',
      'address flush dev net1',
    ],
    ['link add br0 type bridge', '', 'link set net1 master br0'],
    ['link show br0', 'net1 is a part of br0', 'link set net1 nomaster'],
    ['link add mac0 link net1 type macvlan', 'mac0 is on top of net1', 'link del mac0'],
    ['link show net1', 'net1 reports no VF 3 any more', 'link show net1'],
  ];
  for (const [use, why, end] of uses) {
    netns.ip(use);
    if (why !== '') assert.is((await failureOf(set)).message, `not done: ${why}; look again`);
    netns.ip(end);
  }
  other.remove();
});

// A claim's origin is a path from elsewhere: it must not make us remove any file of the node.
test('applyFix() removes files of sriov-cni, and no others', async () => {
  const write = (name: string): string => {
    mkdirSync(join(directory, 'pci'), { recursive: true });
    writeFileSync(join(directory, name), '');
    return join(directory, name);
  };
  for (const path of [write('c1-net1'), write('pci/0000:01:10.0')]) {
    await act({ kind: 'remove-file', path });
    assert.not.ok(existsSync(path));
    const again = await failureOf(() => act({ kind: 'remove-file', path }));
    assert.is(again.message, `not done: ${path} is gone already; look again`);
  }
  const kept = [
    write('other'),
    write('pci/eth0'),
    `${directory}/pci/../other-x`,
    '/etc/c1-net1',
    `${directory}/a/c1-net1`,
  ];
  for (const path of kept) {
    const { message } = await failureOf(() => act({ kind: 'remove-file', path }));
    assert.is(message, `not done: ${path} is no file of sriov-cni in ${directory}; look again`);
  }
  symlinkSync(write('target'), join(directory, 'c2-net1'));
  const link = await failureOf(() => act({ kind: 'remove-file', path: join(directory, 'c2-net1') }));
  assert.match(link.message, 'is no regular file any more');
});

// sriov-cni would give the VF to a pod while it is being reset.
test('withVfLock() keeps sriov-cni out, and waits for it', async () => {
  const vf = { folder: directory, address: '0000:01:10.2', limitMs: 60 };
  const path = join(directory, 'pci/vf_lock/0000:01:10.2.lock');
  const flock = (): number | null => spawnSync('flock', ['--nonblock', path, 'true']).status;
  assert.is(await withVfLock(vf, async () => flock()), 1);
  assert.is(flock(), 0);
  const plugin = spawn('flock', [path, 'sh', '-c', 'echo; read _'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(plugin.stdout, 'data');
  const { message } = await failureOf(() => withVfLock(vf, async () => assert.unreachable('the plugin has it')));
  assert.is(message, `Cannot lock ${path} within 0.06 s: a plugin is at work on the VF; try again`);
  const waiting = withVfLock({ ...vf, limitMs: 10_000 }, async () => 'done');
  plugin.stdin.end('\n');
  assert.is(await waiting, 'done');
});

test('withVfLock() leaves no lock where there is nobody to be kept out', async () => {
  const folder = join(directory, 'absent');
  await withVfLock({ folder, address: '0000:01:10.2' }, async () => undefined);
  assert.not.ok(existsSync(folder));
});

test.run();
