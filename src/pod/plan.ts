/**
 * The plan: from what a pod wants and what the networks are to the ordered list of attachments, every byte decided.
 * Pure: the same input gives the same plan, for ADD, for `multus explain` and for the tests.
 */
import { isIPv6 } from 'node:net';
import { type CniArgs, formatArgs } from '../cni/args.ts';
import type { NetworkConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { RawValue } from '../cni/raw-json.ts';
import { pluginStdin } from '../cni/stdin.ts';
import { askedText } from './asked.ts';
import { assignIfNames } from './if-names.ts';
import { NO_REQUESTS, type SelectionRequests } from './selection.ts';

/** A network with the name under which users know it (`namespace/name`, or the configuration's own name). */
export interface Network {
  label: string;
  config: NetworkConfig;
}

/** A device of the node that the kubelet gave to the pod for this network. */
export interface Device {
  id: string;
  /** Name of the device plugin's resource, e.g. "intel.com/sriov". */
  resourceName: string;
}

/** A network with what the pod asked of it. */
export interface RequestedNetwork extends Network {
  /** undefined: nobody asked, the network is the node's own. */
  requests: SelectionRequests | undefined;
  device: Device | undefined;
}

/** What every attachment of a pod is planned by. */
export interface AttachmentInput {
  args: CniArgs;
  /** The runtime's capability arguments: they are for the default network only (NPWG section 7.5). */
  runtimeConfig: Record<string, unknown>;
  /** File for the information on an attachment's device (capability CNIDeviceInfoFile), by the network's label. */
  deviceInfoFile: (network: string, ifName: string) => string;
}

export interface PlanInput extends AttachmentInput {
  /** How the default network is found among `base`, and how those are named. */
  dialect: 'npwg' | 'tke';
  /** The default network, and what else comes before the additional ones. At least one. */
  base: readonly RequestedNetwork[];
  /** What the pod asked for beside them, in the order of the annotation. */
  additional: readonly RequestedNetwork[];
  /** Plugins that run behind all networks, on the interface of the default one. */
  auxiliary: Network | undefined;
  /** CNI_IFNAME: the default network's interface. */
  ifName: string;
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
  /** Plugins without an interface of their own, that work on the default network's and get its result. */
  auxiliary: boolean;
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
  /** Gateways over this network that the pod's default routes are to have; undefined = not asked, [] = none at all. */
  defaultRoute: string[] | undefined;
  device: Device | undefined;
  /** Where the plugins find and write what is known of the device; '' when they have no use for it. */
  deviceInfoFile: string;
  /**
   * What an entry of the pod's annotation of networks asked of it, by askedText; '' when none did: it is the node's own,
   * or the default network. undefined when nobody knows: another program attached it, or an earlier version.
   */
  asked: string | undefined;
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
  /** Annotations of the pod that tell what it got. */
  statusAnnotations: string[];
}

/** Annotations in which a pod finds its networks. */
export const STATUS_ANNOTATION = 'k8s.v1.cni.cncf.io/network-status';
export const TKE_STATUS_ANNOTATION = 'tke.cloud.tencent.com/networks-status';

/** Capability arguments of an annotation: by capability, and the words for them in an error. */
function capabilityRequests(requests: SelectionRequests): { capability: string; value: unknown; what: string }[] {
  const { ips, mac, infinibandGuid, portMappings, bandwidth, deviceId } = requests;
  const mappings = portMappings.map((one) => `${one.hostPort}:${one.containerPort}/${one.protocol}`).join(', ');
  const all = [
    { isSet: ips.length > 0, capability: 'ips', value: ips, what: `addresses ${ips.join(', ')}` },
    { isSet: mac !== '', capability: 'mac', value: mac, what: `MAC address ${mac}` },
    {
      isSet: infinibandGuid !== '',
      capability: 'infinibandGUID',
      value: infinibandGuid,
      what: `GUID ${infinibandGuid}`,
    },
    {
      isSet: portMappings.length > 0,
      capability: 'portMappings',
      value: portMappings,
      what: `port mappings ${mappings}`,
    },
    { isSet: bandwidth !== undefined, capability: 'bandwidth', value: bandwidth, what: 'bandwidth' },
    { isSet: deviceId !== '', capability: 'deviceID', value: deviceId, what: `device ${deviceId}` },
  ];
  return all.filter(({ isSet }) => isSet);
}

function declares(network: Network, capability: string): boolean {
  return network.config.plugins.some((plugin) => plugin.capabilities[capability] === true);
}

/**
 * Capability arguments for a network.
 * @throws CniError 7 for a request that no plugin of the network declares to understand (NPWG section 4.1.2.1)
 */
function runtimeConfigOf(network: RequestedNetwork): Record<string, unknown> {
  const { requests, device, label, config } = network;
  const asked = capabilityRequests(requests ?? NO_REQUESTS);
  const isMet = (capability: string): boolean =>
    declares(network, capability) || (capability === 'deviceID' && device !== undefined);
  const lacking = asked.find(({ capability }) => !isMet(capability));
  if (lacking !== undefined) {
    const types = config.plugins.map((plugin) => plugin.type).join(', ');
    throw new CniError(
      CniCode.invalidConfig,
      `Cannot give network "${label}" the requested ${lacking.what}: none of its plugins (${types}) declares "capabilities": {"${lacking.capability}": true}`,
    );
  }
  const values = Object.fromEntries(asked.map(({ capability, value }) => [capability, value]));
  return device === undefined ? values : { ...values, deviceID: device.id };
}

/** What the pod asked for beside what the runtime has for it: of one capability the pod's word counts, but ports add up. */
function withRuntimes(asked: Record<string, unknown>, runtimes: Record<string, unknown>): Record<string, unknown> {
  const ports = [runtimes['portMappings'], asked['portMappings']].flatMap((list) => {
    const decoded = list instanceof RawValue ? list.decoded() : list;
    return Array.isArray(decoded) ? (decoded as unknown[]) : [];
  });
  const isJoined = runtimes['portMappings'] !== undefined && asked['portMappings'] !== undefined;
  return { ...runtimes, ...asked, ...(isJoined ? { portMappings: ports } : {}) };
}

/**
 * CNI_ARGS of a network: the runtime's, but with its own IP and MAC where the pod asked for it. Plugins are always told to
 * ignore what they do not know, as Multus tells them: they would refuse the pod's name.
 */
function argsFor(args: CniArgs, requests: SelectionRequests | undefined): string {
  const own = ['IgnoreUnknown', ...(requests === undefined ? [] : ['IP', 'MAC'])];
  const pairs = args.pairs.filter(([key]) => !own.includes(key));
  if (args.pairs.length > 0 || requests !== undefined) pairs.unshift(['IgnoreUnknown', '1']);
  if (requests === undefined) return formatArgs(pairs);
  if (requests.mac !== '') pairs.push(['MAC', requests.mac]);
  if (requests.ips.length > 0) pairs.push(['IP', requests.ips.join(',')]);
  return formatArgs(pairs);
}

/** What every attachment of a configuration has. */
export function attachmentOf(
  { label, config }: Network,
  ifName: string,
  args: string,
  additions: { runtimeConfig: Record<string, unknown>; cniArgs?: Record<string, RawValue>; deviceId?: string },
): PlannedAttachment {
  return {
    network: label,
    ifName,
    isDefault: false,
    auxiliary: false,
    configName: config.name,
    cniVersion: config.cniVersion,
    disableCheck: config.disableCheck,
    disableGC: config.disableGC,
    source: config.source.text,
    steps: config.plugins.map((plugin) => ({ type: plugin.type, stdin: pluginStdin(config, plugin, additions) })),
    args,
    requestedMac: '',
    requestedIps: [],
    defaultRoute: undefined,
    device: undefined,
    deviceInfoFile: '',
    asked: '',
  };
}

/**
 * Decide one attachment.
 * @throws CniError 7 when the network cannot take what was requested of it
 */
export function planAttachment(
  network: RequestedNetwork,
  ifName: string,
  isDefault: boolean,
  input: AttachmentInput,
): PlannedAttachment {
  const { requests, device, label } = network;
  const deviceInfoFile = input.deviceInfoFile(label, ifName);
  const runtimeConfig = {
    ...withRuntimes(runtimeConfigOf(network), isDefault ? input.runtimeConfig : {}),
    ...(deviceInfoFile === '' ? {} : { CNIDeviceInfoFile: deviceInfoFile }),
  };
  const attachment = attachmentOf(network, ifName, argsFor(input.args, requests), {
    runtimeConfig,
    ...(requests?.cniArgs === undefined ? {} : { cniArgs: requests.cniArgs }),
    ...(device === undefined ? {} : { deviceId: device.id }),
  });
  return {
    ...attachment,
    isDefault,
    requestedMac: requests?.mac ?? '',
    requestedIps: requests?.ips ?? [],
    defaultRoute: requests?.defaultRoute,
    device,
    deviceInfoFile: device !== undefined || declares(network, 'CNIDeviceInfoFile') ? deviceInfoFile : '',
  };
}

/** One plan per family for the whole pod, in the order of its attachments; an empty list clears both families. */
export function planDefaultRoutes(
  attachments: readonly Pick<PlannedAttachment, 'ifName' | 'defaultRoute'>[],
): FamilyRoutes[] {
  const routed = attachments.flatMap(({ ifName, defaultRoute }) =>
    defaultRoute === undefined ? [] : [{ gateways: defaultRoute, ifName }],
  );
  const cleared = routed.some(({ gateways }) => gateways.length === 0);
  return ([4, 6] as const).flatMap((family) => {
    const gateways = routed.flatMap(({ gateways: list, ifName }) =>
      list.filter((gateway) => isIPv6(gateway) === (family === 6)).map((gateway) => ({ gateway, ifName })),
    );
    return gateways.length > 0 || cleared ? [{ family, gateways }] : [];
  });
}

function statusAnnotations({ dialect, additional }: PlanInput): string[] {
  if (dialect === 'npwg') return [STATUS_ANNOTATION];
  return additional.length > 0 ? [TKE_STATUS_ANNOTATION, STATUS_ANNOTATION] : [TKE_STATUS_ANNOTATION];
}

/**
 * Decide every attachment of a pod.
 * @throws CniError 7 when names clash or a network cannot take what was requested of it.
 */
export function planAttachments(input: PlanInput): Plan {
  const { dialect, base, additional, auxiliary } = input;
  const networks = [...base, ...additional];
  const nameRequest = ({ label, requests }: RequestedNetwork) => ({ network: label, ifName: requests?.ifName ?? '' });
  const { names, defaultPosition } = assignIfNames({
    dialect,
    base: base.map(nameRequest),
    additional: additional.map(nameRequest),
    first: input.ifName,
  });
  const nameOf = (position: number): string => names[position] ?? '';
  const attachments: PlannedAttachment[] = networks.map((network, i) => ({
    ...planAttachment(network, nameOf(i), i === defaultPosition, input),
    asked: i < base.length ? '' : askedText(network.requests ?? NO_REQUESTS),
  }));
  if (auxiliary !== undefined) {
    const chain = attachmentOf(auxiliary, nameOf(defaultPosition), argsFor(input.args, undefined), {
      runtimeConfig: {},
    });
    attachments.push({ ...chain, auxiliary: true });
  }
  return {
    attachments,
    defaultRoutes: planDefaultRoutes(attachments),
    statusAnnotations: statusAnnotations(input),
  };
}
