// timeout: 600s
// How sriov-cni loses VFs, on a real card, and what is left of that when it is us who run it.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Lab } from '../../lab/lab.ts';
import { must, parseJson } from '../../lab/process.ts';
import { assertError } from '../../lab/spec.ts';
import {
  LEAKS,
  type Leak,
  leakDelWithoutNetns,
  leakInheritedVlan,
  leakNetnsGone,
  leakPartialApply,
  leakRenamedInPod,
  RENAMED,
} from '../lab/leaks.ts';
import { byMultus, type Card, eachDoorOnCard, onCard, sriovDir, sriovFiles, sriovNetwork } from '../lab/vf-pod.ts';

/** A check of `multus sriov verify -o json`. */
interface Finding {
  vf: number;
  id: string;
  status: string;
  message: string;
  /** A command. */
  fix: string | null;
}

interface Report {
  items: { vf: number; checks: Omit<Finding, 'vf'>[] }[];
}

const SCHEMA = new URL('../../../docs/sriov-verify.schema.json', import.meta.url);
const isReport = new Ajv2020({ allowUnionTypes: true }).compile(JSON.parse(readFileSync(SCHEMA, 'utf8')));

/** What became of a VF, in one line: its link and where that is, its VLAN, whose sriov-cni takes it for. */
async function whereabouts(lab: Lab, card: Card, { vf, call }: Leak): Promise<string> {
  const onHost = card.hostLink(vf);
  const inPod = onHost === '' ? (await lab.links(call.pod)).map(({ ifname }) => ifname) : [];
  const names = Object.entries(sriovFiles(lab)).flatMap(([name, text]) => {
    if (name === `${call.container}-${call.ifName}`) return ['cached'];
    return name === `pci/${card.addresses[vf]}` && text === lab.netns(call.pod) ? ['allocated'] : [];
  });
  const place = onHost === '' ? `pod ${inPod}` : `host ${onHost === card.links[vf] ? 'as before' : onHost}`;
  return [place, `vlan ${await card.vlan(vf)}`, ...names.sort()].join(', ');
}

// The stand-in is worth nothing if it is better than sriov-cni: every other test of leaks would prove what nobody has.
onCard('the plugin alone loses VFs in the five ways of sriov-cni', async (lab, card) => {
  const at = (leak: Leak): Promise<string> => whereabouts(lab, card, leak);
  assert.is(await at(await leakPartialApply({ lab, card })), 'host as before, vlan 211');
  assert.is(await at(await leakInheritedVlan({ lab, card })), 'pod net1, vlan 212, allocated, cached');
  assert.is(await at(await leakDelWithoutNetns({ lab, card })), 'pod net1, vlan 213, allocated');
  assert.is(await at(await leakNetnsGone({ lab, card })), 'host net1, vlan 0, allocated');
  assert.is(await at(await leakRenamedInPod({ lab, card })), `pod ${RENAMED}, vlan 0, allocated`);
});

// A runtime that removes a sandbox without its namespace's path: the VF would stay in a VLAN that its next pod gets too.
eachDoorOnCard(
  'through us: no VF is lost by a DEL without CNI_NETNS, and a refused setting is told',
  async (lab, card) => {
    const scene = { lab, card, caller: byMultus(lab) };
    assert.is(await whereabouts(lab, card, await leakDelWithoutNetns(scene)), 'host as before, vlan 0');
    const { reply } = await leakPartialApply(scene);
    assertError(reply, 999, 'network "network0"', 'failed to set vf 0 link state to 1: operation not supported');
    assert.equal(lab.stateFiles(), []);
  },
);

/** What `multus sriov verify --node` finds: the checks that are not passed, by VF, and its exit code. */
async function verify(lab: Lab): Promise<{ code: number | null; findings: Finding[] }> {
  const folders = ['--sriov-dir', sriovDir(lab), '--cni-dir', lab.stateDir];
  const { code, stdout, stderr } = await lab.exec(
    'host',
    lab.shim,
    'sriov',
    'verify',
    '--node',
    '-o',
    'json',
    ...folders,
  );
  const report = parseJson(stdout) as Report;
  assert.ok(isReport(report), `${JSON.stringify(isReport.errors)} of ${stdout}${stderr}`);
  const found = report.items.flatMap(({ vf, checks }) => checks.map((check) => ({ ...check, vf })));
  // A VF's carrier comes seconds after it is set up, and no VF that is lost needs one.
  return { code, findings: found.filter(({ id, status }) => ['fail', 'warn'].includes(status) && id !== 'carrier') };
}

// What the command is for: an operator has a node whose pods have no VFs left, and does what it says.
onCard('sriov verify finds each leak, and what it advises mends the node', async (lab, card) => {
  const network = sriovNetwork(lab, 'well', { deviceID: card.addresses[5], vlan: 300, spoofchk: 'off' });
  const call = { container: 'c-well', pod: 'well', ifName: 'net1', network };
  await lab.addNetns(call.pod);
  assert.is((await byMultus(lab)('ADD', call)).code, 0);
  assert.equal(await verify(lab), { code: 0, findings: [] });

  const leaks: Leak[] = [];
  for (const leak of LEAKS) leaks.push(await leak({ lab, card }));
  let { code, findings } = await verify(lab);
  assert.is(code, 1);
  assert.equal(
    [0, 1, 2, 3, 4, 5].map((vf) =>
      findings
        .filter((one) => one.vf === vf)
        .map(({ id }) => id)
        .sort(),
    ),
    [['leftover'], ['inherited-vlan'], ['pci-file'], ['host-name', 'pci-file'], ['pci-file'], []],
  );
  assert.equal(
    findings.filter(({ fix }) => fix === null),
    [],
  );

  // A VF that was taken back from a pod still has its VLAN, which is found then.
  for (let round = 0; round < 4 && findings.length > 0; round++) {
    for (const { fix } of findings) await must('sh', '-c', String(fix));
    ({ code, findings } = await verify(lab));
  }
  assert.equal({ code, findings }, { code: 0, findings: [] });
  const places = await Promise.all(leaks.map((leak) => whereabouts(lab, card, leak)));
  assert.match(places[1] ?? '', /^pod net1, vlan 0, /);
  for (const place of places.filter((_, i) => i !== 1)) assert.match(place, /^host [^,]+, vlan 0$/);
});

test.run();
