/** A VF as it was before a container got it, and what of that is no longer so once the container has given it back. */
import type { NativeVf } from '../node/native.ts';
import type { VfSettings } from '../pod/vf-settings.ts';
import { pfNameOf, type VfReport } from './ask-vf.ts';
import { compareVf, protocolOn, type SettingCheck, vlanOn } from './compare-vf.ts';
import type { FoundVf } from './find-vf.ts';

export interface VfBefore {
  /** "0000:01:10.6" */
  address: string;
  pfAddress: string;
  /** Name of the PF's network device, or its address. */
  pf: string;
  index: number;
  /** Name of the VF's network device on the host; '' = it had none there, undefined = nobody knows. */
  hostName: string | undefined;
  /** What the PF's driver reported; a key that is absent is not known. */
  settings: VfSettings;
}

const LINK_STATES = ['auto', 'enable', 'disable'] as const;

/** The setting that a check is of, with those that the kernel takes along with it. */
export function settingsToRestore(before: VfSettings, checks: readonly SettingCheck[]): VfSettings {
  const { vlan, qos, protocol, ...others } = before;
  const isVlan = checks.some(({ setting }) => setting === 'vlan' || setting === 'qos' || setting === 'protocol');
  const kept = Object.entries(others).filter(([key]) => checks.some(({ setting }) => setting === key));
  return { ...(isVlan ? { vlan, qos, protocol } : {}), ...Object.fromEntries(kept) } as VfSettings;
}

/** All that a driver reports of a VF, in the words of configurations. */
export function settingsOn(vf: NativeVf, pfDriver: string): VfSettings {
  const vlan = vlanOn(vf, pfDriver);
  const protocol = protocolOn(vf);
  const isTagged = vlan !== undefined && vlan !== 0;
  const all: { [Key in keyof VfSettings]: VfSettings[Key] | undefined } = {
    vlan,
    qos: isTagged ? (vf.qos ?? undefined) : undefined,
    protocol: isTagged && (protocol === '802.1q' || protocol === '802.1ad') ? protocol : undefined,
    mac: vf.mac ?? undefined,
    spoofCheck: vf.spoofCheck ?? undefined,
    trust: vf.trust ?? undefined,
    linkState: LINK_STATES[vf.linkState ?? -1],
    minTxRate: vf.minTxRate ?? undefined,
    maxTxRate: vf.maxTxRate ?? undefined,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** What is to be remembered of a VF that somebody will get. @param netdevs its network devices on the host */
export function vfBefore(report: VfReport, netdevs: readonly string[]): VfBefore {
  const { device, pf, reported } = report;
  return {
    address: device.address,
    pfAddress: device.pfAddress,
    pf: pfNameOf(report),
    index: device.index,
    hostName: netdevs[0] ?? '',
    settings: reported === undefined ? {} : settingsOn(reported, pf?.driver ?? ''),
  };
}

/** The same of one that a plugin chose itself: only that it is to be without the VLAN again that was asked for is certain. */
export function unseenVf(device: FoundVf, asked: VfSettings): VfBefore {
  const { address, pfAddress, index, pfNetdevs } = device;
  const settings = asked.vlan === undefined ? {} : { vlan: 0 };
  return { address, pfAddress, pf: pfNetdevs[0] ?? pfAddress, index, hostName: undefined, settings };
}

/**
 * Settings that are not as they were. The PF's MAC address for the VF counts only when it is the pod's: after an orderly
 * DEL by sriov-cni it is the VF's own, which the VF itself has set.
 * @param asked for the container
 */
export function notReset(before: VfBefore, asked: VfSettings, { pf, reported }: VfReport): SettingCheck[] {
  if (pf === undefined || reported === undefined) return [];
  const { mac, ...settings } = before.settings;
  const isPods = asked.mac !== undefined && asked.mac === reported.mac;
  const expected = isPods && mac !== undefined ? { ...settings, mac } : settings;
  const checks = compareVf(expected, reported, { pfDriver: pf.driver, isSwitchdev: pf.isSwitchdev });
  return checks.filter(({ status }) => status === 'fail');
}
