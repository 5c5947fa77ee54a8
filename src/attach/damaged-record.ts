/** DEL without a journal that can be trusted: set the file aside, and release at least the default network. */
import { toCniError } from '../cni/errors.ts';
import { detachAll } from './detach.ts';
import type { Journal } from './journal.ts';
import type { DamagedRecordError } from './journal-record.ts';
import { newRecord, resolveNodePlan } from './make-plan.ts';
import type { Operation } from './operation.ts';

/** Nobody knows which namespace it was: delegates get an empty CNI_NETNS and release what they keep elsewhere. */
const NO_NETNS = { path: '', identity: { dev: '', ino: '', cookie: '' } };

/**
 * A damaged record must not make DEL fail for ever, nor be taken for "nothing attached". What could not be released
 * is in the file set aside.
 */
export async function delWithoutRecord(
  operation: Operation,
  journal: Journal,
  damage: DamagedRecordError,
): Promise<void> {
  const { request, log } = operation;
  const aside = journal.setAside(request.containerId);
  log.error({ error: damage.message, aside }, 'the journal file is damaged: releasing the default network only');
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
