import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { list } from '../../../../src/cli/sriov/list.ts';
import { folderFor } from '../../folder.ts';
import { addPf, addVf } from '../../sriov/fake-sysfs.ts';

const folder = folderFor(test);
const PF = '0000:01:00.0';
const VFS = ['0000:01:10.0', '0000:01:10.2'];

const run = (options: { pf?: string; output?: 'wide' | 'json' } = {}) => {
  const folders = { cniDir: folder.at('cni'), sriovDir: folder.at('sriov') };
  return list({ ...folders, ...options }, { sysfs: folder.path, netnsDirs: [] });
};

const rowsOf = (output: string) => output.split('\n').map((line) => line.split(/ {2,}/));

/** A card that no test machine has: its network device is nowhere. */
function addCard(): void {
  addPf(folder, PF, { total: 63, vfs: VFS });
  addVf(folder, VFS[0] ?? '', PF);
  addVf(folder, VFS[1] ?? '', PF, '');
}

// Nothing at all would look like a failure, or like cards without VFs.
test('list() says where it looked when the node has no PF', async () => {
  const { output, errors } = await run();
  assert.is(output, '');
  assert.match(
    errors,
    `This node has no physical function that can have VFs: looked in ${folder.path}/bus/pci/devices`,
  );
  assert.equal(JSON.parse((await run({ output: 'json' })).output).pfs, []);
});

// A wrong name would look like a card without VFs.
test('list() refuses a PF that is not there, and names those that are', async () => {
  addCard();
  const error = await run({ pf: 'ens9' }).catch((problem: unknown) => problem);
  const reason = `this node has no such physical function; it has: ${PF} (${PF})`;
  assert.is((error as Error).message, `Cannot list PF "ens9": ${reason}`);
});

// The settings of a card that cannot be asked would look like settings that are off.
test('list() shows what is not known as such, and says why', async () => {
  addCard();
  const { output, errors } = await run();
  const [, pf, , , first, second] = rowsOf(output);
  assert.equal(pf, [PF, PF, 'igb', '?', '-', '2/63', '?']);
  const settings = Array(7).fill('?');
  assert.equal(first, [PF, '0', VFS[0], 'igbvf', '-', '-', '-', '?', '-', ...settings]);
  assert.equal(second, [PF, '1', VFS[1], '-', '-', '-', '-', '?', '-', ...settings]);
  const reason = 'no network namespace that can be looked into has its network device';
  assert.match(errors, `PF ${PF} cannot be asked for its VFs: ${reason}\n`);
});

// Programs could not tell "no pod" from "nobody knows".
test('list() has null in JSON for what is not known, and the problems with it', async () => {
  addCard();
  folder.write(`sriov/pci/${VFS[1]}`, '/proc/self/ns/uts'); // lives, and is not the host's network namespace
  const { pfs, problems } = JSON.parse((await run({ output: 'json', pf: PF })).output);
  assert.equal([pfs.length, pfs[0].place, pfs[0].mode, pfs[0].list], [1, null, null, null]);
  const [first, second] = pfs[0].vfs;
  assert.equal([first.driver, first.reported, first.holder, first.places], ['igbvf', null, null, []]);
  assert.equal(second.holder?.by, [folder.at('sriov', 'pci', VFS[1] ?? '')]);
  assert.instance(problems, Array);
});

// A pod with several containers' worth of files must not hide the VFs: the kernel's answers count without them.
test('list() lists without the journal when that cannot be read', async () => {
  addCard();
  folder.write('cni', ''); // a file where the folder should be
  const { output, errors } = await run({ output: 'wide' });
  assert.is(rowsOf(output)[4]?.[1], '0');
  assert.match(errors, `Cannot list journal file ${folder.at('cni')}`);
});

test.run();
