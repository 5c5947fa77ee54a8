// The operator's first look: which VF is wrong, why, by whose word, and what to type.
import { stripVTControlCharacters } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { verifyTable } from '../../../../src/cli/sriov/verify-table.ts';
import { audit } from '../../../../src/sriov/audit.ts';
import type { AuditReport } from '../../../../src/sriov/audit-report.ts';
import { fakeClaim, fakeFiles, fakeInventory, fakePf, idleVf, podVf } from '../../../fakes/fake-inventory.ts';

const settings = { vlan: 210 };
const CLAIMS = [...fakeFiles(1, { settings }), fakeClaim(1, { settings })];

function reportOf(vlan: number): AuditReport {
  const inventory = fakeInventory([fakePf([idleVf(0), podVf(1, { vlan })])]);
  return audit(inventory, CLAIMS, { kind: 'node' });
}

test('a node in order is its VFs and one line that says so', () => {
  assert.is(
    verifyTable(reportOf(210)),
    `PF    VF  PCI           DRIVER  NETNS  POD          IFNAME  ADMIN-MAC  MAC                VLAN  QOS  PROTO   SPOOF  TRUST  LINK  RATE  STATUS
eth1  0   0000:01:10.0  igbvf   host   -            eth1v0  -          02:00:00:00:01:00  -     -    -       on     off    auto  -     pass
eth1  1   0000:01:10.2  igbvf   cni-a  default/web  net1    -          02:00:00:00:01:01  210   -    802.1q  on     off    auto  -     pass

2 VFs on node1 (Linux 6.12.0): 2 pass, 0 fail. Checks: 23 pass, 0 fail.
`,
  );
});

test('what is wrong has a line of its own: what, why, whose word, and the command that mends it', () => {
  const [, why, sum] = verifyTable(reportOf(211)).split('\n\n');
  assert.is(
    why,
    `STATUS  PF    VF  CHECK  REASON
fail    eth1  1   vlan   must have VLAN 210, it has 211 [journal /var/lib/cni/multus/c1]; mend: ip link set eth1 vf 1 vlan 210`,
  );
  assert.match(sum ?? '', '2 VFs on node1 (Linux 6.12.0): 1 pass, 1 fail.');
});

test('colours are for terminals, and leave the columns where they are', () => {
  const plain = verifyTable(reportOf(211));
  const coloured = verifyTable(reportOf(211), false, true);
  assert.not.ok(plain.includes('\u001b'));
  assert.ok(coloured.includes('\u001b[31mfail\u001b[0m'));
  assert.is(stripVTControlCharacters(coloured), plain);
});

test('wide adds where the namespace is and whose configuration counts', () => {
  const [headings = '', , pod = ''] = verifyTable(reportOf(210), true).split('\n');
  assert.match(headings, /CONTAINER +NETWORK +INODE +PATH +ASKED-BY +STATUS$/);
  assert.match(pod, /c1 +default\/north +77 +\/run\/netns\/cni-a +journal \/var\/lib\/cni\/multus\/c1 +pass$/);
});

test('what was not found is the only thing that is said', () => {
  const report = audit(fakeInventory([]), [], { kind: 'pf', pf: 'eth9' });
  assert.is(verifyTable(report), 'Not found: no PF with VFs is called "eth9"; this node has no PF with VFs.\n');
});

test.run();
