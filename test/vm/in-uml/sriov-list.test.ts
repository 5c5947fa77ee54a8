// timeout: 300s
/**
 * `multus sriov list` and the inventory behind it, on a real kernel with simulated PFs. A user loses: the PF that was
 * moved to a namespace, the VFs of a large card, or the whole list because a pod ends meanwhile.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { list } from '../../../src/cli/sriov/list.ts';
import { askPf } from '../../../src/sriov/find-vf.ts';
import { takeInventory } from '../../../src/sriov/inventory.ts';
import type { PfState } from '../../../src/sriov/model.ts';
import { must, run, until } from '../../lab/process.ts';
import { ScratchNetns } from '../../native/scratch-netns.ts';
import { Netdevsim } from '../lab/netdevsim.ts';

const NOWHERE = join(tmpdir(), 'multus-sriov-list-nothing');
const CLI = join(import.meta.dirname, '../../../dist/multus-cli');

type Later = (undo: () => unknown) => void;

/** A test with what it makes removed after it, last first. */
function withCleanUp(name: string, body: (later: Later) => Promise<void>): void {
  test(name, async () => {
    const undo: (() => unknown)[] = [];
    try {
      await body((one) => undo.unshift(one));
    } finally {
      for (const one of undo) await one();
    }
  });
}

function pf(later: Later, numVfs: number): Netdevsim {
  const made = new Netdevsim(numVfs);
  later(() => made.remove());
  return made;
}

function netns(later: Later): ScratchNetns {
  const made = new ScratchNetns();
  later(() => made.remove());
  return made;
}

/** A process in a new namespace, which lives as long as it. */
async function processInNetns(later: Later): Promise<ChildProcess> {
  const child = spawn('unshare', ['--net', 'sleep', '1000'], { stdio: 'ignore' });
  later(() => child.kill('SIGKILL'));
  const own = statSync('/proc/self/ns/net').ino;
  await until('the process has a namespace of its own', () => statSync(`/proc/${child.pid}/ns/net`).ino !== own);
  return child;
}

async function inventoryOf({ name }: Netdevsim): Promise<PfState> {
  const { pfs, problems } = await takeInventory();
  assert.equal(problems, []);
  const found = pfs.find(({ device }) => device?.address === name);
  assert.ok(found, `${name} is listed`);
  return found;
}

const table = async (pfName: string, output: 'table' | 'wide' = 'table') => {
  const { output: text, errors } = await list({ pf: pfName, output, cniDir: NOWHERE, sriovDir: NOWHERE });
  assert.is(errors, '');
  return text.split('\n').map((line) => line.split(/ {2,}/));
};

// What an operator looks at first: is VLAN 210 on the VF on which it should be?
withCleanUp('list() shows the settings of each VF', async (later) => {
  const { name, link } = pf(later, 4);
  const set = (vf: number, settings: string) =>
    must('ip', 'link', 'set', link, 'vf', String(vf), ...settings.split(' '));
  await set(0, 'vlan 210 qos 2');
  await set(1, 'vlan 300 proto 802.1ad state enable');
  await set(2, 'mac 02:00:00:00:00:10 spoofchk on trust on max_tx_rate 500 min_tx_rate 100');
  const [, ofPf, , headings, ...vfs] = await table(name);
  assert.equal([ofPf?.[0], ofPf?.[3], ofPf?.[5], ofPf?.[6]], [link, 'host', '4', 'legacy']);
  assert.equal(headings?.slice(7), ['ADMIN-MAC', 'MAC', 'VLAN', 'QOS', 'PROTO', 'SPOOF', 'TRUST', 'LINK', 'RATE']);
  assert.equal(
    vfs.slice(0, 4).map((row) => row.slice(7)),
    [
      ['-', '-', '210', '2', '802.1q', 'off', 'off', 'auto', '-'],
      ['-', '-', '300', '-', '802.1ad', 'off', 'off', 'enable', '-'],
      ['02:00:00:00:00:10', '-', '-', '-', '-', 'on', 'on', 'auto', '100-500'],
      ['-', '-', '-', '-', '-', 'off', 'off', 'auto', '-'],
    ],
  );
});

// From 222 VFs up the kernel's list is damaged for whoever reads it as others do.
for (const count of [256, 1024]) {
  withCleanUp(`takeInventory() has all of ${count} VFs`, async (later) => {
    const device = pf(later, count);
    const last = String(count - 1);
    await must('ip', 'link', 'set', device.link, 'vf', last, 'vlan', '210');
    const { vfs, list: whole, numVfs } = await inventoryOf(device);
    assert.equal([numVfs, whole], [count, { numVfs: count, queryable: true, truncated: false }]);
    assert.equal(
      vfs.map(({ index, reported }) => [index, reported?.vlan]),
      [...Array.from({ length: count - 1 }, (_, index) => [index, 0]), [count - 1, 210]],
    );
  });
}

