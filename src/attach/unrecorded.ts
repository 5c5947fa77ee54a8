/**
 * A container without a record whose interface is there: the node's primary network attached it, before the node was
 * ours. Its runtime asks us to delete it all the same.
 */
import { CniCode, toCniError } from '../cni/errors.ts';
import { type Netns, sameNetns } from '../node/netns.ts';
import { ForeignRecord } from './foreign/foreign-state.ts';
import type { Journal } from './journal.ts';
import type { JournalRecord } from './journal-record.ts';
import type { Operation } from './operation.ts';
import { openIfThere } from './record-netns.ts';
import { newRecord, resolveNodePlan } from './resolve/make-plan.ts';

/** Does anybody's record name the namespace? */
function isOfAnother(netns: Netns, journal: Journal): boolean {
  return journal.list().some((containerId) => {
    try {
      const record = journal.find(containerId);
      if (record === undefined) return false;
      if (record instanceof ForeignRecord) return record.cached.some((one) => one.netns === netns.path);
      return sameNetns(record.netns, netns.identity);
    } catch {
      return false; // damaged: it is told elsewhere
    }
  });
}

/** The default network as the node has it now: what a pod of the primary was attached to. */
async function primaryRecord(operation: Operation, netns: Netns): Promise<JournalRecord> {
  const record = newRecord(operation, await resolveNodePlan(operation), netns);
  const attachments = record.attachments.filter(({ isDefault }) => isDefault);
  for (const attachment of attachments) attachment.state = 'attached';
  return { ...record, complete: true, attachments };
}

/**
 * A record of what the primary must have attached, for the container of a DEL.
 * @returns undefined when there is nothing to be released: no namespace, no such interface in it, or another container's;
 *   or when nobody can say any more what the primary was
 * @throws CniError 11 when it cannot be told now
 */
export async function recordOfPrimary(operation: Operation, journal: Journal): Promise<JournalRecord | undefined> {
  const { request, log } = operation;
  const netns = await openIfThere(request.netns);
  if (netns === undefined) return undefined;
  try {
    const isThere = (await netns.links()).some(({ name }) => name === request.ifName);
    if (!isThere || isOfAnother(netns, journal)) return undefined;
    const record = await primaryRecord(operation, netns);
    log.warn({ ifName: request.ifName }, 'attached before the node was ours: deleting its default network');
    return record;
  } catch (thrown) {
    const error = toCniError(thrown);
    if (error.code === CniCode.tryAgainLater) throw error;
    log.error({ ifName: request.ifName, error: error.message }, 'attached by nobody we know, and not to be deleted');
    return undefined;
  } finally {
    netns.close();
  }
}
