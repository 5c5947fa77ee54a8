/** What was asked of a VF against what its PF's driver reports: pure, one verdict for each setting. */
import type { NativeVf } from '../node/native.ts';
import type { VfSettings } from '../pod/vf-settings.ts';
import type { CheckStatus } from './model.ts';

/** `inheritedVlan`: nobody asked for a VLAN, and the VF has the one that somebody before left on it. */
export interface SettingCheck {
  setting: keyof VfSettings | 'inheritedVlan';
  /** `unknown`: the driver does not tell, or it is decided elsewhere; no verdict either way. */
  status: CheckStatus;
  expected: string;
  actual: string;
  /** A sentence about the VF, without the subject: "must have VLAN 210, it has 211". */
  message: string;
}

export interface VfContext {
  /** Driver of the PF: some say a thing in a way of their own. '' unknown. */
  pfDriver: string;
  /** VLANs are not on the VF then, but on its representor and the software switch. */
  isSwitchdev: boolean;
  /** MAC address of the VF's own network device, where one is known: it counts while the PF has none for the VF. */
  effectiveMac?: string;
}

/** Where the pod itself may tag: ConnectX-3 (mlx4) reports this in the place of "no VLAN". */
const MLX4_UNTAGGED = 4095;
const LINK_STATES = ['auto', 'enable', 'disable'];
const NO_MAC = /^00(:00)*$/;

/** A VF's VLAN as configurations know it: 0 = none; undefined = the driver does not tell. */
export function vlanOn({ vlan }: NativeVf, pfDriver: string): number | undefined {
  if (vlan === MLX4_UNTAGGED && pfDriver.startsWith('mlx4')) return 0;
  return vlan ?? undefined;
}

/** mlx5 reports 0, and kernels before 4.9 nothing, for what all others call 802.1Q. */
export function protocolOn({ vlanProtocol }: NativeVf): string {
  switch (vlanProtocol) {
    case null:
    case 0:
    case 0x8100:
      return '802.1q';
    case 0x88a8:
      return '802.1ad';
    default:
      return `0x${vlanProtocol.toString(16)}`;
  }
}

/** Its VFs have GUIDs; the MAC addresses that the driver reports of them are the PF's own. */
function isInfiniBand({ nodeGuid, portGuid, mac }: NativeVf): boolean {
  return nodeGuid !== null || portGuid !== null || (mac ?? '').split(':').length > 6;
}

function onOff(value: boolean): string {
  return value ? 'on' : 'off';
}

function flag(value: boolean | null): string | undefined {
  return value === null ? undefined : onOff(value);
}

function linkStateOn({ linkState }: NativeVf): string | undefined {
  return linkState === null ? undefined : (LINK_STATES[linkState] ?? String(linkState));
}

function vlanText(vlan: number): string {
  return vlan === 0 ? 'none' : String(vlan);
}

function rateText(rate: number): string {
  return rate === 0 ? 'none' : `${rate} Mbit/s`;
}

function rate(value: number | null): string | undefined {
  return value === null ? undefined : rateText(value);
}

/** @param actual undefined: the driver does not report it */
function compared(
  setting: SettingCheck['setting'],
  name: string,
  expected: string,
  actual: string | undefined,
): SettingCheck {
  const check = { setting, expected, actual: actual ?? 'unknown' };
  if (actual === undefined) {
    return { ...check, status: 'unknown', message: `must have ${name} ${expected}, its driver does not report it` };
  }
  if (actual === expected) return { ...check, status: 'pass', message: `has ${name} ${expected} as asked for` };
  return { ...check, status: 'fail', message: `must have ${name} ${expected}, it has ${actual}` };
}

function asksForVlan({ vlan, qos, protocol }: VfSettings): boolean {
  return vlan !== undefined || qos !== undefined || protocol !== undefined;
}

/** Only where VFs have representors: no VLAN of theirs is anywhere else. */
function vlanOfRepresentor({ vlan }: VfSettings): SettingCheck {
  const expected = vlan === undefined ? 'any' : vlanText(vlan);
  const message =
    'has its VLAN on its representor and in the switch that this is in: look there, the PF is in switchdev mode';
  return { setting: 'vlan', status: 'unknown', expected, actual: 'unknown', message };
}

