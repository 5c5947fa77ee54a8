import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { NativeVf } from '../../../src/node/native.ts';
import { askVf, pfNameOf, vfLabel } from '../../../src/sriov/ask-vf.ts';
import type { PfAnswer } from '../../../src/sriov/find-vf.ts';
import { fakeDevice, fakePf, fakeVf } from '../../fakes/fake-vf.ts';

/** Ask a PF that gives these answers, one after the other, and the last one from then on. */
async function ask(...answers: (PfAnswer | Error)[]) {
  let asked = 0;
  const report = await askVf(fakeDevice(), {
    waitMs: 0,
    ask: async () => {
      const answer = answers[Math.min(asked, answers.length - 1)];
      asked += 1;
      if (answer === undefined || answer instanceof Error) throw answer;
      return answer;
    },
  });
  return { report, asked };
}

const error = (code: string): Error => Object.assign(new Error(`RTM_GETLINK: ${code}`), { code });
const vf = (index: number): NativeVf => fakeVf({ index });

// i40e and ice leave a VF out while they are busy with it: a pod would be refused, or start unseen.
test('a VF that its driver leaves out for a moment is asked for again, up to three times', async () => {
  const busy = fakePf([vf(0), vf(4)]);
  const { report, asked } = await ask(busy, error('EBUSY'), busy, fakePf([vf(0), vf(3)]));
  assert.equal([asked, report.reported, report.problem], [4, vf(3), '']);

  const never = await ask(busy);
  assert.equal([never.asked, never.report.reported], [4, undefined]);
  assert.match(never.report.problem, 'driver igb of its PF leaves it out');
});

// vishvananda/netlink takes the third entry for VF 3 when VF 0 is left out: another pod's settings.
test('the VF is the one of its index, wherever it stands in the list', async () => {
  const { report } = await ask(fakePf([vf(5), fakeVf({ index: 3, vlan: 210 }), vf(1)]));
  assert.is(report.reported?.vlan, 210);
});

test('what waiting does not change is not asked again, and says why', async () => {
  const list = { numVfs: 300, vfs: [] };
  const cases: [PfAnswer | Error, string][] = [
    [
      fakePf([], { driver: 'virtio-pci', list: { ...list, queryable: false, truncated: false } }),
      'driver virtio-pci of its PF reports nothing of VFs',
    ],
    [fakePf([], { list: { ...list, queryable: true, truncated: true } }), 'too long to be read'],
    [error('EPERM'), 'RTM_GETLINK: EPERM'],
  ];
  for (const [answer, problem] of cases) {
    const { report, asked } = await ask(answer);
    assert.is(asked, 1);
    assert.match(report.problem, problem);
  }
});

test('an operation that ends waits for no driver', async () => {
  let asked = 0;
  const report = await askVf(fakeDevice(), {
    signal: AbortSignal.abort(),
    waitMs: 60_000,
    ask: async () => {
      asked += 1;
      return fakePf([]);
    },
  });
  assert.equal([asked, report.reported], [1, undefined]);
});

test('a VF is named by what an operator types: its PF and index', async () => {
  assert.is(vfLabel((await ask(fakePf([vf(3)]))).report), 'VF 3 of enp1s0 (0000:01:10.6)');
  const unseen = { device: fakeDevice({ pfNetdevs: [] }), pf: undefined, reported: undefined, problem: 'x' };
  assert.is(pfNameOf(unseen), '0000:01:00.0');
});

test.run();