// A PF that was given to a router's namespace would be listed without its VFs' settings.
withCleanUp('takeInventory() and askPf() find a PF in a namespace with a name', async (later) => {
  const device = pf(later, 4);
  const router = netns(later);
  await must('ip', 'link', 'set', device.link, 'vf', '3', 'vlan', '77');
  await must('ip', 'link', 'set', device.link, 'netns', router.name);
  const { place, vfs, problem } = await inventoryOf(device);
  assert.equal([place?.netns.path, place?.netns.isHost, place?.link.name], [router.path, false, device.link]);
  assert.equal([vfs[3]?.reported?.vlan, problem], [77, '']);
  const [, row] = await table(device.link);
  assert.is(row?.[3], router.name);
  const { link, list: asked } = await askPf(device.name);
  assert.equal([link.name, asked.vfs[3]?.vlan], [device.link, 77]);
  router.ip(`link set ${device.link} netns 1`);
});

// Container runtimes that keep namespaces by a process alone would hide their VFs.
withCleanUp('takeInventory() finds a PF in a namespace that only a process keeps', async (later) => {
  const device = pf(later, 4);
  const { pid } = await processInNetns(later);
  later(() => run('nsenter', ['-t', String(pid), '-n', 'ip', 'link', 'set', device.link, 'netns', '1']));
  await must('ip', 'link', 'set', device.link, 'netns', String(pid));
  const { place } = await inventoryOf(device);
  assert.is(place?.netns.path, `/proc/${pid}/ns/net`);
  assert.is((await table(device.name))[1]?.[3], `pid ${pid}`);
});

// A daemon without CAP_SYS_ADMIN may enter no namespace: the kernel answers for others all the same.
withCleanUp('list() needs no CAP_SYS_ADMIN', async (later) => {
  const device = pf(later, 4);
  const router = netns(later);
  await must('ip', 'link', 'set', device.link, 'vf', '1', 'vlan', '88');
  await must('ip', 'link', 'set', device.link, 'netns', router.name);
  later(() => router.ip(`link set ${device.link} netns 1`));
  const command = ['node', CLI, 'sriov', 'list', '--json', '--pf', device.name];
  const { stdout, stderr } = await run('setpriv', ['--bounding-set=-sys_admin', ...command]);
  assert.is(stderr, '');
  const [found] = JSON.parse(stdout).pfs;
  assert.equal([found.place.netns.path, found.vfs[1].reported.vlan], [router.path, 88]);
});

// Without root an operator would get an error, or a list that looks whole.
withCleanUp('list() without root shows the host’s own, and says what it could not look at', async (later) => {
  const device = pf(later, 4);
  const router = netns(later);
  await processInNetns(later);
  const command = ['node', CLI, 'sriov', 'list', '--pf', device.name];
  const { stdout, stderr, code } = await run('setpriv', ['--reuid=65534', '--clear-groups', ...command]);
  assert.equal([code, stdout.split('\n').length], [0, 9], stderr);
  assert.match(stderr, /^Cannot look at \/proc\/\d+\/ns\/net and \d+ more: permission denied/m);
  assert.match(stderr, `Cannot look into network namespace ${router.path}`);
});

// With an embedded switch a representor would be asked, which has no VFs; VLANs are elsewhere then.
withCleanUp('takeInventory() takes the uplink of a PF in switchdev mode', async (later) => {
  const device = pf(later, 2);
  const mode = (name: string) => must('devlink', 'dev', 'eswitch', 'set', `netdevsim/${device.name}`, 'mode', name);
  await mode('switchdev');
  later(() => mode('legacy'));
  const { name, isSwitchdev, list: whole } = await inventoryOf(device);
  assert.equal([name, isSwitchdev, whole?.numVfs], [device.link, true, 2]);
  assert.is((await table(device.name))[1]?.[6], 'switchdev');
});

// A bonded PF is still the one that has the VFs; an operator needs to know that it is bonded.
withCleanUp('list() names the bond of a PF', async (later) => {
  const device = pf(later, 2);
  await must('ip', 'link', 'add', 'sriovbond', 'type', 'bond');
  later(() => must('ip', 'link', 'del', 'sriovbond'));
  await must('ip', 'link', 'set', device.link, 'master', 'sriovbond');
  const [headings, row] = await table(device.link, 'wide');
  assert.equal([headings?.[9], row?.[9], row?.[5]], ['MASTER', 'sriovbond', '2']);
});

// Pods come and go on every node: none of them may end the list, or be told of as a problem.
withCleanUp('takeInventory() works while namespaces, processes and VFs come and go', async (later) => {
  const device = pf(later, 4);
  const script = 'while :; do ip netns add mn-come-$$; unshare -n true; ip netns del mn-come-$$; done';
  const busy = spawn('sh', ['-c', script], { stdio: 'ignore' });
  later(() => run('sh', ['-c', `ip netns del mn-come-${busy.pid} 2>/dev/null`]));
  later(
    () =>
      new Promise((resolve) => {
        busy.once('exit', resolve);
        busy.kill('SIGKILL');
      }),
  );
  let seen = 0;
  for (let i = 0; i < 60; i++) {
    device.setNumVfs(i % 2 === 0 ? 0 : 4);
    const { pfs, namespaces, problems } = await takeInventory();
    assert.equal(problems, []);
    assert.is(pfs.find((one) => one.device?.address === device.name)?.vfs.length, i % 2 === 0 ? undefined : 4);
    seen = Math.max(seen, namespaces.length);
  }
  assert.ok(seen > 1, 'no namespace was ever seen: the test proves nothing');
});

test.run();
