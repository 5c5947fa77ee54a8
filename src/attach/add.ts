/** ADD: intent → plan → journal → attach and verify, one network after the other → routes → answer. */
import { CniCode, CniError } from '../cni/errors.ts';
import { type CniResult, convertResult } from '../cni/result.ts';
import { type AheadRunner, runningAhead } from '../delegate/ahead-runner.ts';
import type { NativeLink } from '../node/native.ts';
import { Netns, sameNetns } from '../node/netns.ts';
import type { Plan } from '../pod/plan.ts';
import { AddJournal } from './add-journal.ts';
import { type Attached, attachNetwork, requireFreeName, runPlugins } from './attach-network.ts';
import { detachAll } from './detach.ts';
import { ForeignRecord } from './foreign/foreign-state.ts';
import { executionsOf } from './invocations.ts';
import { type Journal, journalOf } from './journal.ts';
import type { JournalAttachment, JournalRecord } from './journal-record.ts';
import { type HoldUntil, withContainerLock } from './locks.ts';
import { lockRequest, NEVER_ABORTED, type Operation, UNDO_BUDGET_MS, withinBudget } from './operation.ts';
import { publishStatus } from './pod-status.ts';
import { announceAdded, announceFailure } from './publish/announce.ts';
import { awaitReadiness } from './readiness.ts';
import { openRecordNetns } from './record-netns.ts';
import { newRecord, resolvePlan } from './resolve/make-plan.ts';
import { withPlannedRoutes } from './routes/default-routes.ts';
import { settleDefaultRoutes } from './routes/settle-routes.ts';
import { rememberVfs } from './sriov/remember-vf.ts';
import { lookAtReturnedVfs } from './sriov/returned-vf.ts';
import { undoneFailure, undoRecord } from './undo-record.ts';

/**
 * @param answer the default network's result, once it is there
 * @param links that the pod has
 * @returns the result, and the links that the pod has now
 */
async function attachOne(
  operation: Operation,
  record: JournalRecord,
  attachment: JournalAttachment,
  netns: Netns,
  answer: CniResult | undefined,
  links: NativeLink[],
): Promise<Attached> {
  const started = performance.now();
  const { network, ifName, cniVersion } = attachment;
  const before = attachment.auxiliary && answer !== undefined ? convertResult(answer, cniVersion) : undefined;
  const attached = attachment.auxiliary
    ? { result: await runPlugins(operation, record, attachment, netns, before), links: await netns.links() }
    : await attachNetwork(operation, record, attachment, netns, requireFreeName(links, attachment));
  attachment.state = 'attached';
  operation.log.info({ network, ifName, ms: Math.round(performance.now() - started) }, 'attached');
  return attached;
}

/** Detach what this ADD started, in reverse, and forget the record when nothing is left of it. */
async function rollBack(operation: Operation, record: JournalRecord, journal: Journal, netns: Netns): Promise<Error[]> {
  // What never started needs no DEL; the signal of the request is of no use here, it may be why we are here.
  const started = record.attachments.filter(({ state }) => state !== 'planned');
  record.attachments = [...started];
  const errors = await withinBudget(NEVER_ABORTED, UNDO_BUDGET_MS, 'undoing the ADD', async (signal) => {
    const { log, announcer, request } = operation;
    const { trace } = request;
    const foreseen = executionsOf('DEL', record, started, netns.path, trace).reverse();
    const failed = await runningAhead(operation.runner(record.path), foreseen, (runner) =>
      detachAll(record, started, { runner, netns, trace, signal, log, journal, isWitness: true }),
    );
    await lookAtReturnedVfs({ announcer, log, signal }, record, started, journal);
    return failed;
  });
  if (record.attachments.length === 0) journal.remove(record.containerId);
  else await journal.write(record);
  return errors;
}

/** The first plugin's start-up goes by while the journal is written, the others' while the one before works. */
async function attachAll(
  operation: Operation,
  record: JournalRecord,
  journal: Journal,
  netns: Netns,
  until: HoldUntil,
): Promise<CniResult> {
  const foreseen = executionsOf('ADD', record, record.attachments, netns.path, operation.request.trace);
  return runningAhead(operation.runner(record.path), foreseen, (ahead) =>
    attachInOrder(operation, ahead, record, journal, netns, until),
  );
}

