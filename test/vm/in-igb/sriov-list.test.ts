// timeout: 240s
/**
 * `multus sriov list` and the inventory behind it, on a real card's driver and sysfs. A user loses: which pod has which
 * VF, a VF that nobody drives, or everything of a card that was moved to a namespace.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { list } from '../../../src/cli/sriov/list.ts';
import { askPf, lookUpVf } from '../../../src/sriov/find-vf.ts';
import { takeInventory } from '../../../src/sriov/inventory.ts';
import { must, until } from '../../lab/process.ts';
import { ScratchNetns } from '../../native/scratch-netns.ts';
import { Card } from '../lab/vf-pod.ts';

const PF = '0000:01:00.0';
const ADMIN_MAC = '02:00:00:00:00:10';

// Who has VF 0? `ip` shows neither where a VF is, nor which has no driver.
test('list() shows every VF of a card where it is, and whose it is', async () => {
  const card = await Card.prepare();
  const pod = new ScratchNetns();
  const folder = mkdtempSync(join(tmpdir(), 'multus-list-'));
  try {
    const [first = '', second = '', third = ''] = card.addresses;
    await must('ip', 'link', 'set', card.name, 'vf', '0', 'vlan', '210', 'qos', '2', 'mac', ADMIN_MAC);
    await must('ip', 'link', 'set', card.links[0] ?? '', 'netns', pod.name, 'name', 'north');
    writeFileSync(`/sys/bus/pci/devices/${second}/driver/unbind`, second);
    mkdirSync(join(folder, 'pci'));
    writeFileSync(join(folder, 'pci', first), pod.path);

    const folders = { cniDir: join(folder, 'cni'), sriovDir: folder };
    const { output, errors } = await list({ ...folders, output: 'wide' });
    assert.is(errors, '');
    const rows = output.split('\n').map((line) => line.split(/ {2,}/));
    const [headings = [], pf = [], , , ...vfs] = rows;
    assert.equal(headings.slice(0, 4), ['PF', 'PCI', 'DRIVER', 'NETNS']);
    assert.equal([...pf.slice(0, 4), pf[5]], [card.name, PF, 'igb', 'host', '6/7']);
    const [inPod = [], unbound = [], onHost = []] = vfs;
    assert.equal(inPod.slice(0, 8), [card.name, '0', first, 'igbvf', pod.name, '-', 'north', ADMIN_MAC]);
    assert.equal(inPod.slice(9, 12), ['210', '2', '802.1q']);
    assert.equal(unbound.slice(0, 7), [card.name, '1', second, '-', '-', '-', '-']);
    assert.equal(onHost.slice(2, 7), [third, 'igbvf', 'host', '-', card.links[2]]);
    assert.is(vfs.filter(({ length }) => length > 1).length, 6);

    const [found] = JSON.parse((await list({ ...folders, output: 'json', pf: PF })).output).pfs;
    assert.equal([found.vfs[0].holder.by, found.vfs[1].holder], [[join(folder, 'pci', first)], null]);
    assert.is(found.vfs[0].places[0].netns.path, pod.path);
  } finally {
    pod.remove();
    rmSync(folder, { recursive: true });
  }
});

// ADD would compare with another VF, or refuse every pod of a card that a router's namespace has.
test('takeInventory(), lookUpVf() and askPf() work with a card in another namespace', async () => {
  const card = await Card.prepare();
  const router = new ScratchNetns();
  try {
    await must('ip', 'link', 'set', card.name, 'vf', '2', 'vlan', '77');
    const here = await askPf(PF);
    assert.equal([here.link.name, here.driver, here.isSwitchdev], [card.name, 'igb', false]);
    assert.equal(lookUpVf(card.addresses[2] ?? '')?.pfNetdevs, [card.name]);

    await must('ip', 'link', 'set', card.name, 'netns', router.name, 'name', 'uplink');
    const vf = lookUpVf(card.addresses[2] ?? '');
    assert.equal([vf?.index, vf?.pfAddress, vf?.pfNetdevs, vf?.driver], [2, PF, [], 'igbvf']);
    const there = await askPf(PF);
    assert.equal([there.link.name, there.driver, there.list.vfs[2]?.vlan], ['uplink', 'igb', 77]);
    const { pfs, problems } = await takeInventory();
    assert.equal(problems, []);
    assert.equal([pfs.length, pfs[0]?.name, pfs[0]?.place?.netns.path], [1, 'uplink', router.path]);
    assert.equal([pfs[0]?.vfs[2]?.reported?.vlan, pfs[0]?.vfs[2]?.places[0]?.netns.isHost], [77, true]);
    router.ip(`link set uplink netns 1 name ${card.name}`);
  } finally {
    router.remove();
  }
});

// Somebody who changes the number of VFs would end the command of somebody else, or have VFs listed that nobody can name.
test('takeInventory() works while VFs are made and removed', async () => {
  const card = await Card.prepare();
  const file = `/sys/bus/pci/devices/${PF}/sriov_numvfs`;
  // A second of each, or none is whole for as long as looking takes here: it would go on for minutes.
  const changing = spawn('sh', ['-c', `while :; do for n in 0 4; do echo $n >${file}; sleep 1; done; done`], {
    stdio: 'ignore',
  });
  const seen = new Set<number>();
  try {
    await until(
      'several numbers of VFs were seen',
      async () => {
        const { pfs, problems } = await takeInventory();
        assert.equal(problems, []);
        const [pf] = pfs;
        const vfs = pf?.device?.vfs ?? [];
        assert.equal(
          vfs.map(({ address }) => address),
          vfs.map(({ index }) => card.addresses[index]),
        );
        seen.add(vfs.length);
        return seen.has(0) && seen.has(4);
      },
      60_000,
    );
  } finally {
    const ended = new Promise((resolve) => {
      changing.once('exit', resolve);
    });
    changing.kill('SIGKILL');
    await ended; // in the middle of a change it waits for its end
  }
});

test.run();
