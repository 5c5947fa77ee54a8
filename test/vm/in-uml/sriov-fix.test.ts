// timeout: 300s
/**
 * What `multus sriov verify --fix` sets on a PF, of those settings that few cards have. A user loses: the next pod's
 * traffic, by what the last one left on its VF.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { must, run } from '../../lab/process.ts';
import { Netdevsim } from '../lab/netdevsim.ts';

const CLI = join(import.meta.dirname, '../../../dist/multus-cli');
const directory = mkdtempSync(join(tmpdir(), 'multus-fix-'));
test.after(() => rmSync(directory, { recursive: true }));

const verify = (...words: string[]) =>
  run(process.execPath, [CLI, 'sriov', 'verify', '--cni-dir', directory, '--sriov-dir', directory, ...words]);

/** What iproute2 says of every VF. */
async function vfsOf({ link }: Netdevsim): Promise<unknown[]> {
  return JSON.parse(await must('ip', '-j', '-d', 'link', 'show', 'dev', link))[0].vfinfo_list;
}

test('--fix resets every setting that a pod left, of that VF alone', async () => {
  const pf = new Netdevsim(4);
  try {
    const asNew = await vfsOf(pf);
    const set = (...words: string[]) => must('ip', 'link', 'set', pf.link, 'vf', ...words);
    await set('1', 'vlan', '300', 'qos', '3', 'proto', '802.1ad');
    await set('1', 'max_tx_rate', '500', 'min_tx_rate', '100');
    await set('1', 'trust', 'on');
    await set('1', 'state', 'disable');
    await set('2', 'vlan', '7');
    const left = await vfsOf(pf);

    const found = await verify('--pf', pf.link, '--vf', '1', '--strict');
    assert.is(found.code, 1, found.stdout);
    const shown = await verify('--pf', pf.link, '--vf', '1', '--fix', '--dry-run');
    assert.match(shown.stderr, `ip link set ${pf.link} vf 1 vlan 0`);
    assert.equal(await vfsOf(pf), left, 'only looked at');

    const fixed = await verify('--pf', pf.link, '--vf', '1', '--strict', '--fix', '--yes');
    assert.is(fixed.code, 0, fixed.stderr + fixed.stdout);
    const now = await vfsOf(pf);
    assert.equal(now[1], asNew[1]);
    assert.equal(now[2], left[2], 'it was not selected');
  } finally {
    pf.remove();
  }
});

test.run();
