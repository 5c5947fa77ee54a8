import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CniError } from '../../../src/cni/errors.ts';
import { askPf, lookUpVf } from '../../../src/sriov/find-vf.ts';
import { folderFor } from '../folder.ts';
import { addPf, addVf } from './fake-sysfs.ts';

const folder = folderFor(test);
const PF = '0000:01:00.0';
const VF = '0000:01:10.2';

// A configuration's deviceID would lead anywhere, or an ADD would compare a card's own settings with a VF's.
test('lookUpVf() finds nothing where no VF lies', () => {
  addPf(folder, PF, {});
  addVf(folder, '0000:01:10.4', PF); // the PF does not know it: it is being removed
  const sysfs = folder.path;
  for (const address of ['', 'eth0', PF, VF, '0000:01:10.4', `../devices/${PF}`, '01:10.2', `${PF}/virtfn0`]) {
    assert.is(lookUpVf(address, { sysfs }), undefined, address);
  }
});

// The PF would be asked for another VF's settings: the index is the name of the link, whatever their order.
test('lookUpVf() tells index, PF, driver and the names of the PF', () => {
  addPf(folder, PF, { vfs: ['0000:01:10.0', VF], netdevs: { eth3: '' } });
  addVf(folder, VF, PF, 'vfio-pci');
  const expected = { index: 1, address: VF, driver: 'vfio-pci', physfn: PF, pfAddress: PF, pfNetdevs: ['eth3'] };
  assert.equal(lookUpVf(VF.toUpperCase(), { sysfs: folder.path }), expected);
});

// An ADD would take a link for the PF that only has its name.
test('askPf() refuses a PF without a network device, naming it and its driver', async () => {
  addPf(folder, PF, { driver: 'vfio-pci', netdevs: { lo0: '' } });
  const error = await askPf(PF, { sysfs: folder.path }).catch((problem: unknown) => problem);
  assert.instance(error, CniError);
  assert.match((error as CniError).message, `physical function ${PF} (driver: vfio-pci)`);
});

test.run();
