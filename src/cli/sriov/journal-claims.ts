/** What the journal says of VFs: which container has which, as what, and what its plugin was sent. */
import { adopt } from '../../attach/foreign/adopt.ts';
import { ForeignRecord } from '../../attach/foreign/foreign-state.ts';
import { Journal } from '../../attach/journal.ts';
import type { JournalAttachment, JournalRecord } from '../../attach/journal-record.ts';
import { NO_NETNS, netnsOfForeign } from '../../attach/record-netns.ts';
import { CniError } from '../../cni/errors.ts';
import { bootId } from '../../node/boot-id.ts';
import { readDeviceInfo } from '../../node/device-info.ts';
import { claimOf, pciAddress } from '../../sriov/claims/claim.ts';
import { problemOf, type VfPlugin, vfPluginOf } from '../../sriov/claims/vf-plugin.ts';
import type { VfClaim } from '../../sriov/model.ts';

/** An attachment with a VF, and what it was made of: definitions are looked up by it. */
export interface VfAttachment {
  record: JournalRecord;
  attachment: JournalAttachment;
  claim: VfClaim;
}

export interface JournalClaims {
  attachments: VfAttachment[];
  problems: string[];
  /** "namespace/name", '' unknown, of all containers in the journal, with and without VFs. */
  pods: Map<string, string>;
}

/** Of a device that the plugin's own text does not name: what the device plugin or the plugin itself wrote of it. */
function addressByInfo({ device, deviceInfoFile }: JournalAttachment): string {
  const address = pciAddress(device?.id);
  if (address !== '' || deviceInfoFile === '') return address;
  const pci = readDeviceInfo(deviceInfoFile)?.['pci'] as { 'pci-address'?: unknown } | undefined;
  return pciAddress(pci?.['pci-address']);
}

/** @throws CniError 5 or 6 when a file that may name the VF cannot be used */
function vfOf(attachment: JournalAttachment): VfPlugin | undefined {
  if (attachment.auxiliary) return undefined;
  const plugin = vfPluginOf(attachment.steps, attachment.args);
  const seen = attachment.vf?.address ?? ''; // by ADD: plugins of 2016-18 choose a VF themselves
  if (plugin !== undefined && seen === '' && (plugin.address !== '' || plugin.pf !== '')) return plugin;
  const address = seen || addressByInfo(attachment);
  if (plugin === undefined && address === '') return undefined;
  return { pf: '', vf: undefined, settings: undefined, ...plugin, address };
}

function claimOfAttachment(record: JournalRecord, attachment: JournalAttachment, vf: VfPlugin, origin: string) {
  const { containerId, pod, netnsPath, netns } = record;
  const isOfThisBoot = record.bootId === bootId();
  return claimOf('journal', origin, {
    ...vf,
    containerId,
    pod,
    network: attachment.network,
    ifName: attachment.ifName,
    netnsPath,
    netns: isOfThisBoot && netns.ino !== '' ? { dev: netns.dev, ino: netns.ino } : undefined,
    original: originalOf(attachment),
    isEnded: !isOfThisBoot || attachment.state === 'detaching',
  });
}

/** What ADD found before the plugin ran; of a VF that its plugin chose it saw nothing. */
function originalOf({ vf }: JournalAttachment): VfClaim['original'] {
  return vf?.hostName === undefined ? undefined : { hostName: vf.hostName, settings: vf.settings };
}

/** Of one container. */
function claimsOfRecord(record: JournalRecord, origin: string): Omit<JournalClaims, 'pods'> {
  const attachments: VfAttachment[] = [];
  const problems: string[] = [];
  for (const attachment of record.attachments) {
    try {
      const vf = vfOf(attachment);
      if (vf === undefined) continue;
      attachments.push({ record, attachment, claim: claimOfAttachment(record, attachment, vf, origin) });
    } catch (error) {
      problems.push(`${origin}, network "${attachment.network}" on ${attachment.ifName}: ${problemOf(error)}`);
    }
  }
  return { attachments, problems };
}

/** What Multus attached, as a record of ours; its path is told also where nobody knows whether it still is the pod's. */
async function adopted(foreign: ForeignRecord): Promise<{ record: JournalRecord; lost: string[] }> {
  const { record, lost } = adopt(foreign, undefined, { netns: await netnsOfForeign(foreign).catch(() => NO_NETNS) });
  const netnsPath = record.netnsPath || (foreign.cached[0]?.netns ?? '');
  return { record: { ...record, netnsPath }, lost };
}

/**
 * Every VF that the journal knows of, whoever attached it.
 * @throws CniError 105 when the folder cannot be listed
 */
export async function journalClaims(cniDir: string): Promise<JournalClaims> {
  const journal = new Journal(cniDir);
  const found: JournalClaims = { attachments: [], problems: [], pods: new Map() };
  for (const containerId of journal.list()) {
    found.pods.set(containerId, '');
    try {
      const entry = journal.find(containerId);
      if (entry === undefined) continue; // detached meanwhile
      const foreign = entry instanceof ForeignRecord ? await adopted(entry) : undefined;
      const by = entry instanceof ForeignRecord ? ` (of ${entry.program})` : '';
      const record = foreign?.record ?? (entry as JournalRecord);
      found.pods.set(containerId, record.pod);
      const { attachments, problems } = claimsOfRecord(record, `journal ${journal.path(containerId)}${by}`);
      found.attachments.push(...attachments);
      found.problems.push(...(foreign?.lost ?? []), ...problems);
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
      found.problems.push(error.message);
    }
  }
  return found;
}
