// An operator asks for one pod, PF or VF: all of it is shown, nothing else, and what is not there is told.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { audit } from '../../../src/sriov/audit.ts';
import type { AuditReport, Selection } from '../../../src/sriov/audit-report.ts';
import {
  fakeClaim,
  fakeFiles,
  fakeInventory,
  fakePf,
  idleVf,
  OTHER_POD,
  POD,
  podVf,
} from '../../fakes/fake-inventory.ts';

const PFS = [
  fakePf([podVf(0), podVf(1, {}, { name: 'net2' }), idleVf(2)]),
  fakePf([], {
    name: 'eth2',
    list: undefined,
    place: undefined,
    problem: 'permission denied',
    device: undefined,
    numVfs: 4,
  }),
];
const CLAIMS = [
  ...fakeFiles(0),
  fakeClaim(0),
  ...fakeFiles(1, { ifName: 'net2', network: 'default/south' }),
  fakeClaim(1, { ifName: 'net2', network: 'default/south' }),
];

function select(selection: Selection, problems: string[] = []): AuditReport {
  return audit(fakeInventory(PFS, { problems }), CLAIMS, selection);
}

const indexes = ({ items }: AuditReport): number[] => items.map(({ vf }) => vf.index);

test('VFs are selected by pod, network, namespace, interface, PF, index and address', () => {
  const { dev, ino, path } = POD;
  const netns = { dev, ino };
  const found: [Selection, number[]][] = [
    [{ kind: 'node' }, [0, 1, 2]],
    [{ kind: 'pod', pod: 'default/web' }, [0, 1]],
    [{ kind: 'pod', pod: 'default/web', network: 'south' }, [1]],
    [{ kind: 'pod', pod: 'default/web', network: 'default/north' }, [0]],
    [{ kind: 'netns', path, netns }, [0, 1]],
    [{ kind: 'netns', path, netns, ifName: 'net2' }, [1]],
    [{ kind: 'pf', pf: 'eth1' }, [0, 1, 2]],
    [{ kind: 'pf', pf: '0000:01:00.0', vf: 2 }, [2]],
    [{ kind: 'pci', address: '0000:01:10.4' }, [2]],
  ];
  for (const [selection, expected] of found) {
    const report = select(selection);
    assert.equal([indexes(report), report.notFound], [expected, ''], JSON.stringify(selection));
  }
});

test('a PF is looked at when it, or one of its VFs, is selected, and otherwise not', () => {
  const lists = (selection: Selection): string[] => select(selection).checks.map(({ id, pf }) => `${id} ${pf}`);
  assert.equal(lists({ kind: 'node' }), ['vf-list eth1', 'vf-list eth2']);
  assert.equal(lists({ kind: 'pod', pod: 'default/web' }), ['vf-list eth1']);
  assert.equal(lists({ kind: 'pf', pf: 'eth2' }), ['vf-list eth2']);
});

test('what is not there is told, with what is there instead', () => {
  const missing: [Selection, string][] = [
    [{ kind: 'pod', pod: 'default/db' }, 'no VF of pod "default/db" is known on this node'],
    [
      { kind: 'pod', pod: 'default/web', network: 'west' },
      'pod "default/web" has no VF of network "west", only of default/north, default/south',
    ],
    [{ kind: 'netns', path: '/run/netns/x', netns: undefined }, '/run/netns/x leads to no network namespace'],
    [{ kind: 'netns', path: OTHER_POD.path, netns: OTHER_POD }, 'no VF is in /run/netns/cni-b'],
    [{ kind: 'netns', path: POD.path, netns: POD, ifName: 'net9' }, 'no VF called "net9" is in /run/netns/cni-a'],
    [{ kind: 'pf', pf: 'eth9' }, 'no PF with VFs is called "eth9"; PFs here: eth1, eth2'],
    [{ kind: 'pf', pf: 'eth1', vf: 7 }, 'PF eth1 has 3 VFs, and no VF 7'],
    [{ kind: 'pci', address: '0000:09:00.0' }, 'no VF is at 0000:09:00.0; PFs here: eth1, eth2'],
  ];
  for (const [selection, text] of missing) assert.is(select(selection).notFound, text);
});

test('what is not found is not said to be nowhere when not all could be looked at', () => {
  const report = select({ kind: 'pod', pod: 'default/db' }, ['Cannot look at /proc/9/ns/net']);
  assert.match(report.notFound, '; but not all could be looked at: Cannot look at /proc/9/ns/net');
});

test('an interface that is in its namespace under another name is found by the name that it should have', () => {
  const pfs = [fakePf([podVf(0, {}, { name: 'data0' })])];
  const { dev, ino, path } = POD;
  const report = audit(fakeInventory(pfs), CLAIMS.slice(0, 3), {
    kind: 'netns',
    path,
    netns: { dev, ino },
    ifName: 'net1',
  });
  assert.equal(indexes(report), [0]);
});

test('a VF that a pod lost altogether is found by the pod', () => {
  const report = audit(fakeInventory([fakePf([idleVf(2)])]), CLAIMS, { kind: 'pod', pod: 'default/web' });
  assert.equal([report.items.length, report.notFound], [0, '']);
  assert.ok(report.checks.every(({ id, status }) => id === 'claim-without-vf' && status === 'fail'));
});

test.run();
