/** Settings of a VF as the requests by which a PF takes them: one attribute, or pair of attributes, at a time. */
import type { NativeVf, NativeVfChange } from '../node/native.ts';
import type { VfSettings } from '../pod/vf-settings.ts';

const LINK_STATES = ['auto', 'enable', 'disable'] as const;
const PROTOCOLS = { '802.1q': 0x8100, '802.1ad': 0x88a8 } as const;

/** A VLAN is set with its priority and protocol; what is not given stays as it is. */
function vlanChange({ vlan, qos, protocol }: VfSettings, now: NativeVf): NativeVfChange[] {
  if (vlan === undefined && qos === undefined && protocol === undefined) return [];
  const kept = now.vlanProtocol === PROTOCOLS['802.1ad'] ? PROTOCOLS['802.1ad'] : PROTOCOLS['802.1q'];
  return [
    {
      vlan: vlan ?? now.vlan ?? 0,
      qos: qos ?? now.qos ?? 0,
      protocol: protocol === undefined ? kept : PROTOCOLS[protocol],
    },
  ];
}

function rateChange({ minTxRate, maxTxRate }: VfSettings, now: NativeVf): NativeVfChange[] {
  if (minTxRate === undefined && maxTxRate === undefined) return [];
  return [{ minTxRate: minTxRate ?? now.minTxRate ?? 0, maxTxRate: maxTxRate ?? now.maxTxRate ?? 0 }];
}

/**
 * In the order in which sriov-cni sets them.
 * @param now as the PF reports the VF
 */
export function vfChanges(settings: VfSettings, now: NativeVf): NativeVfChange[] {
  const { mac, spoofCheck, trust, linkState } = settings;
  return [
    ...vlanChange(settings, now),
    ...(mac === undefined ? [] : [{ mac }]),
    ...rateChange(settings, now),
    ...(spoofCheck === undefined ? [] : [{ spoofCheck }]),
    ...(trust === undefined ? [] : [{ trust }]),
    ...(linkState === undefined ? [] : [{ linkState: LINK_STATES.indexOf(linkState) }]),
  ];
}
