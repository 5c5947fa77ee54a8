import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readSimulatedPfs } from '../../../src/sriov/netdevsim.ts';
import { netdevsOf, pciParent, portNameOf, readPf, readPfs } from '../../../src/sriov/pci.ts';
import { folderFor } from '../folder.ts';
import { addLink, addNetdevsim, addPf, addVf } from './fake-sysfs.ts';

const folder = folderFor(test);
const PF = '0000:01:00.0';
const addressesOf = () => readPfs(folder.path).map(({ address }) => address);

// Every command would fail on a node without PCI, in a container without /sys, or on a machine without such cards.
test('readPfs() finds nothing where there is no bus, no device, and nothing that can have VFs', () => {
  assert.equal(readPfs(folder.at('missing')), []);
  folder.write('bus/pci/devices/0000:00:1f.0/class', '0x060100\n');
  folder.write('bus/pci/devices/0000:02:00.0/class', '0x020000\n'); // a card without SR-IOV
  addPf(folder, '0000:03:00.0', { total: 0 });
  addPf(folder, '0000:04:00.0', { class: '0x010802' }); // NVMe has VFs, too
  assert.equal(addressesOf(), []);
});

// An operator would not see which card could have VFs, nor InfiniBand's, whose class is another one.
test('readPfs() has PFs without VFs, and of every kind of network, by address', () => {
  addPf(folder, '0000:81:00.0', { class: '0x020700', driver: 'mlx5_core' });
  addPf(folder, PF, { total: 63 });
  const [first, second] = readPfs(folder.path);
  assert.equal([first?.address, first?.numVfs, first?.totalVfs, first?.vfs], [PF, 0, 63, []]);
  assert.equal([second?.address, second?.driver], ['0000:81:00.0', 'mlx5_core']);
});

// VFs for DPDK and those that nobody drives have no network device: only sysfs knows of them.
test('readPf() tells the driver of each VF, and where none is bound', () => {
  addPf(folder, PF, { vfs: ['0000:01:10.0', '0000:01:10.2', '0000:01:10.4'] });
  addVf(folder, '0000:01:10.0', PF);
  addVf(folder, '0000:01:10.2', PF, 'vfio-pci');
  addVf(folder, '0000:01:10.4', PF, '');
  const vfs = readPf(PF, folder.path)?.vfs ?? [];
  assert.equal(
    vfs.map(({ driver }) => driver),
    ['igbvf', 'vfio-pci', ''],
  );
  assert.ok(vfs.every(({ physfn }) => physfn === PF));
});

// VFs are removed while we look: the others must be listed, and what is half gone must be recognisable.
test('readPf() leaves out links that are gone, and keeps a VF whose device is', () => {
  addPf(folder, PF, { numVfs: 3, vfs: ['0000:01:10.0', '0000:01:10.2'] });
  addVf(folder, '0000:01:10.0', PF);
  folder.write(`bus/pci/devices/${PF}/virtfn2`, ''); // where a link was
  assert.equal(readPf(PF, folder.path)?.vfs, [
    { index: 0, address: '0000:01:10.0', driver: 'igbvf', physfn: PF },
    { index: 1, address: '0000:01:10.2', driver: '', physfn: '' },
  ]);
});

// VF 10 would be taken for VF 2: the folder is sorted by text, or not at all.
test('readPf() sorts the VFs of a large PF by number', () => {
  const vfs = Array.from({ length: 255 }, (_, i) => `0000:01:${(i >> 3).toString(16).padStart(2, '0')}.${i & 7}`);
  addPf(folder, PF, { total: 255, vfs });
  const found = readPf(PF, folder.path)?.vfs ?? [];
  assert.equal(
    found.map(({ index, address }) => [index, address]),
    vfs.map((address, index) => [index, address]),
  );
});

// A broken attribute would become NaN VFs; a device that goes away would end the whole command.
test('readPf() finds no PF where the number of VFs is no number, or gone', () => {
  addPf(folder, PF, {});
  folder.write(`bus/pci/devices/${PF}/sriov_numvfs`, '\n');
  assert.is(readPf(PF, folder.path), undefined);
  assert.is(readPf('0000:09:00.0', folder.path), undefined);
});

// A virtio card's PF would count as one without a network device.
test('netdevsOf() and pciParent() know that virtio has a device in between', () => {
  addPf(folder, PF, { driver: 'virtio-pci', total: 4 });
  folder.write(`bus/pci/devices/${PF}/virtio3/net/eth1/phys_port_name`, '');
  addLink(folder, 'bus/virtio/devices/virtio3', `../../pci/devices/${PF}/virtio3`);
  assert.equal(netdevsOf(PF, folder.path), ['eth1']);
  assert.is(pciParent('virtio3', 'virtio', folder.path), PF);
  assert.is(pciParent('virtio9', 'virtio', folder.path), 'virtio9');
  assert.is(pciParent(PF, 'pci', folder.path), PF);
});

// A representor would be taken for the PF.
test('portNameOf() is empty where a driver has none', () => {
  addPf(folder, PF, { netdevs: { eth0: 'p0', eth1: 'pf0vf1' } });
  assert.is(portNameOf(PF, 'eth1', folder.path), 'pf0vf1');
  assert.is(portNameOf(PF, 'eth7', folder.path), '');
});

// The laboratory's devices would be missing, or each of them listed whether or not it is one with VFs.
test('readSimulatedPfs() has the netdevsims that have VFs', () => {
  addNetdevsim(folder, 'netdevsim5', 4);
  addNetdevsim(folder, 'netdevsim6', 0);
  const found = readSimulatedPfs(folder.path);
  assert.equal(
    found.map(({ address, numVfs, totalVfs, vfs }) => [address, numVfs, totalVfs, vfs]),
    [['netdevsim5', 4, undefined, []]],
  );
});

test.run();
