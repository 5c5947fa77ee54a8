// timeout: 300s
// Kinds of links that few machines' kernels have, by the reference plugins: the whole way through ADD, CHECK and DEL.
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor } from '../../lab/doors.ts';
import { type IpLink, Lab } from '../../lab/lab.ts';
import { must } from '../../lab/process.ts';
import { assertClean, assertResult, assertSilent } from '../../lab/spec.ts';
import { goTool } from '../../tools/go/build.mjs';

/** Distributions leave out some of them. */
const PLUGINS = ['ipvlan', 'vlan', 'dummy', 'macvlan', 'vrf', 'host-device'];

interface UmlLink extends IpLink {
  master?: string;
  linkinfo?: { info_kind: string; info_data?: { id?: number; mode?: string } };
}

async function createLab(): Promise<Lab> {
  if (process.env['MULTUS_LAB'] !== 'uml') throw new Error('needs user-mode Linux: npm run lab -- uml FILE');
  const lab = await Lab.create();
  for (const name of PLUGINS) symlinkSync(await goTool(name), join(lab.binDir, name));
  // One for each plugin that wants a link of the host: ipvlan and macvlan do not share one.
  for (const name of ['under0', 'under1', 'under2', 'spare0']) {
    await must('nsenter', `--net=${lab.netns('host')}`, 'ip', 'link', 'add', name, 'up', 'type', 'dummy');
  }
  return lab;
}

/** Definitions of a network of each kind, and a pod of these. */
async function makePod(lab: Lab, wanted: string): Promise<string> {
  const ipam = (third: number): object => lab.hostLocal(`10.220.${third}.0/24`);
  const cniVersion = '1.0.0';
  // No address in the VRF: macvlan's CHECK looks for its route in the main table.
  const networks = [
    { name: 'shared', type: 'ipvlan', master: 'under0', mode: 'l2', ipam: ipam(1) },
    { name: 'tagged', type: 'vlan', master: 'under1', vlanId: 210, ipam: ipam(2) },
    { name: 'idle', type: 'dummy', ipam: ipam(3) },
    {
      name: 'routed',
      plugins: [
        { type: 'macvlan', master: 'under2' },
        { type: 'vrf', vrfname: 'blue' },
      ],
    },
    { name: 'whole', type: 'host-device', device: 'spare0', ipam: ipam(4) },
  ];
  lab.manifest('networks.yaml', ...networks.map((one) => lab.nadManifest(one.name, { cniVersion, ...one })));
  lab.manifest('pod.yaml', lab.podManifest('pod1', wanted));
  await lab.addNetns('pod1');
  return lab.podArgs('pod1');
}

/** "net1 ipvlan 10.220.1.2/24", … */
function inWords({ ifname, linkinfo, master, ...link }: UmlLink): string {
  const { id } = linkinfo?.info_data ?? {};
  const words = [ifname, linkinfo?.info_kind, id, master, ...Lab.addresses({ ifname, ...link })];
  return words.filter((word) => word !== undefined).join(' ');
}

// A pod would run without one of its networks, or keep it and its address after its end.
eachDoor(
  'ipvlan, VLAN, dummy, macvlan in a VRF, a whole link of the host: attached, checked, given back',
  async (lab) => {
    const call = { args: await makePod(lab, 'shared,tagged,idle,routed@north,whole') };
    assertResult(await lab.cni('ADD', call), '1.0.0');
    const links = (await lab.links('pod1')) as UmlLink[];
    assert.equal(links.map(inWords).sort(), [
      'blue vrf',
      'eth0 veth 10.210.0.2/24',
      'net1 ipvlan 10.220.1.2/24',
      'net2 vlan 210 10.220.2.2/24',
      'net3 dummy 10.220.3.2/24',
      'net5 dummy 10.220.4.2/24',
      'north macvlan blue',
    ]);
    assertSilent(await lab.cni('CHECK', call));
    assertSilent(await lab.cni('DEL', call));
    await assertClean(lab, 'pod1');
    const host = (await lab.links('host')).map(({ ifname }) => ifname);
    assert.equal(host.sort(), ['spare0', 'under0', 'under1', 'under2']);
  },
  createLab,
);

// Addresses run out on a node whose pods end with their namespaces.
eachDoor(
  'the namespace ends before DEL: no address stays reserved',
  async (lab) => {
    // Not host-device, which releases no address without the namespace.
    const call = { args: await makePod(lab, 'shared,tagged,idle,routed@north') };
    assertResult(await lab.cni('ADD', call), '1.0.0');
    await lab.deleteNetns('pod1');
    assertSilent(await lab.cni('DEL', call));
    await assertClean(lab);
  },
  createLab,
);

test.run();
