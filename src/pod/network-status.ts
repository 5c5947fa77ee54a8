/**
 * What a pod is attached to, as the text of its network-status annotation (NPWG specification 1.3, section 5): key by
 * key as Multus writes it, because its consumers compare and cut texts. Pure.
 */
import { canonicalAddress } from '../cni/ip.ts';
import { isInSandbox, podInterfaceIndex } from '../cni/pod-interface.ts';
import type { CniDns, CniResult } from '../cni/result.ts';

/** A network that the pod has, with its result; the result's interfaces have the names that they have in the pod. */
export interface AttachedNetwork {
  /** `namespace/name` of a definition, else the configuration's name. */
  network: string;
  ifName: string;
  /** Its result answers the request. */
  isDefault: boolean;
  result: CniResult;
  /** Content of its device information file (NPWG device-info specification). */
  deviceInfo: Record<string, unknown> | undefined;
}

interface PodLink {
  name: string;
  mac: string;
  mtu: number;
}

/** What the kernel has in the pod. */
export interface PodNetwork {
  links: readonly PodLink[];
  /** The preferred one first; gateway '' = it has none. */
  defaultRoutes: readonly { ifName: string; gateway: string }[];
}

/** What is told of one interface. */
interface Shown extends PodLink {
  ips: string[];
}

/**
 * The interfaces of an attachment, at least one; its name is '' when nothing is in the pod under the attachment's name
 * (section 5.1.1 wants an entry all the same).
 *
 * MAC and MTU are the kernel's. An address without an index, or with one beyond the list, belongs to the attachment's
 * own interface; one of a host interface is left out. A further interface that the kernel does not have is left out;
 * the attachment's own is told as the plugin has it (it passed `verify`, as one without a network device does).
 */
function shownInterfaces({ result, ifName }: AttachedNetwork, pod: PodNetwork): Shown[] {
  const links = new Map(pod.links.map((link) => [link.name, link]));
  const own = podInterfaceIndex(result, ifName);
  const bare = (address: string): string => canonicalAddress(address.split('/')[0] ?? '');
  if (own < 0) {
    const link = links.get(ifName) ?? { name: '', mac: '', mtu: 0 };
    return [{ ...link, ips: result.ips.map(({ address }) => bare(address)) }];
  }
  const owner = (index = own): number => (index in result.interfaces ? index : own);
  return result.interfaces.flatMap((one, index) => {
    const link = links.get(one.name);
    if (!isInSandbox(one) || (link === undefined && index !== own)) return [];
    const ips = result.ips.filter((ip) => owner(ip.interface) === index).map(({ address }) => bare(address));
    return [{ name: one.name, mac: link?.mac ?? one.mac ?? '', mtu: link?.mtu ?? one.mtu ?? 0, ips }];
  });
}

/** Without what Go leaves out: '', 0, false, nothing, and what is empty. */
function present(fields: object): object {
  const isEmpty = (value: unknown): boolean =>
    !value || (typeof value === 'object' && Object.keys(value as object).length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}

function entryOf(attached: AttachedNetwork, one: Shown, gateway: string[], isDefault: boolean): object {
  const { nameservers, domain, search, options }: CniDns = attached.result.dns;
  return {
    name: attached.network,
    ...present({ interface: one.name, ips: one.ips, mac: one.mac, mtu: one.mtu, default: isDefault }),
    dns: present({ nameservers, domain, search, options }),
    ...present({ 'device-info': attached.deviceInfo, gateway }),
  };
}

/** JSON as Go's encoder escapes it. */
function goJson(value: object): string {
  return JSON.stringify(value, null, 4).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * The annotation's text: an entry for each interface of each attachment, in their order, each with its own default
 * gateways. One entry is the default one: of the attachment that answers the request, the interface with the default
 * route, else its first.
 */
export function formatNetworkStatus(attachments: readonly AttachedNetwork[], pod: PodNetwork): string {
  const shown = attachments.flatMap((attached) =>
    shownInterfaces(attached, pod).map((one) => {
      const routes = one.name === '' ? [] : pod.defaultRoutes.filter(({ ifName }) => ifName === one.name);
      return { attached, one, routes };
    }),
  );
  const answering = shown.filter(({ attached }) => attached.isDefault);
  const chosen = answering.find(({ routes }) => routes.length > 0) ?? answering[0];
  const entries = shown.map((entry) => {
    const gateways = entry.routes.map(({ gateway }) => gateway).filter((gateway) => gateway !== '');
    return goJson(entryOf(entry.attached, entry.one, gateways, entry === chosen));
  });
  return `[${entries.join(',')}]`;
}
