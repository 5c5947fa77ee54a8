/** What an SR-IOV plugin's configuration asks of a virtual function, under one set of names for all that know of it. */
import { parseArgs } from '../cni/args.ts';
import { RawObject } from '../cni/raw-json.ts';
import { isRecord } from './config-keys.ts';

/** A key that is absent was not asked for. Values as the kernel has them, not as configurations spell them. */
export interface VfSettings {
  /** 0 = untagged. */
  vlan?: number;
  /** 802.1p priority, 0-7. */
  qos?: number;
  protocol?: '802.1q' | '802.1ad';
  /** On the PF ("admin MAC"); lower-case. */
  mac?: string;
  spoofCheck?: boolean;
  trust?: boolean;
  linkState?: 'auto' | 'enable' | 'disable';
  /** Mbit/s, 0 = no limit. */
  minTxRate?: number;
  maxTxRate?: number;
}

/** In the order in which they are compared and shown. */
export const VF_SETTINGS = [
  'vlan',
  'qos',
  'protocol',
  'mac',
  'spoofCheck',
  'trust',
  'linkState',
  'minTxRate',
  'maxTxRate',
] as const satisfies readonly (keyof VfSettings)[];

/** A whole number from 0; the plugin refuses anything else, so that it asks for nothing. */
function whole(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** sriov-cni has no third value: what is given and is not "on" means off. */
function onOff(value: unknown): boolean | undefined {
  return text(value) === '' ? undefined : value === 'on';
}

/** As the kernel writes it; Go reads dashes and Cisco's dots as well (net.ParseMAC). */
function macOf(value: unknown): string | undefined {
  const digits = text(value).replaceAll(/[-:.]/g, '').toLowerCase();
  return /^(?:[0-9a-f]{2})+$/.test(digits) ? digits.replaceAll(/..(?=.)/g, '$&:') : undefined;
}

function linkStateOf(value: unknown): VfSettings['linkState'] {
  return (['auto', 'enable', 'disable'] as const).find((state) => state === value);
}

/**
 * The VLAN, with what a plugin sets along with it: the kernel takes VLAN, QoS and protocol in one request, so that who
 * asks for a VLAN alone gets QoS 0 and 802.1Q. Without a VLAN the other two are refused.
 */
function vlanOf(config: RawObject, args: ReadonlyMap<string, string>): VfSettings {
  // TencentSA's generation had the VLAN in CNI_ARGS, and `master` in the place of a device's address.
  const isByArgs = !config.has('vlan') && !config.has('deviceID') && config.has('master');
  const vlan = whole(isByArgs ? numberOf(args.get('VLAN')) : config.value('vlan'));
  if (vlan === undefined) return {};
  const protocol = text(config.value('vlanProto')).toLowerCase();
  return { vlan, qos: whole(config.value('vlanQoS')) ?? 0, protocol: protocol === '802.1ad' ? '802.1ad' : '802.1q' };
}

function numberOf(digits: string | undefined): number | undefined {
  return digits === undefined || !/^\d+$/.test(digits) ? undefined : Number(digits);
}

/** Plugins ignore what they do not know of CNI_ARGS; what is no list of pairs they refuse themselves. */
function argsOf(argsText: string): ReadonlyMap<string, string> {
  try {
    return new Map(parseArgs(argsText).pairs);
  } catch {
    return new Map();
  }
}

function objectOf(config: RawObject | unknown): RawObject | undefined {
  if (config instanceof RawObject) return config;
  return isRecord(config) ? RawObject.parse(JSON.stringify(config), 'SR-IOV configuration') : undefined;
}

/**
 * What a plugin's configuration asks of its VF: keys of sriov-cni (`vlan`, `vlanQoS`, `vlanProto`, `mac`, `spoofchk`,
 * `trust`, `link_state`, `min_tx_rate`, `max_tx_rate`), which earlier generations (Intel's, TKE's) have too as far as they
 * know them; keys match as Go matches them. Of the MAC addresses that of `runtimeConfig` counts, then that of CNI_ARGS,
 * then `mac`. A `vlan` of 0 asks for no tag; without the key nothing is asked, and the VF keeps the VLAN that it has.
 *
 * Never throws: what cannot be read asks for nothing, it is for the plugin to refuse it.
 * @param config as its plugin gets it, or decoded (sriov-cni's cache has the same keys)
 * @param argsText CNI_ARGS
 */
export function readVfSettings(config: RawObject | unknown, argsText = ''): VfSettings {
  const object = objectOf(config);
  if (object === undefined) return {};
  const args = argsOf(argsText);
  const runtime = objectOf(object.value('runtimeConfig'));
  const settings: Record<Exclude<keyof VfSettings, 'vlan' | 'qos' | 'protocol'>, unknown> = {
    mac: macOf(runtime?.value('mac')) ?? macOf(args.get('MAC')) ?? macOf(object.value('mac')),
    spoofCheck: onOff(object.value('spoofchk')),
    trust: onOff(object.value('trust')),
    linkState: linkStateOf(object.value('link_state')),
    minTxRate: whole(object.value('min_tx_rate')),
    maxTxRate: whole(object.value('max_tx_rate')),
  };
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return { ...vlanOf(object, args), ...Object.fromEntries(given) };
}
