/** CHECK: every attachment in the journal, by netlink, which says exactly what is wrong, and then by its delegate. */
import { CniCode, CniError } from '../cni/errors.ts';
import { type CniResult, convertResult } from '../cni/result.ts';
import { compareVersions } from '../cni/versions.ts';
import { runningAhead } from '../delegate/ahead-runner.ts';
import { checkChain } from '../delegate/run-chain.ts';
import { Netns, sameNetns } from '../node/netns.ts';
import { adopt } from './foreign/adopt.ts';
import { ForeignRecord } from './foreign/foreign-state.ts';
import { executionsOf, invocationOf } from './invocations.ts';
import { journalOf } from './journal.ts';
import { hasRuntimeAdd, isRecordOf, type JournalAttachment, type JournalRecord } from './journal-record.ts';
import { withContainerLock } from './locks.ts';
import { adopterOf, delegateBudget, lockRequest, type Operation } from './operation.ts';
import { netnsOfForeign } from './record-netns.ts';
import { resultInPod } from './result-in-pod.ts';
import { differingDefaultRoutes } from './routes/default-routes.ts';
import { settleLink } from './settle-link.ts';

async function checkLink(
  operation: Operation,
  attachment: JournalAttachment,
  expected: CniResult,
  netns: Netns,
): Promise<void> {
  const { network, ifName } = attachment;
  // A name that is wrong now must be told, not mended: no link counts as new.
  const { warnings } = await settleLink(netns, attachment, expected, {
    before: undefined,
    modes: operation.config.verify,
    log: operation.log,
    signal: operation.budget,
  });
  for (const warning of warnings) operation.log.warn({ network, ifName, warning }, 'verification');
}

/** Are its plugins asked? Those of CNI before 0.4.0 know no CHECK. */
function isForPlugins({ disableCheck, cniVersion }: JournalAttachment): boolean {
  return !disableCheck && compareVersions(cniVersion, '0.4.0') >= 0;
}

/**
 * The kernel and the plugins, asked about one attachment.
 * @throws CniError 102 when a fact differs, or a delegate's own
 */
export async function checkAttachment(
  operation: Operation,
  record: JournalRecord,
  attachment: JournalAttachment,
  netns: Netns,
): Promise<void> {
  const { network, cniVersion, result, steps, state, lastError } = attachment;
  if (state !== 'attached') {
    const reason = lastError === '' ? '' : `: ${lastError}`;
    throw new CniError(CniCode.verificationFailed, `Network "${network}" is ${state}, not attached${reason}`);
  }
  if (result === '') {
    throw new CniError(
      CniCode.verificationFailed,
      `Cannot CHECK network "${network}" on ${attachment.ifName}: another program attached it, and its result was not kept`,
    );
  }
  const expected = resultInPod(record, attachment);
  if (!attachment.auxiliary) await checkLink(operation, attachment, expected, netns);
  if (!isForPlugins(attachment)) return;
  // Where we changed what the plugin did, it is asked about what is there now; else it gets its own bytes.
  const changed = attachment.link?.delegateName !== attachment.ifName || record.defaultRoutes.length > 0;
  const prevResult = changed && attachment.link !== undefined ? convertResult(expected, cniVersion) : result;
  await checkChain(steps, invocationOf(record, attachment, netns.path, operation.request.trace), prevResult, {
    runner: operation.runner(record.path),
    deadlineMs: delegateBudget(operation),
    signal: operation.budget,
  });
}

/** What the pod is to have: not what comes or goes while it runs. */
function promised({ complete, attachments }: JournalRecord): JournalAttachment[] {
  const attached = attachments.filter(({ state }) => state === 'attached');
  return complete && attached.length > 0 ? attached : attachments;
}

/** @throws CniError 105 when another program attached the container and did not keep what it attached */
async function recordOf(operation: Operation, netns: Netns): Promise<JournalRecord | undefined> {
  const { request, config } = operation;
  const found = journalOf(config).find(request.containerId);
  if (!(found instanceof ForeignRecord)) return found;
  const container = { ...request, netns: await netnsOfForeign(found, netns.path) };
  const { record, lost } = adopt(found, adopterOf(operation), container);
  if (lost.length === 0) return record;
  const problem = `${found.program} attached it, and what is not known any more: ${lost.join('; ')}`;
  throw new CniError(CniCode.stateFailure, `Cannot CHECK container ${found.containerId}: ${problem}`);
}

/** The routes that ADD set, by the mode of the fact `routes` as those of plugins. @throws CniError 102 */
async function checkDefaultRoutes({ config, log }: Operation, record: JournalRecord, netns: Netns): Promise<void> {
  const mode = config.verify.routes;
  if (record.defaultRoutes.length === 0 || mode === 'off') return;
  for (const difference of differingDefaultRoutes(await netns.snapshot(), record.defaultRoutes)) {
    if (mode === 'enforce') throw new CniError(CniCode.verificationFailed, difference);
    log.warn({ warning: difference }, 'verification');
  }
}

/** @throws CniError as checkAttachment, of the first that is wrong */
async function checkAll(operation: Operation, record: JournalRecord, netns: Netns): Promise<void> {
  const attachments = promised(record);
  const asked = attachments.filter(isForPlugins);
  const foreseen = executionsOf('CHECK', record, asked, netns.path, operation.request.trace);
  await runningAhead(operation.runner(record.path), foreseen, async (ahead) => {
    const own = { ...operation, runner: () => ahead };
    for (const attachment of attachments) await checkAttachment(own, record, attachment, netns);
  });
}

/** @throws CniError 3 when the container is not attached, 102 when a fact differs, or a delegate's own */
export async function check(operation: Operation): Promise<void> {
  const { request } = operation;
  const netns = await Netns.open(request.netns);
  try {
    await withContainerLock(request.containerId, lockRequest(operation), async () => {
      const record = await recordOf(operation, netns);
      const isOurs = record !== undefined && isRecordOf(record, request) && hasRuntimeAdd(record);
      if (!isOurs || !sameNetns(record.netns, netns.identity)) {
        throw new CniError(
          CniCode.unknownContainer,
          `Cannot CHECK container ${request.containerId}: it was not attached in namespace ${netns.path}`,
        );
      }
      await checkDefaultRoutes(operation, record, netns);
      await checkAll(operation, record, netns);
    });
  } finally {
    netns.close();
  }
}
