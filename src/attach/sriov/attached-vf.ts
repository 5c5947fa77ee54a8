/** Which virtual function an attachment uses, if any. Nothing is read of the system unless something names a PCI device. */
import { join } from 'node:path';
import { RawObject } from '../../cni/raw-json.ts';
import type { CniResult } from '../../cni/result.ts';
import type { NativeLink } from '../../node/native.ts';
import type { PlannedAttachment } from '../../pod/plan.ts';
import type { VfSettings } from '../../pod/vf-settings.ts';
import { type AskOptions, askVf, type VfReport } from '../../sriov/ask-vf.ts';
import { pciAddress } from '../../sriov/claims/claim.ts';
import { type VfPlugin, vfPluginOf } from '../../sriov/claims/vf-plugin.ts';
import { type FoundVf, lookUpVf } from '../../sriov/find-vf.ts';
import type { PlacedLink } from '../../sriov/model.ts';
import { linkName, netdevsOf, SYSFS } from '../../sriov/pci.ts';
import { isUserSpaceDriver } from '../../sriov/user-space-driver.ts';
import { whereIsVf } from '../../sriov/where-vf.ts';
import { deviceInfoOf } from '../device-info-files.ts';
import type { Log } from '../operation.ts';

/** What is asked about VFs; tests answer it themselves. */
export interface VfQuestions {
  /** undefined: no VF has that address. */
  find(address: string): FoundVf | undefined;
  /** Address of the VF of a PF by name, '' when there is none. */
  addressOf(pf: string, index: number): string;
  ask(device: FoundVf, options?: AskOptions): Promise<VfReport>;
  /** Names of its network devices in the host's namespace. */
  netdevs(address: string): string[];
  /** Where its network device is; undefined when it is nowhere to be found. */
  where(address: string): Promise<PlacedLink | undefined>;
}

/** As sysfs and netlink answer. */
export const THIS_NODE: VfQuestions = {
  find: lookUpVf,
  addressOf: (pf, index) => linkName(join(SYSFS, 'class/net', pf), 'device', `virtfn${index}`),
  ask: askVf,
  netdevs: netdevsOf,
  where: whereIsVf,
};

/** What the attachment's configuration says of a VF; undefined when none of its plugins takes one. */
export function vfPlugin({ steps, args, auxiliary }: PlannedAttachment): VfPlugin | undefined {
  return auxiliary ? undefined : vfPluginOf(steps, args);
}

/**
 * Settings that the attachment's plugins are to make. Of a plugin whose keys are not known it is certain only that nothing
 * asks for a VLAN where none of its keys names one.
 * @returns undefined when nobody knows
 */
export function askedOf(attachment: PlannedAttachment): VfSettings | undefined {
  const settings = vfPlugin(attachment)?.settings;
  if (settings !== undefined) return settings;
  const configs = attachment.steps.map(({ stdin }) => RawObject.parse(stdin, 'stored plugin input'));
  return configs.some((config) => config.has('vlan')) ? undefined : {};
}

/** The address that the configuration names: known before a plugin runs. '' where it names none. */
function configuredAddress(attachment: PlannedAttachment, questions: VfQuestions): string {
  const plugin = vfPlugin(attachment);
  if (plugin === undefined || plugin.address !== '') return plugin?.address ?? '';
  return plugin.pf === '' || plugin.vf === undefined ? '' : questions.addressOf(plugin.pf, plugin.vf);
}

/** What the plugin, or the device plugin, wrote of the device; '' where nobody did. */
function describedAddress(attachment: PlannedAttachment, log: Log): string {
  const pci = deviceInfoOf(attachment, log)?.['pci'] as { 'pci-address'?: unknown } | null | undefined;
  return pciAddress(pci?.['pci-address']);
}

/**
 * The VF that the attachment will use, as far as that is decided before its plugin runs.
 * @throws Error of the system when sysfs may not be read
 */
export function plannedVf(attachment: PlannedAttachment, questions: VfQuestions): FoundVf | undefined {
  const address = configuredAddress(attachment, questions);
  return address === '' ? undefined : questions.find(address);
}

/**
 * The VF that the attachment uses: by the kernel's word, else by what its plugins were told, or tell.
 * @param link that the plugin made, where it made one
 * @throws Error of the system when sysfs may not be read
 */
export function usedVf(
  attachment: PlannedAttachment,
  claimed: CniResult,
  link: NativeLink | undefined,
  questions: VfQuestions,
  log: Log,
): FoundVf | undefined {
  const address =
    pciAddress(link?.parentDevice) ||
    configuredAddress(attachment, questions) ||
    describedAddress(attachment, log) ||
    claimed.interfaces.map(({ pciID }) => pciAddress(pciID)).find((one) => one !== '');
  return address === undefined || address === '' ? undefined : questions.find(address);
}

/** Will a program drive the attachment's VF, so that no interface of it can be in the pod? */
export function isUserspaceVf(attachment: PlannedAttachment, questions = THIS_NODE): boolean {
  try {
    return isUserSpaceDriver(plannedVf(attachment, questions)?.driver ?? '');
  } catch {
    return false; // nobody can tell
  }
}
