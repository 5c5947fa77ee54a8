/** What an operator would type to mend a VF: words of ip-link(8), safe to be pasted into a shell. */
import type { VfSettings } from '../pod/vf-settings.ts';

/** A link, and the namespace that a command must enter to reach it. */
export interface Target {
  name: string;
  /** '' = the host's. */
  netnsPath: string;
}

/** Pods name links as they like, and the kernel takes almost any byte in a name. */
export function shellWord(text: string): string {
  return /^[\w.:@%+=/,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

export function ipLinkSet({ name, netnsPath }: Target, what: string): string {
  const inside = netnsPath === '' ? '' : `nsenter --net=${shellWord(netnsPath)} `;
  return `${inside}ip link set ${shellWord(name)} ${what}`;
}

function onOff(value: boolean): string {
  return value ? 'on' : 'off';
}

/** A VF's settings behind `vf N`; QoS and protocol go with a VLAN only. */
export function vfWords(settings: VfSettings): string {
  const { vlan, qos, protocol, mac, minTxRate, maxTxRate, spoofCheck, trust, linkState } = settings;
  const isTagged = vlan !== undefined && vlan > 0;
  return [
    ...(vlan === undefined ? [] : [`vlan ${vlan}`]),
    ...(!isTagged || qos === undefined ? [] : [`qos ${qos}`]),
    ...(!isTagged || protocol !== '802.1ad' ? [] : ['proto 802.1ad']),
    ...(mac === undefined ? [] : [`mac ${mac}`]),
    ...(maxTxRate === undefined ? [] : [`max_tx_rate ${maxTxRate}`]),
    ...(minTxRate === undefined ? [] : [`min_tx_rate ${minTxRate}`]),
    ...(spoofCheck === undefined ? [] : [`spoofchk ${onOff(spoofCheck)}`]),
    ...(trust === undefined ? [] : [`trust ${onOff(trust)}`]),
    ...(linkState === undefined ? [] : [`state ${linkState}`]),
  ].join(' ');
}
