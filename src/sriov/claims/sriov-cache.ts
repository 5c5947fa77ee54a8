/**
 * One cache file of sriov-cni, `<folder>/<container>-<interface>`: the configuration that ADD ran with, completed by
 * the plugin with the PF (`Master`), the index (`VFID`) and the VF as it was before (`OrigVfState`). Pure parsing.
 */
import { CniCode, CniError } from '../../cni/errors.ts';
import { quote } from '../../cni/quote.ts';
import { RawObject } from '../../cni/raw-json.ts';
import { ConfigKeys } from '../../pod/config-keys.ts';
import { readVfSettings, type VfSettings } from '../../pod/vf-settings.ts';
import type { VfClaim } from '../model.ts';
import { claimOf, pciAddress } from './claim.ts';

/** It is of the generation of 2017/18, whose files tell neither the VF nor its settings. */
export class OldCacheError extends CniError {}

/** Keys of that generation, of which sriov-cni's later ones have none. */
const OLD_KEYS = ['if0', 'if0name', 'l2enable', 'pfNetdevices', 'dpdk_driver', 'kernel_driver', 'cniDir'];

const LONG_ID = /^(.*?[0-9a-f]{64})-(.+)$/;

/**
 * Which container and interface a file is of: both may contain hyphens.
 * @param known IDs of containers that others know
 * @returns undefined when the name is not of that form
 */
export function splitCacheName(
  name: string,
  known: readonly string[],
): { containerId: string; ifName: string } | undefined {
  const owner = known.find((id) => name.startsWith(`${id}-`) && name.length > id.length + 1);
  if (owner !== undefined) return { containerId: owner, ifName: name.slice(owner.length + 1) };
  const [, long, rest] = LONG_ID.exec(name) ?? [];
  if (long !== undefined && rest !== undefined) return { containerId: long, ifName: rest };
  const hyphen = name.lastIndexOf('-');
  if (hyphen <= 0 || hyphen === name.length - 1) return undefined;
  return { containerId: name.slice(0, hyphen), ifName: name.slice(hyphen + 1) };
}

const LINK_STATES = ['auto', 'enable', 'disable'] as const;
const PROTOCOLS = new Map<number, '802.1q' | '802.1ad'>([
  [0, '802.1q'], // as drivers report it that fill in nothing
  [0x8100, '802.1q'],
  [0x88a8, '802.1ad'],
]);

/** A MAC of zeros: none was set. */
const NO_MAC = /^(00:)*00$/;

/** The VF before ADD. @throws CniError 7 */
function originalOf(keys: ConfigKeys): { hostName: string; settings: VfSettings } {
  const mac = keys.text('AdminMAC', '').toLowerCase();
  const linkState = LINK_STATES[keys.number('LinkState', 0, 0)];
  const protocol = PROTOCOLS.get(keys.number('VlanProto', 0, 0));
  const settings: VfSettings = {
    vlan: keys.number('Vlan', 0, 0),
    qos: keys.number('VlanQoS', 0, 0),
    ...(protocol === undefined ? {} : { protocol }),
    ...(NO_MAC.test(mac) || mac === '' ? {} : { mac }),
    spoofCheck: keys.flag('SpoofChk', false),
    trust: keys.flag('Trust', false),
    ...(linkState === undefined ? {} : { linkState }),
    minTxRate: keys.number('MinTxRate', 0, 0),
    maxTxRate: keys.number('MaxTxRate', 0, 0),
  };
  return { hostName: keys.text('HostIFName', ''), settings };
}

/** What was asked for. A value of the wrong kind did not come from the plugin. @throws CniError 7 */
function settingsOf(keys: ConfigKeys, file: RawObject): VfSettings {
  for (const key of ['vlan', 'vlanQoS', 'min_tx_rate', 'max_tx_rate']) keys.number(key, 0, 0);
  for (const key of ['vlanProto', 'MAC', 'spoofchk', 'trust', 'link_state']) keys.text(key, '');
  return readVfSettings(file);
}

function addressOf(keys: ConfigKeys): string {
  const value = keys.text('deviceID', '');
  const address = pciAddress(value);
  if (address === '') throw keys.refuse('deviceID', 'a PCI address such as "0000:01:10.0"', value);
  return address;
}

/**
 * @param path of the file: the claim's origin
 * @throws OldCacheError; CniError 6 or 7 naming the file and the key that cannot be used
 */
export function parseSriovCache(text: string, path: string, known: readonly string[] = []): VfClaim {
  const what = `sriov-cni cache ${path}`;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const owner = splitCacheName(name, known);
  if (owner === undefined) {
    const problem = `its name must be <container>-<interface>, got ${quote(name)}`;
    throw new CniError(CniCode.invalidConfig, `Cannot use ${what}: ${problem}`);
  }
  const file = RawObject.parse(text, what);
  if (!file.has('deviceID') && OLD_KEYS.some((key) => file.has(key))) {
    const problem = 'it is of an SR-IOV plugin of 2017/18, whose files do not tell the VF; skipped';
    throw new OldCacheError(CniCode.invalidConfig, `Cannot use ${what}: ${problem}`);
  }
  const keys = new ConfigKeys(file, what);
  const original = file.object('OrigVfState', `${what}, key "OrigVfState"`);
  return claimOf('sriov-cache', path, {
    ...owner,
    address: addressOf(keys),
    pf: keys.text('Master', ''),
    vf: keys.has('VFID') ? keys.number('VFID', 0, 0) : undefined,
    network: keys.text('name', ''),
    settings: settingsOf(keys, file),
    original: original && originalOf(new ConfigKeys(original, original.what)),
  });
}
