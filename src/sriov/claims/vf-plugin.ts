/** Which plugin of a network takes a VF, which VF, and what it sets on it: from the configuration that it gets. */
import { parseArgs } from '../../cni/args.ts';
import { CniError } from '../../cni/errors.ts';
import { RawObject } from '../../cni/raw-json.ts';
import { readVfSettings, type VfSettings } from '../../pod/vf-settings.ts';
import { pciAddress } from './claim.ts';

export interface VfPlugin {
  /** PCI address, '' when the configuration does not name it. */
  address: string;
  /** Name of the PF, as plugins of 2016-18 want it; '' where the address decides. */
  pf: string;
  vf: number | undefined;
  /** undefined: the plugin may well set up the VF, by keys that are not known here. */
  settings: VfSettings | undefined;
}

/** sriov-cni, what was made of it, and TKE's: "sriov", "ib-sriov", "tke-sriov". */
function isSriov(type: string): boolean {
  return type.toLowerCase().includes('sriov');
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Where device plugins' IDs are handed over: by Multus and by us, by runtimes, and as host-device reads them. */
function addressOf(config: RawObject): string {
  const runtime = config.value('runtimeConfig') as { deviceID?: unknown } | undefined;
  const values = [config.value('deviceID'), config.value('pciBusID'), runtime?.deviceID];
  return values.map(pciAddress).find((address) => address !== '') ?? '';
}

/** CNI_ARGS of TencentSA's generation: 0 means any. */
function indexOf(args: string): number | undefined {
  try {
    const index = Number(parseArgs(args).get('VF') ?? 0);
    return Number.isSafeInteger(index) && index > 0 ? index : undefined;
  } catch {
    return undefined; // the plugin refused them
  }
}

function settingsOf(type: string, config: RawObject, args: string): VfSettings | undefined {
  if (isSriov(type)) return readVfSettings(config, args);
  return type === 'host-device' ? {} : undefined; // it moves the VF as it is
}

/**
 * @param plugins in the order in which they run, each with the configuration that it gets
 * @param args CNI_ARGS
 * @returns undefined when none of them takes a VF
 * @throws CniError 6 when a configuration is not JSON
 */
export function vfPluginOf(plugins: readonly { type: string; stdin: string }[], args = ''): VfPlugin | undefined {
  const read = plugins.map(({ type, stdin }) => ({ type, config: RawObject.parse(stdin, `configuration of ${type}`) }));
  const found = read.find(({ type }) => isSriov(type)) ?? read.find(({ config }) => addressOf(config) !== '');
  if (found === undefined) return undefined;
  const { type, config } = found;
  const address = addressOf(config);
  const isOld = address === '' && isSriov(type);
  return {
    address,
    pf: isOld ? text(config.value('if0')) || text(config.value('master')) : '',
    vf: isOld ? indexOf(args) : undefined,
    settings: settingsOf(type, config, args),
  };
}

/** Why something cannot be used, of one of our errors; anything else is a mistake of ours. */
export function problemOf(error: unknown): string {
  if (error instanceof CniError) return error.details === '' ? error.message : `${error.message} (${error.details})`;
  throw error;
}
