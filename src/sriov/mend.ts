/** What would mend a check that fails: the command that an operator would type, and the same for `--fix`. */
import type { VfSettings } from '../pod/vf-settings.ts';
import type { Fix, PfState, PlacedLink, VfState } from './model.ts';

/** Safe to be pasted into a shell: the kernel takes almost any byte in a name. */
function word(text: string): string {
  return /^[\w.:@%+=/,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** `ip` in the namespace of the link. */
function ip({ netns, link }: PlacedLink, what: string): string {
  const inside = netns.isHost ? '' : `nsenter --net=${word(netns.path)} `;
  return `${inside}ip link set ${word(link.name)} ${what}`;
}

function onOff(value: boolean): string {
  return value ? 'on' : 'off';
}

/** In the words of ip-link(8). */
function spelled({ vlan, qos, protocol, mac, minTxRate, maxTxRate, spoofCheck, trust, linkState }: VfSettings): string {
  return [
    ...(vlan === undefined ? [] : [`vlan ${vlan}`]),
    ...(vlan === undefined || qos === undefined ? [] : [`qos ${qos}`]),
    ...(vlan === undefined || protocol !== '802.1ad' ? [] : ['proto 802.1ad']),
    ...(mac === undefined ? [] : [`mac ${mac}`]),
    ...(maxTxRate === undefined ? [] : [`max_tx_rate ${maxTxRate}`]),
    ...(minTxRate === undefined ? [] : [`min_tx_rate ${minTxRate}`]),
    ...(spoofCheck === undefined ? [] : [`spoofchk ${onOff(spoofCheck)}`]),
    ...(trust === undefined ? [] : [`trust ${onOff(trust)}`]),
    ...(linkState === undefined ? [] : [`state ${linkState}`]),
  ].join(' ');
}

/**
 * Set a VF on its PF.
 * @param isIdle no container has it: `--fix` may do it, too
 * @returns undefined when nobody knows where the PF is, or nothing is to be set
 */
export function setVf(pf: PfState, { index }: VfState, settings: VfSettings, isIdle: boolean): Fix | undefined {
  const what = spelled(settings);
  if (pf.place === undefined || what === '') return undefined;
  const command = ip(pf.place, `vf ${index} ${what}`);
  return { command, action: isIdle ? { kind: 'set-vf', pf: pf.place, vf: index, settings } : undefined };
}

/** Give an interface its name back. */
export function rename(place: PlacedLink, name: string, isIdle: boolean): Fix {
  return { command: ip(place, `name ${word(name)}`), action: isIdle ? { kind: 'rename', place, name } : undefined };
}

/** Bring an interface back to the namespace of pid 1, under this name. */
export function moveToHost(place: PlacedLink, name: string, isIdle: boolean): Fix {
  const command = ip(place, `netns 1 name ${word(name)}`);
  return { command, action: isIdle ? { kind: 'move-to-host', place, name } : undefined };
}

/** Remove a file that says what is not so. */
export function removeFile(path: string, isIdle: boolean): Fix | undefined {
  if (!path.startsWith('/')) return undefined;
  return { command: `rm ${word(path)}`, action: isIdle ? { kind: 'remove-file', path } : undefined };
}

/** What only a person may do, in whose place no program knows better. */
export function advise(command: string): Fix {
  return { command, action: undefined };
}
