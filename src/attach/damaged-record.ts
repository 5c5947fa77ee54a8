/** DEL without a record that can be trusted: release at least the default network. */
import { toCniError } from '../cni/errors.ts';
import { detachAll } from './detach.ts';
import type { Operation } from './operation.ts';
import { NO_NETNS } from './record-netns.ts';
import { newRecord, resolveNodePlan } from './resolve/make-plan.ts';

/**
 * A damaged record must not make DEL fail for ever, nor be taken for "nothing attached". What could not be released
 * is in the file set aside.
 */
export async function releaseDefaultNetwork(operation: Operation): Promise<void> {
  const { request, log } = operation;
  try {
    const plan = await resolveNodePlan(operation);
    const record = newRecord(operation, plan, NO_NETNS);
    await detachAll(record, record.attachments, {
      runner: operation.runner(record.path),
      netns: undefined,
      trace: request.trace,
      signal: operation.budget,
      log,
    });
  } catch (error) {
    log.error({ error: toCniError(error).message }, 'cannot release the default network either');
  }
}