async function attachInOrder(
  operation: Operation,
  ahead: AheadRunner,
  record: JournalRecord,
  journal: Journal,
  netns: Netns,
  until: HoldUntil,
): Promise<CniResult> {
  await rememberVfs(operation, record.attachments);
  const kept = new AddJournal(journal, record);
  let answer: CniResult | undefined;
  try {
    let [links] = await bothOrNone(netns.links(), kept.begin(), () => undefined);
    for (const attachment of record.attachments) {
      // One after the other: the specification forbids parallel operations on one container.
      const attached = await attachOne({ ...operation, runner: () => ahead }, record, attachment, netns, answer, links);
      if (attachment.isDefault) answer = attached.result;
      links = attached.links;
      if (attachment !== record.attachments.at(-1)) kept.update(); // the last one with the end of the operation
    }
    await settleDefaultRoutes(record, netns, operation.log);
    record.complete = true;
    await kept.finish();
    operation.budget.throwIfAborted();
  } catch (error) {
    ahead.end(); // what undoes this starts plugins of its own
    announceFailure(
      operation,
      error,
      record.attachments.find(({ state }) => state === 'attaching'),
    );
    await kept.settled();
    throw undoneFailure(error, operation.budget, await rollBack(operation, record, journal, netns));
  }
  const own = record.attachments.find(({ isDefault }) => isDefault);
  if (answer === undefined || own === undefined) {
    throw new CniError(CniCode.internal, 'the plan has no default attachment');
  }
  const { log } = operation;
  const secured = kept
    .secure()
    .catch(({ message: error }: Error) => {
      log.error({ error }, 'the record of the container may not survive a failure of power');
    })
    .then(() => announceAdded(operation, record, record.attachments));
  if (operation.door === 'standalone')
    await secured; // it ends with its answer
  else until(secured);
  return withPlannedRoutes(answer, own.ifName, record.defaultRoutes);
}

/**
 * A record that is there before ADD: of a container that lives, an error; of an attempt that never ended, of a dead
 * namespace or of this very request run anew, undone first.
 */
async function clearEarlierAttempt(operation: Operation, journal: Journal, netns: Netns): Promise<void> {
  const record = journal.find(operation.request.containerId);
  if (record === undefined) return;
  if (record instanceof ForeignRecord) {
    throw new CniError(
      CniCode.alreadyAttached,
      `Cannot ADD container ${record.containerId}: ${record.program} attached it, at ${record.createdAt}; DEL it first`,
    );
  }
  const recorded = await openRecordNetns(record);
  const alive = recorded !== undefined && sameNetns(recorded.identity, netns.identity);
  recorded?.close();
  const sameRequest = record.operation !== '' && record.operation === operation.operation;
  if (record.complete && alive && !sameRequest) {
    throw new CniError(
      CniCode.alreadyAttached,
      `Cannot ADD container ${record.containerId}: it is attached already, since ${record.createdAt}; DEL it first`,
    );
  }
  operation.log.warn({ createdAt: record.createdAt, complete: record.complete }, 'undoing an earlier attempt');
  const errors = await undoRecord(record, journal, {
    runner: operation.runner(record.path),
    trace: operation.request.trace,
    signal: operation.budget,
    log: operation.log,
    openSource: operation.openSource,
    announcer: operation.announcer,
  });
  if (errors[0] !== undefined) {
    throw new CniError(
      CniCode.tryAgainLater,
      `Cannot ADD container ${record.containerId}: an earlier attempt cannot be undone: ${errors[0].message}`,
      { cause: errors[0] },
    );
  }
}

/** Wait for both. @param release what `second` gave when `first` failed */
async function bothOrNone<A, B>(first: Promise<A>, second: Promise<B>, release: (of: B) => void): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'rejected') {
    if (b.status === 'fulfilled') release(b.value);
    throw a.reason;
  }
  if (b.status === 'rejected') throw b.reason;
  return [a.value, b.value];
}

/** The pod's users are told why there is no plan: mostly it is for them to mend. @throws CniError as resolvePlan */
async function planOrTell(operation: Operation): Promise<Plan> {
  await awaitReadiness(operation);
  try {
    return await resolvePlan(operation);
  } catch (error) {
    announceFailure(operation, error);
    throw error;
  }
}

/** @returns the answer's JSON text. @throws CniError; then nothing of this ADD is attached, or it is in the journal. */
export async function add(operation: Operation): Promise<string> {
  const { request, config } = operation;
  const opening = Netns.open(request.netns);
  const [plan, netns] = await bothOrNone(planOrTell(operation), opening, (opened) => opened.close());
  try {
    const journal = journalOf(config);
    return await withContainerLock(request.containerId, lockRequest(operation), async (until) => {
      await clearEarlierAttempt(operation, journal, netns);
      const record = newRecord(operation, plan, netns);
      const result = await attachAll(operation, record, journal, netns, until);
      await publishStatus(operation, record, netns);
      return convertResult(result, request.cniVersion);
    });
  } finally {
    netns.close();
  }
}
