/**
 * After a detach: did the VF come back to the host, under its name and with its settings as before? Plugins report success
 * also where they left something. It is told, and mended by nobody but the operator: the detach has succeeded.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { bootId } from '../../node/boot-id.ts';
import { pfNameOf, type VfReport, vfLabel } from '../../sriov/ask-vf.ts';
import { ipLinkSet, shellWord, vfWords } from '../../sriov/ip-command.ts';
import type { PlacedLink } from '../../sriov/model.ts';
import { notReset, settingsToRestore, type VfBefore } from '../../sriov/vf-before.ts';
import type { Journal } from '../journal.ts';
import type { JournalAttachment, JournalRecord } from '../journal-record.ts';
import type { Operation } from '../operation.ts';
import { announceVfNotReset } from '../publish/announce.ts';
import { askedOf, THIS_NODE, type VfQuestions } from './attached-vf.ts';
import { isTakenAgain } from './taken-vf.ts';

/** What of a VF is not as it was, and the command that mends it. */
interface Leftover {
  problem: string;
  mend: string;
}

type Looking = Pick<Operation, 'announcer' | 'log'> & { signal: AbortSignal };

/** The kernel takes devices out of a namespace that goes behind its last process's back (cleanup_net). */
const TRIES = 4;
const WAIT_MS = 100;

/** The network device's place, with time for a namespace to go. */
async function placeOf(address: string, signal: AbortSignal, questions: VfQuestions): Promise<PlacedLink | undefined> {
  for (let tries = 1; ; tries += 1) {
    const place = await questions.where(address);
    if (place !== undefined || tries === TRIES || signal.aborted) return place;
    await delay(WAIT_MS, undefined, { signal }).catch(() => undefined);
  }
}

function inPod({ netns }: PlacedLink, record: JournalRecord): boolean {
  return netns.dev === record.netns.dev && netns.ino === record.netns.ino;
}

/** On the host, but under another name? Kernels rename a device that comes home where its name is taken. */
function misnamed(label: string, name: string, hostName: string | undefined): Leftover[] {
  if (hostName === undefined || name === hostName) return [];
  const problem = `${label} must have the name "${hostName}" again on the host, it has "${name}"`;
  return [{ problem, mend: ipLinkSet({ name, netnsPath: '' }, `name ${shellWord(hostName)}`) }];
}

/** @returns undefined: another container has it by now, and what is on it is for that one */
async function netdevLeftovers(
  record: JournalRecord,
  { address, hostName }: VfBefore,
  report: VfReport,
  signal: AbortSignal,
  questions: VfQuestions,
): Promise<Leftover[] | undefined> {
  if (hostName === '') return [];
  const names = questions.netdevs(address);
  const label = vfLabel(report);
  const present = names.find((name) => name === hostName) ?? names[0];
  if (present !== undefined) return misnamed(label, present, hostName);
  const place = await placeOf(address, signal, questions);
  if (place === undefined) {
    const driver = report.device.driver || 'none';
    const problem = `${label} must be back on the host, its network device is in no namespace (driver: ${driver})`;
    return [{ problem, mend: `dmesg | grep ${address}` }];
  }
  const { netns, link } = place;
  if (netns.isHost) return misnamed(label, link.name, hostName);
  if (!inPod(place, record)) return undefined;
  const problem = `${label} must be back on the host, it is still in the pod as "${link.name}"`;
  const home = shellWord(hostName ?? link.name);
  return [{ problem, mend: ipLinkSet({ name: link.name, netnsPath: netns.path }, `netns 1 name ${home}`) }];
}

async function leftoversOf(
  record: JournalRecord,
  attachment: JournalAttachment,
  before: VfBefore,
  signal: AbortSignal,
  questions: VfQuestions,
): Promise<Leftover[]> {
  const device = questions.find(before.address);
  if (device === undefined) return []; // its PF has fewer VFs by now
  const report = await questions.ask(device, { signal });
  const ofNetdev = await netdevLeftovers(record, before, report, signal, questions);
  if (ofNetdev === undefined) return [];
  const checks = notReset(before, askedOf(attachment) ?? {}, report);
  if (checks.length === 0) return ofNetdev;
  const pf = { name: pfNameOf(report), netnsPath: report.pf?.netnsPath ?? '' };
  const mend = ipLinkSet(pf, `vf ${device.index} ${vfWords(settingsToRestore(before.settings, checks))}`);
  const problem = `${vfLabel(report)} was not reset: it ${checks.map(({ message }) => message).join(', ')}`;
  return [...ofNetdev, { problem, mend }];
}

/**
 * Look at the VFs of attachments that were detached just now, and tell what is wrong with them. Never throws.
 * @param tried attachments that were to be detached; those that are still in the record are tried again
 */
export async function lookAtReturnedVfs(
  { announcer, log, signal }: Looking,
  record: JournalRecord,
  tried: readonly JournalAttachment[],
  journal: Journal,
  questions = THIS_NODE,
): Promise<void> {
  if (record.bootId !== bootId()) return; // what a VF was before a reboot is no matter any more
  for (const attachment of tried.filter((one) => !record.attachments.includes(one))) {
    const { vf, network, ifName } = attachment;
    if (vf === undefined) continue;
    try {
      const leftovers = await leftoversOf(record, attachment, vf, signal, questions);
      if (leftovers.length === 0 || isTakenAgain(journal, record.containerId, vf.address)) continue;
      for (const leftover of leftovers)
        log.warn({ network, ifName, vf: vf.address, ...leftover }, 'the VF was left changed');
      const text = leftovers.map(({ problem, mend }) => `${problem}; mend it with "${mend}"`).join('; ');
      announceVfNotReset({ announcer, log }, record, attachment, text);
    } catch (error) {
      log.warn(
        { network, ifName, vf: vf.address, error: (error as Error).message },
        'cannot tell whether the VF came back',
      );
    }
  }
}
