// Programs read `multus sriov verify -o json`: what docs/sriov-verify.schema.json promises has to be what is printed.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { verifyJson } from '../../../../src/cli/sriov/verify-json.ts';
import { audit, withProblems } from '../../../../src/sriov/audit.ts';
import type { AuditReport } from '../../../../src/sriov/audit-report.ts';
import { exitCodeOf } from '../../../../src/sriov/verdict.ts';
import {
  fakeClaim,
  fakeFiles,
  fakeInventory,
  fakePf,
  HOST,
  idleVf,
  podVf,
  vfMac,
} from '../../../fakes/fake-inventory.ts';
import { SILENT_VF } from '../../../fakes/fake-vf.ts';

const read = (path: string): string => readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8');
const schema = JSON.parse(read('docs/sriov-verify.schema.json'));
const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(schema);

const SETTINGS = {
  vlan: 210,
  qos: 2,
  protocol: '802.1ad',
  mac: '02:00:00:00:00:10',
  spoofCheck: true,
  trust: true,
  linkState: 'enable',
  minTxRate: 1,
  maxTxRate: 100,
} as const;

function reportOf(...args: Parameters<typeof fakePf>): AuditReport {
  const claims = [...fakeFiles(0, { settings: SETTINGS }), fakeClaim(0, { settings: SETTINGS }), fakeClaim(9)];
  const inventory = fakeInventory([fakePf(...args)], { problems: ['Cannot look at /proc/9/ns/net'] });
  return withProblems(audit(inventory, claims, { kind: 'node' }), ['Cannot use /var/lib/cni/sriov/x']);
}

const SIMULATED = idleVf(1, {}, { device: undefined, places: [] });
const REPORTS: Record<string, AuditReport> = {
  'nothing is as asked for': reportOf([podVf(0), idleVf(1, { vlan: 4095, linkState: 2, trust: true })]),
  'all is as asked for': reportOf([podVf(0, { ...SETTINGS, vlanProtocol: 0x88a8, linkState: 1 })]),
  'the driver tells nothing': reportOf([podVf(0, { ...SILENT_VF, index: 0 }), idleVf(1, {}, { reported: undefined })]),
  'nothing has a device': reportOf([SIMULATED], { name: 'eth1', device: undefined, place: undefined, list: undefined }),
  InfiniBand: reportOf([podVf(0, { nodeGuid: '00:11', portGuid: '00:12' })]),
  'the VF came back by itself': reportOf([podVf(0, { mac: vfMac(0) }, { netns: HOST, name: 'dev6' })]),
  'the PF is a switch': reportOf([podVf(0, { vlanProtocol: 0x1234 })], { isSwitchdev: true }),
  'the node has no PF': audit(fakeInventory([]), [], { kind: 'pf', pf: 'eth9' }),
};

for (const [what, report] of Object.entries(REPORTS)) {
  test(`what is printed is what the schema promises when ${what}`, () => {
    for (const isOneLine of [false, true]) {
      const text = verifyJson(report, exitCodeOf(report), isOneLine);
      assert.is(text.trimEnd().includes('\n'), !isOneLine);
      assert.ok(validate(JSON.parse(text)), JSON.stringify(validate.errors, null, 2));
    }
  });
}

test('the schema refuses what it does not promise, so that the tests above can fail', () => {
  const right = JSON.parse(verifyJson(reportOf([podVf(0)]), 0));
  const wrong = [
    { ...right, more: 1 },
    { ...right, items: [{}] },
    { ...right, summary: { ...right.summary, exitCode: 2 } },
  ];
  assert.equal(
    wrong.map((one) => validate(one)),
    [false, false, false],
  );
});

test('desired, cached and actual stand beside each other, each with its own value', () => {
  const [item] = JSON.parse(verifyJson(reportOf([podVf(0, { vlan: 211 })]), 1)).items;
  assert.equal(item.expected.vlan, { value: 210, source: 'journal /var/lib/cni/multus/c1' });
  assert.is(item.cached.vlan, 210);
  assert.is(item.actual.vlan, 211);
  assert.equal([item.pod, item.ifname, item.netns.path], ['default/web', 'net1', '/run/netns/cni-a']);
});

test('every check that the schema names is described in docs/sriov.md, and no other', () => {
  const { check, nodeCheck } = schema.$defs;
  const promised = [...check.properties.id.enum, ...nodeCheck.properties.id.enum];
  const described = [...read('docs/sriov.md').matchAll(/^\| `([a-z][a-z-]*)`/gm)].map(([, id]) => id);
  assert.equal(described.sort(), promised.sort());
});

test.run();