function vlanChecks({ vlan, qos, protocol }: VfSettings, vf: NativeVf, pfDriver: string): SettingCheck[] {
  const present = vlanOn(vf, pfDriver);
  const checks: SettingCheck[] = [];
  if (vlan !== undefined) {
    checks.push(compared('vlan', 'VLAN', vlanText(vlan), present === undefined ? undefined : vlanText(present)));
  }
  // Without a tag there is no priority and no protocol: what drivers report of them then means nothing.
  if (vlan === 0 || present === 0) return checks;
  if (qos !== undefined) {
    checks.push(compared('qos', 'QoS', String(qos), vf.qos === null ? undefined : String(vf.qos)));
  }
  if (protocol !== undefined) {
    checks.push(compared('protocol', 'VLAN protocol', protocol, present === undefined ? undefined : protocolOn(vf)));
  }
  return checks;
}

function inheritedVlan(vf: NativeVf, pfDriver: string): SettingCheck {
  const check = { setting: 'inheritedVlan', expected: 'none' } as const;
  const vlan = vlanOn(vf, pfDriver);
  if (vlan === undefined) {
    const message = 'is asked for no VLAN, and its driver does not report whether it has one';
    return { ...check, status: 'unknown', actual: 'unknown', message };
  }
  const actual = vlanText(vlan);
  if (vlan === 0) return { ...check, status: 'pass', actual, message: 'has no VLAN' };
  const message = `has VLAN ${vlan} from before: nobody asked for one, and the pod is in it; "vlan": 0 asks for none`;
  return { ...check, status: 'warn', actual, message };
}

function macCheck(mac: string, vf: NativeVf, effectiveMac = ''): SettingCheck {
  const check = { setting: 'mac', status: 'unknown', expected: mac } as const;
  if (isInfiniBand(vf)) {
    const message = `must have MAC ${mac}, but InfiniBand has GUIDs: node ${vf.nodeGuid ?? 'unknown'}, port ${vf.portGuid ?? 'unknown'}`;
    return { ...check, actual: 'unknown', message };
  }
  if (vf.mac === null || !NO_MAC.test(vf.mac)) return compared('mac', 'MAC', mac, vf.mac ?? undefined);
  // The PF leaves the address to the VF.
  if (effectiveMac !== '') return compared('mac', 'MAC', mac, effectiveMac);
  return { ...check, actual: 'unset', message: `must have MAC ${mac}, its PF leaves that to its network device` };
}

/**
 * Each setting that is asked for, in the order of VF_SETTINGS, and `inheritedVlan` in the place of a VLAN that is not. What
 * means nothing beside the others is left out: the QoS of a VF without a VLAN.
 */
export function compareVf(expected: VfSettings, vf: NativeVf, context: VfContext): SettingCheck[] {
  const { pfDriver, isSwitchdev, effectiveMac } = context;
  const { mac, spoofCheck, trust, linkState, minTxRate, maxTxRate } = expected;
  const checks: SettingCheck[] = [];
  if (!isSwitchdev) checks.push(...vlanChecks(expected, vf, pfDriver));
  else if (asksForVlan(expected)) checks.push(vlanOfRepresentor(expected));
  if (!isSwitchdev && expected.vlan === undefined) checks.push(inheritedVlan(vf, pfDriver));
  if (mac !== undefined) checks.push(macCheck(mac, vf, effectiveMac));
  if (spoofCheck !== undefined)
    checks.push(compared('spoofCheck', 'spoof check', onOff(spoofCheck), flag(vf.spoofCheck)));
  if (trust !== undefined) checks.push(compared('trust', 'trust', onOff(trust), flag(vf.trust)));
  if (linkState !== undefined) checks.push(compared('linkState', 'link state', linkState, linkStateOn(vf)));
  if (minTxRate !== undefined)
    checks.push(compared('minTxRate', 'minimum rate', rateText(minTxRate), rate(vf.minTxRate)));
  if (maxTxRate !== undefined)
    checks.push(compared('maxTxRate', 'maximum rate', rateText(maxTxRate), rate(vf.maxTxRate)));
  return checks;
}
