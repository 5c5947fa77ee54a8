/** The record of a container that something is plugged into, or taken from. */
import { CniCode, CniError } from '../cni/errors.ts';
import { bootId } from '../node/boot-id.ts';
import { type Netns, sameNetns } from '../node/netns.ts';
import { podIdentity } from '../pod/identity.ts';
import type { Hotplug } from './hotplug-plan.ts';
import type { Journal } from './journal.ts';
import { hasRuntimeAdd, type JournalRecord } from './journal-record.ts';
import type { LockRequest } from './locks.ts';
import { newRecord } from './make-plan.ts';
import { lockRequest, searchPath } from './operation.ts';

/** The container's lock; to wait for it ends nobody's ADD, as the runtime's DEL does. */
export function hotplugLock(hotplug: Hotplug): LockRequest {
  return { ...lockRequest(hotplug), command: `hot-plug ${hotplug.request.command}` };
}

/** The record must be of the pod that the request names. @throws CniError 4 */
export function requireSamePod({ containerId, pod }: JournalRecord, { request }: Hotplug): void {
  const named = podIdentity(request.args);
  if (named === undefined || pod === '' || pod === `${named.namespace}/${named.name}`) return;
  throw new CniError(
    CniCode.invalidEnvironment,
    `Cannot use CNI_CONTAINERID "${containerId}" for pod ${named.namespace}/${named.name}: it is the container of pod ${pod}`,
  );
}

/** Nothing may be changed beside an ADD that has not ended, or a DEL that failed. @throws CniError 11 */
export function requireSettled({ containerId, complete, attachments }: JournalRecord): void {
  if (complete && attachments.some(({ state }) => state === 'attached')) return;
  const reason = complete ? 'it is being deleted' : 'its ADD never ended';
  throw new CniError(CniCode.tryAgainLater, `Cannot change the networks of container ${containerId}: ${reason}`);
}

/** Plugins are looked for where those of the container's ADD were found, then where the daemon's configuration says. */
export function hotplugPath(hotplug: Hotplug, record: JournalRecord | undefined): string[] {
  return [...new Set([...(record?.path ?? []), ...searchPath(hotplug)])];
}

const NOTHING = { attachments: [], defaultRoutes: [], statusAnnotations: [] };

/**
 * The record that a network joins. A container without one was attached by somebody else, before us: it gets a record of
 * what is plugged in now, which the runtime's DEL of the container undoes.
 * @throws CniError 4 for another pod's container, 8 for another namespace, 11 when the container comes or goes
 */
export function recordToJoin(hotplug: Hotplug, journal: Journal, netns: Netns): JournalRecord {
  const record = journal.read(hotplug.request.containerId);
  if (record === undefined) return { ...newRecord(hotplug, NOTHING, netns), complete: true };
  requireSamePod(record, hotplug);
  if (hasRuntimeAdd(record)) requireSettled(record);
  if (record.bootId !== bootId() || !sameNetns(record.netns, netns.identity)) {
    throw new CniError(
      CniCode.invalidNetns,
      `Cannot use CNI_NETNS "${netns.path}": container ${record.containerId} was attached in another network namespace (${record.netnsPath})`,
    );
  }
  return { ...record, path: hotplugPath(hotplug, record) };
}
