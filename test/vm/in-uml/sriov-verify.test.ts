// timeout: 300s
/**
 * `multus sriov verify` on a real kernel with simulated PFs, which take every setting there is, and more VFs than a list of
 * the kernel has room for. A user loses: the one VF in the wrong VLAN among hundreds.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { must } from '../../lab/process.ts';
import { ScratchNetns } from '../../native/scratch-netns.ts';
import { Netdevsim } from '../lab/netdevsim.ts';
import { remarks, type Verified, verify, verifyProgram } from '../lab/verify.ts';

const NOWHERE = join(tmpdir(), 'multus-sriov-verify-nothing');
const FOLDERS = { cniDir: NOWHERE, sriovDir: NOWHERE };
const WORDS = ['--cni-dir', NOWHERE, '--sriov-dir', NOWHERE];

/** A test with a PF of so many VFs. */
function onPf(name: string, numVfs: number, body: (pf: Netdevsim) => Promise<void>): void {
  test(name, async () => {
    const pf = new Netdevsim(numVfs);
    try {
      await body(pf);
    } finally {
      pf.remove();
    }
  });
}

async function setVf({ link }: Netdevsim, vf: number, ...words: string[]): Promise<void> {
  await must('ip', 'link', 'set', link, 'vf', String(vf), ...words);
}

const verifyPf = ({ name }: Netdevsim, options: Partial<Parameters<typeof verify>[1]> = {}): Promise<Verified> =>
  verify({ pf: name }, { ...FOLDERS, ...options });

// The guide's own check, made by eye: "north" is on a VF with VLAN 210, the others show 4095.
onPf(
  'the guide’s four VFs: 210 as asked for, 4095 a VLAN like any other where the driver is no mlx4',
  4,
  async (pf) => {
    await setVf(pf, 0, 'vlan', '210');
    for (const vf of [1, 2, 3]) await setVf(pf, vf, 'vlan', '4095');
    const north = await verify({ pf: pf.link, vf: 0 }, { ...FOLDERS, expect: { vlan: 210 } });
    assert.equal([remarks(north), north.exitCode], [[], 0], north.table);
    const all = await verifyPf(pf, { expect: { vlan: 210 } });
    assert.equal([remarks(all), all.exitCode], [['1 fail vlan', '2 fail vlan', '3 fail vlan'], 1]);
    const idle = await verifyPf(pf);
    assert.equal(
      remarks(idle),
      [0, 1, 2, 3].map((vf) => `${vf} warn leftover`),
    );
  },
);

onPf('every setting is compared, and what differs is mended by the command that is shown', 2, async (pf) => {
  const expect = {
    vlan: 100,
    qos: 5,
    protocol: '802.1ad',
    mac: '02:00:00:00:00:10',
    spoofCheck: true,
    trust: true,
    linkState: 'enable',
    minTxRate: 10,
    maxTxRate: 100,
  } as const;
  await setVf(pf, 1, 'mac', '02:00:00:00:00:11');
  const selection = { pf: pf.link, vf: 1 };
  const before = await verify(selection, { ...FOLDERS, expect });
  const ids = ['vlan', 'mac', 'spoof-check', 'trust', 'link-state', 'min-tx-rate', 'max-tx-rate'];
  assert.equal(
    remarks(before),
    ids.map((id) => `1 fail ${id}`),
  );
  for (const { status, fix } of before.report.items[0].checks) if (status === 'fail') await must('sh', '-c', fix);
  const after = await verify(selection, { ...FOLDERS, expect });
  assert.equal([remarks(after), after.exitCode], [[], 0], after.table);
  const leftover = await verify(selection, FOLDERS);
  assert.equal(remarks(leftover), ['1 warn leftover']);
  await must('sh', '-c', leftover.report.items[0].checks.find(({ id }: { id: string }) => id === 'leftover').fix);
  const { report } = await verify(selection, FOLDERS);
  const { vlan, qos, trust, linkState, minTxRate, maxTxRate } = report.items[0].actual;
  assert.equal([vlan, qos, trust, linkState, minTxRate, maxTxRate], [0, 0, false, 'auto', 0, 0]);
});

// Lists of more than 333 VFs do not fit the 16 bits of their length: whoever believes that sees none, or others' settings.
for (const numVfs of [128, 512, 1024]) {
  onPf(`of ${numVfs} VFs, the one with a VLAN is found, and no other`, numVfs, async (pf) => {
    await setVf(pf, numVfs - 1, 'vlan', '211');
    const found = await verifyPf(pf);
    assert.is(found.report.items.length, numVfs);
    assert.equal(remarks(found), [`${numVfs - 1} warn leftover`]);
    const strict = await verifyPf(pf, { strict: true });
    assert.is(strict.exitCode, 1);
  });
}

test('a PF that was moved to a namespace is verified there, and commands lead there', async () => {
  const netns = new ScratchNetns();
  const pf = new Netdevsim(4);
  try {
    await setVf(pf, 2, 'trust', 'on');
    await must('ip', 'link', 'set', pf.link, 'netns', netns.name);
    const found = await verifyPf(pf);
    assert.equal(remarks(found), ['2 warn leftover']);
    const { fix } = found.report.items[2].checks.find(({ id }: { id: string }) => id === 'leftover');
    assert.match(fix, /^nsenter --net=\S+ ip link set \S+ vf 2 trust off$/);
    await must('sh', '-c', fix);
    assert.equal(remarks(await verifyPf(pf)), []);
  } finally {
    pf.remove();
    netns.remove();
  }
});

onPf('the program: exit codes, and --watch tells of a change once', 4, async (pf) => {
  const code = async (...words: string[]): Promise<number | null> => (await verifyProgram(...words, ...WORDS)).code;
  assert.is(await code('--node', '--strict'), 0);
  assert.is(await code('--pf', pf.link, '--vf', '4'), 4);
  assert.is(await code('--pf', pf.link, '--vf', 'x'), 2);
  assert.is(await code('--pf', pf.link, '--expect', 'vlan=7', '--retry', '0'), 1);

  const words = ['sriov', 'verify', '--pf', pf.link, '--watch', '--strict', '--json', '--offline', ...WORDS];
  const cli = join(import.meta.dirname, '../../../dist/multus-cli');
  const child = spawn(process.execPath, [cli, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const summary = async () => JSON.parse((await lines.next()).value).summary;
    assert.is((await summary()).warn, 0);
    await setVf(pf, 3, 'vlan', '9');
    assert.equal([(await summary()).warn, (await lines.return?.())?.done], [1, true]);
    const exited = once(child, 'exit');
    child.kill('SIGINT');
    assert.equal(await exited, [1, null]);
  } finally {
    child.kill('SIGKILL');
  }
});

test.run();
