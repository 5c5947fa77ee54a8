/** What pods ask for: the networks of a node and of the cluster, and what has to be in a pod then. */
import { definition } from '../e2e/lab/networks.ts';

export interface Scenario {
  name: string;
  /** For readers of a report. */
  what: string;
  /** The node's own network: a single plugin, as Multus 4.3 loses keys of the plugins of a list. */
  primary: Record<string, unknown>;
  /** Definitions of the cluster; a pod asks for each, in this order. */
  networks: { name: string; config: Record<string, unknown> }[];
  /** Links of an attached pod, besides lo. */
  links: string[];
}

const hostLocal = (subnet: string, extra: object = {}): object => ({
  type: 'host-local',
  ranges: [[{ subnet }]],
  ...extra,
});

// A gateway keeps its MAC while pods come and go, which the plugin's CHECK compares.
const bridge = (name: string, subnet: string, extra: object = {}): Record<string, unknown> => ({
  type: 'bridge',
  bridge: name,
  isGateway: true,
  ipam: hostLocal(subnet, extra),
});

const macvlan = (ipam: object): Record<string, unknown> => ({
  type: 'macvlan',
  master: 'uplink0',
  mode: 'bridge',
  ipam,
});

const NOOP = { type: 'noop' };
const CNI0 = bridge('cni0', '10.244.0.0/16', { routes: [{ dst: '0.0.0.0/0' }] });
const FAST = { name: 'fast', config: macvlan(hostLocal('10.212.0.0/16')) };
const LAN = { name: 'lan', config: bridge('lan0', '10.211.0.0/16') };
const STORE = { name: 'store', config: { type: 'ptp', ipam: hostLocal('10.213.0.0/16') } };
const FIXED = { name: 'fixed', config: macvlan({ type: 'static', addresses: [{ address: '10.215.0.5/24' }] }) };
const noops = (count: number): Scenario['networks'] =>
  Array.from({ length: count }, (_, i) => ({ name: `noop${i + 1}`, config: NOOP }));

const linksOf = (networks: readonly unknown[]): string[] => ['eth0', ...networks.map((_, i) => `net${i + 1}`)];

const real = (name: string, what: string, networks: Scenario['networks']): Scenario => ({
  name,
  what,
  primary: CNI0,
  networks,
  links: linksOf(networks),
});

export const SCENARIOS: readonly Scenario[] = [
  { name: 'S0-1', what: 'no-op default network', primary: NOOP, networks: [], links: [] },
  noopScenario(4),
  real('S1', 'bridge with host-local', []),
  real('S2', 'S1, macvlan with host-local', [FAST]),
  real('S3', 'S1, macvlan, bridge, ptp with host-local, macvlan with static', [FAST, LAN, STORE, FIXED]),
];

/** Plugins that do nothing, for a default network and so many others. */
export function noopScenario(networks: number): Scenario {
  const what = `no-op default network and ${networks} no-op networks`;
  return { name: `S0-${networks + 1}`, what, primary: NOOP, networks: noops(networks), links: [] };
}

/** @throws Error when there is none of that name */
export function scenarioOf(name: string): Scenario {
  const found = SCENARIOS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no scenario ${name}`);
  return found;
}

const VERSION = '1.0.0';

/** The node's configuration as its file has it. */
export function primaryOf({ primary }: Scenario): Record<string, unknown> {
  return { cniVersion: VERSION, name: 'primary', ...primary };
}

export function definitionsOf({ networks }: Scenario): object[] {
  return networks.map(({ name, config }) => definition(name, config));
}

/** The delegates of a pod: configuration and interface, in the order of ADD. */
export function delegatesOf(scenario: Scenario): { ifName: string; config: Record<string, unknown> }[] {
  const networks = scenario.networks.map(({ name, config }) => ({ cniVersion: VERSION, name, ...config }));
  return [primaryOf(scenario), ...networks].map((config, i) => ({ ifName: i === 0 ? 'eth0' : `net${i}`, config }));
}
