/** One network of a node and three of the cluster, of the kinds that are used most. */
import * as assert from 'uvu/assert';
import { Lab } from '../../lab/lab.ts';
import { must } from '../../lab/process.ts';
import type { Runtime } from './containerd.ts';
import type { Machine } from './machine.ts';

const UPLINK = 'uplink0';

const hostLocal = (subnet: string, extra: object = {}): object => ({
  type: 'host-local',
  ranges: [[{ subnet }]],
  ...extra,
});

/** What the node had before us: its pods' `eth0`. */
export const PRIMARY = {
  cniVersion: '1.0.0',
  name: 'primary',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipam: hostLocal('10.244.0.0/24', { routes: [{ dst: '0.0.0.0/0' }] }),
    },
  ],
};

const SUBNETS = { eth0: '10.244.0.', net1: '10.211.0.', net2: '10.212.0.', net3: '10.213.0.' } as const;

/** A NetworkAttachmentDefinition. */
export function definition(name: string, config: object, namespace = 'default'): object {
  return {
    apiVersion: 'k8s.cni.cncf.io/v1',
    kind: 'NetworkAttachmentDefinition',
    metadata: { name, namespace },
    spec: { config: JSON.stringify({ cniVersion: '1.0.0', name, ...config }) },
  };
}

export const DEFINITIONS = [
  definition('lan', { type: 'bridge', bridge: 'lan0', ipam: hostLocal('10.211.0.0/24') }),
  definition('fast', { type: 'macvlan', master: UPLINK, mode: 'bridge', ipam: hostLocal('10.212.0.0/24') }),
  definition('store', { type: 'ptp', ipam: hostLocal('10.213.0.0/24') }),
];

/** A pod's annotation for all of them: `net1`, `net2`, `net3`. */
export const THREE_NETWORKS = { 'k8s.v1.cni.cncf.io/networks': 'lan, fast, store' };

/** Make the link on which the macvlans lie; its other end gives it a carrier. */
export async function makeUplink(machine: Machine): Promise<void> {
  const ip = (...words: string[]) => must('nsenter', `--net=${machine.netns}`, 'ip', 'link', ...words);
  await ip('add', UPLINK, 'type', 'veth', 'peer', 'name', 'uplink1');
  await ip('set', UPLINK, 'up');
  await ip('set', 'uplink1', 'up');
}

/** Links of a machine that are there without any pod. */
export function isOwnLink(name: string): boolean {
  return ['lo', UPLINK, 'uplink1', 'cni0', 'lan0'].includes(name);
}

/** A sandbox has exactly lo, eth0 and its networks, with an address of each. @returns addresses by link */
export async function assertNetworks(runtime: Runtime, id: string, count = 3): Promise<Map<string, string>> {
  const links = await runtime.links(id);
  const wanted = Object.entries(SUBNETS).slice(0, count + 1);
  assert.equal(links.map(({ ifname }) => ifname).sort(), [...wanted.map(([name]) => name), 'lo'].sort());
  const addresses = new Map<string, string>();
  for (const [name, prefix] of wanted) {
    const link = links.find(({ ifname }) => ifname === name);
    const [address = '', ...others] = Lab.addresses(link);
    assert.ok(address.startsWith(prefix) && others.length === 0, `${name} has ${[address, ...others]}`);
    addresses.set(name, address.replace(/\/.*/, ''));
  }
  return addresses;
}
