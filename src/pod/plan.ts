/**
 * The plan: from what a pod wants and what the networks are to the ordered list of attachments, every byte decided.
 * Pure: the same input gives the same plan, for ADD, for `multus explain` and for the tests.
 */
import { isIPv6 } from 'node:net';
import { type CniArgs, formatArgs } from '../cni/args.ts';
import type { NetworkConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { pluginStdin } from '../cni/stdin.ts';
import { assignIfNames } from './if-names.ts';
import type { NetworkSelection } from './selection.ts';

/** A network with the name under which users know it (`namespace/name`, or the configuration's own name). */
export interface Network {
  label: string;
  config: NetworkConfig;
}

/** A network that the pod asked for, with what it asked. */
export interface SelectedNetwork extends Network {
  selection: NetworkSelection;
}

export interface PlanInput {
  /** Default network first, then the node's further static ones. At least one. */
  defaults: readonly Network[];
  /** In the order of the annotation. */
  selected: readonly SelectedNetwork[];
  /** CNI_IFNAME: the first default network's interface. */
  ifName: string;
  args: CniArgs;
  /** The runtime's capability arguments: they are for the default network only (NPWG section 7.5). */
  runtimeConfig: Record<string, unknown>;
}

/** One plugin of an attachment, with its stdin except for prevResult. */
export interface PlanStep {
  type: string;
  stdin: string;
}

export interface PlannedAttachment {
  network: string;
  ifName: string;
  /** The attachment whose result answers the request. */
  isDefault: boolean;
  /** `name` of the CNI configuration. */
  configName: string;
  cniVersion: string;
  disableCheck: boolean;
  disableGC: boolean;
  /** Text of the configuration as its owner wrote it. */
  source: string;
  steps: PlanStep[];
  /** CNI_ARGS for the delegate. */
  args: string;
  /** Lower-case; '' = none requested. */
  requestedMac: string;
  /** As requested, CIDR or plain. */
  requestedIps: string[];
}

/** Default routes of one family: all present ones go, these come. */
export interface FamilyRoutes {
  family: 4 | 6;
  gateways: { gateway: string; ifName: string }[];
}

export interface Plan {
  attachments: PlannedAttachment[];
  /** Empty when no attachment has a `default-route` request: the delegates' own routes stay. */
  defaultRoutes: FamilyRoutes[];
}

/** Refuse a request that no plugin of the network declares to understand (NPWG section 4.1.2.1). */
function requireCapability(network: SelectedNetwork, capability: string, field: string): void {
  if (network.config.plugins.some((plugin) => plugin.capabilities[capability] === true)) return;
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot give network "${network.label}" the requested ${field}: none of its plugins (${network.config.plugins
      .map((plugin) => plugin.type)
      .join(', ')}) declares "capabilities": {"${capability}": true}`,
  );
}

/** CNI_ARGS of a selected network: the runtime's, but with this attachment's own IP and MAC. */
function argsFor(args: CniArgs, selection: NetworkSelection): string {
  const pairs = args.pairs.filter(([key]) => key !== 'IP' && key !== 'MAC' && key !== 'IgnoreUnknown');
  pairs.unshift(['IgnoreUnknown', '1']);
  if (selection.mac !== '') pairs.push(['MAC', selection.mac]);
  if (selection.ips.length > 0) pairs.push(['IP', selection.ips.join(',')]);
  return formatArgs(pairs);
}

function attachment(
  network: Network,
  ifName: string,
  isDefault: boolean,
  details: {
    runtimeConfig: Record<string, unknown>;
    cniArgs?: Record<string, unknown>;
    args: string;
    mac: string;
    ips: string[];
  },
): PlannedAttachment {
  const { config } = network;
  return {
    network: network.label,
    ifName,
    isDefault,
    configName: config.name,
    cniVersion: config.cniVersion,
    disableCheck: config.disableCheck,
    disableGC: config.disableGC,
    source: config.source.text,
    steps: config.plugins.map((plugin) => ({
      type: plugin.type,
      stdin: pluginStdin(config, plugin, {
        runtimeConfig: details.runtimeConfig,
        ...(details.cniArgs === undefined ? {} : { cniArgs: details.cniArgs }),
      }),
    })),
    args: details.args,
    requestedMac: details.mac,
    requestedIps: details.ips,
  };
}

function selectedAttachment(network: SelectedNetwork, ifName: string, args: CniArgs): PlannedAttachment {
  const { selection } = network;
  if (selection.ips.length > 0) requireCapability(network, 'ips', `addresses ${selection.ips.join(', ')}`);
  if (selection.mac !== '') requireCapability(network, 'mac', `MAC address ${selection.mac}`);
  return attachment(network, ifName, false, {
    runtimeConfig: {
      ...(selection.ips.length > 0 ? { ips: selection.ips } : {}),
      ...(selection.mac === '' ? {} : { mac: selection.mac }),
    },
    ...(selection.cniArgs === undefined ? {} : { cniArgs: selection.cniArgs }),
    args: argsFor(args, selection),
    mac: selection.mac,
    ips: selection.ips,
  });
}

/** One plan per family for the whole pod; an empty list clears both families. */
function planDefaultRoutes(selected: readonly SelectedNetwork[], ifNames: readonly string[]): FamilyRoutes[] {
  const routed = selected.flatMap((network, i) =>
    network.selection.defaultRoute === undefined
      ? []
      : [{ gateways: network.selection.defaultRoute, ifName: ifNames[i] ?? '' }],
  );
  const cleared = routed.some(({ gateways }) => gateways.length === 0);
  return ([4, 6] as const).flatMap((family) => {
    const gateways = routed.flatMap(({ gateways: list, ifName }) =>
      list.filter((gateway) => isIPv6(gateway) === (family === 6)).map((gateway) => ({ gateway, ifName })),
    );
    return gateways.length > 0 || cleared ? [{ family, gateways }] : [];
  });
}

/**
 * Decide every attachment of a pod.
 * @throws CniError 7 when names clash or a network cannot take what was requested of it.
 */
export function planAttachments(input: PlanInput): Plan {
  const { defaults, selected, args } = input;
  const labels = [...defaults, ...selected].map((network) => network.label);
  const requested = [...defaults.map(() => ''), ...selected.map((network) => network.selection.ifName)];
  const names = assignIfNames(requested, input.ifName, labels);
  const nameOf = (position: number): string => names[position] ?? '';
  return {
    attachments: [
      ...defaults.map((network, i) =>
        attachment(network, nameOf(i), i === 0, {
          runtimeConfig: i === 0 ? input.runtimeConfig : {},
          args: formatArgs(args.pairs),
          mac: '',
          ips: [],
        }),
      ),
      ...selected.map((network, i) => selectedAttachment(network, nameOf(defaults.length + i), args)),
    ],
    defaultRoutes: planDefaultRoutes(selected, names.slice(defaults.length)),
  };
}
