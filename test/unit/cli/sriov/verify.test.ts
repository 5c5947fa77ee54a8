// A report is of what stays so: what an ADD or DEL under way looks like for a moment is no reason to call an operator.
import { rmSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { takeReport } from '../../../../src/cli/sriov/verify.ts';
import { checksOf } from '../../../../src/sriov/verdict.ts';
import { folderFor } from '../../folder.ts';
import { addLink } from '../../sriov/fake-sysfs.ts';

const folder = folderFor(test);

/** A node without PFs, and a file of a VF that was there, which goes while it is looked at. */
async function lookAt(strict: boolean): Promise<{ looks: number; statuses: string[] }> {
  const file = 'sriov/pci/0000:01:10.0';
  folder.write(file, '/run/netns/gone\n');
  for (const process of ['1', 'self']) addLink(folder, `proc/${process}/ns/net`, '/proc/self/ns/net');
  let looks = 0;
  const where = {
    sysfs: folder.at('sys'),
    proc: folder.at('proc'),
    netnsDirs: [],
    get hostname(): string {
      looks += 1;
      rmSync(folder.at(file), { force: true });
      return 'node1';
    },
  };
  const options = { cniDir: folder.at('multus'), sriovDir: folder.at('sriov'), offline: true, retry: 5, strict };
  const statuses = checksOf(await takeReport({ kind: 'node' }, options, where)).map(({ status }) => status);
  return { looks, statuses };
}

test('what is only warned of is looked at again where it counts as a failure', async () => {
  assert.equal(await lookAt(true), { looks: 2, statuses: [] });
});

test('what is only warned of is told at once where it is no failure', async () => {
  assert.equal(await lookAt(false), { looks: 1, statuses: ['warn'] });
});

test.run();
