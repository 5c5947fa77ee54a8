/** Tell the pod of one container what it has now, if that is still wanted. */
import { DeliveryError } from '../../cluster/source.ts';
import type { OpenSource } from '../../cluster/sources.ts';
import { CniCode, CniError } from '../../cni/errors.ts';
import { ForeignRecord } from '../foreign/foreign-state.ts';
import { Journal } from '../journal.ts';
import { DamagedRecordError, type JournalRecord } from '../journal-record.ts';
import type { Log } from '../operation.ts';
import { podStatusOf } from '../pod-status.ts';
import { isNetnsGone, openRecordNetns } from '../record-netns.ts';
import type { Outbox, Owed } from './outbox.ts';

/** The record of a container that runs; undefined when it comes, goes or is gone. @throws CniError 105 */
export function runningRecord(cniDir: string, containerId: string): JournalRecord | undefined {
  try {
    const found = new Journal(cniDir).find(containerId);
    if (found === undefined || found instanceof ForeignRecord) return undefined;
    return found.complete && found.attachments.some(({ state }) => state === 'attached') ? found : undefined;
  } catch (error) {
    if (error instanceof DamagedRecordError) return undefined; // whoever needs it will say so
    throw error;
  }
}

export interface TellOptions {
  outbox: Outbox;
  openSource: OpenSource;
  log: Log;
  signal: AbortSignal;
}

/**
 * @param owed what the outbox had before the record was read; undefined when nothing could be written there
 * @returns false when there is nothing to tell: the container is gone, or somebody settled it meanwhile
 * @throws DeliveryError by the source; CniError 8 or 105 when the pod's namespace or the files cannot be read
 */
export async function tellStatus(
  record: JournalRecord,
  owed: Owed | undefined,
  { outbox, openSource, log, signal }: TellOptions,
): Promise<boolean> {
  const { containerId, pod, source: settings } = record;
  const netns = await openRecordNetns(record);
  if (netns === undefined) {
    if (isNetnsGone(record)) return false;
    // A program in a container without the mount: another one can tell what it cannot see.
    throw new CniError(CniCode.invalidNetns, `Cannot see network namespace ${record.netnsPath} of pod ${pod}`);
  }
  try {
    const status = await podStatusOf(record, netns, log);
    if (status === undefined) return false;
    const source = openSource(settings);
    if (source?.publishStatus === undefined) {
      throw new DeliveryError(`Cannot tell pod ${pod} its network status: nobody here has access to the API server`);
    }
    if (outbox.find(containerId)?.mark !== owed?.mark) return false; // a DEL takes the promise away before anything else
    await source.publishStatus(status, signal);
    return true;
  } finally {
    netns.close();
  }
}
