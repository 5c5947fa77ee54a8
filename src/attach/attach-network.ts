/** One network of a pod: its name is free, its plugins run, and the interface is what they say. */
import { CniCode, CniError } from '../cni/errors.ts';
import { type CniResult, parseResult } from '../cni/result.ts';
import { addChain } from '../delegate/run-chain.ts';
import type { NativeLink } from '../node/native.ts';
import type { Netns } from '../node/netns.ts';
import type { PlannedAttachment } from '../pod/plan.ts';
import { placeDeviceInfo } from './device-info-files.ts';
import { invocationOf } from './invocations.ts';
import type { JournalAttachment, JournalRecord } from './journal-record.ts';
import { delegateBudget, type Operation } from './operation.ts';
import { settleLink } from './settle-link.ts';
import { rememberChosenVf } from './sriov/remember-vf.ts';

/** An attachment's result, and the links that the pod has with it. */
export interface Attached {
  result: CniResult;
  links: NativeLink[];
}

/**
 * The name must be free: a delegate, or its DEL in a rollback, would otherwise touch somebody else's interface.
 * @param links that the pod has
 * @returns their indices
 * @throws CniError 104
 */
export function requireFreeName(links: readonly NativeLink[], attachment: PlannedAttachment): Set<number> {
  if (links.some(({ name, altNames }) => name === attachment.ifName || altNames.includes(attachment.ifName))) {
    throw new CniError(
      CniCode.alreadyAttached,
      `Cannot attach network "${attachment.network}": interface "${attachment.ifName}" exists in the pod already`,
    );
  }
  return new Set(links.map(({ index }) => index));
}

/**
 * Run the plugins of an attachment. What never ran has nothing to undo: it leaves the attachment when one fails.
 * @param before the result that the first plugin gets
 * @throws CniError of a plugin, or of what it printed
 */
export async function runPlugins(
  operation: Operation,
  record: JournalRecord,
  attachment: JournalAttachment,
  netns: Netns,
  before?: string,
): Promise<CniResult> {
  attachment.state = 'attaching';
  placeDeviceInfo(attachment, operation.config.deviceInfoDir, operation.log);
  const { steps, network, cniVersion } = attachment;
  const invocation = invocationOf(record, attachment, netns.path, operation.request.trace);
  let begun = 0;
  const options = {
    runner: operation.runner(record.path),
    deadlineMs: delegateBudget(operation),
    signal: operation.budget,
    onStart: () => {
      begun += 1;
    },
  };
  try {
    attachment.result = await addChain(steps, invocation, options, before);
  } catch (error) {
    attachment.steps = steps.slice(0, begun); // a plugin that never ran may not be there
    throw error;
  }
  return parseResult(attachment.result, `result of network "${network}"`, cniVersion);
}

/**
 * A network: its plugins make an interface, which is looked at.
 * @param before indices of the links that the pod had
 * @throws CniError as runPlugins, 102 when the interface is not as claimed
 */
export async function attachNetwork(
  operation: Operation,
  record: JournalRecord,
  attachment: JournalAttachment,
  netns: Netns,
  before: ReadonlySet<number>,
): Promise<Attached> {
  const claimed = await runPlugins(operation, record, attachment, netns);
  const settled = await settleLink(netns, attachment, claimed, {
    before,
    modes: operation.config.verify,
    onLink: (link) => {
      attachment.link = link;
    },
    onVf: (device) => rememberChosenVf(attachment, device),
    log: operation.log,
    signal: operation.budget,
  });
  attachment.warnings = settled.warnings;
  for (const warning of settled.warnings) {
    operation.log.warn({ network: attachment.network, ifName: attachment.ifName, warning }, 'verification');
  }
  return { result: settled.result, links: settled.links ?? (await netns.links()) };
}
