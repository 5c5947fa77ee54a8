/** The record of a container that something is plugged into, or taken from. */
import { CniCode, CniError } from '../../cni/errors.ts';
import { bootId } from '../../node/boot-id.ts';
import { type Netns, sameNetns } from '../../node/netns.ts';
import { podIdentity } from '../../pod/identity.ts';
import { type Adopted, adopt } from '../foreign/adopt.ts';
import { ForeignRecord } from '../foreign/foreign-state.ts';
import { hasRuntimeAdd, type JournalRecord } from '../journal-record.ts';
import type { LockRequest } from '../locks.ts';
import { adopterOf, lockRequest, searchPath } from '../operation.ts';
import { netnsOfForeign } from '../record-netns.ts';
import { newRecord } from '../resolve/make-plan.ts';
import type { Hotplug } from './hotplug-plan.ts';

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
 * What another program attached, as a record of ours. (CNI_IFNAME of the request is not the one of the container.)
 * @throws CniError 8 when its namespace cannot be told
 */
export async function adoptFor(hotplug: Hotplug, foreign: ForeignRecord): Promise<Adopted> {
  const { args, netns } = hotplug.request;
  return adopt(foreign, adopterOf(hotplug), { args, netns: await netnsOfForeign(foreign, netns) });
}

/** What another program attached, to be our own from now on. @throws CniError 105 when a part of it would be lost */
async function adoptAll(hotplug: Hotplug, foreign: ForeignRecord): Promise<JournalRecord> {
  const { record, doubts, lost } = await adoptFor(hotplug, foreign);
  const unknown = [...lost, ...doubts];
  if (unknown.length === 0) return record;
  throw new CniError(
    CniCode.stateFailure,
    `Cannot change the networks of container ${foreign.containerId}: ${foreign.program} attached it, and not all of it is known: ${unknown.join('; ')}`,
  );
}

/**
 * The record that a network joins. What another program attached becomes our own; a container of which nothing is known
 * gets a record of what is plugged in now, which the runtime's DEL of the container undoes.
 * @param found what is known of the container
 * @throws CniError 4 for another pod's container, 8 for another namespace, 11 when the container comes or goes
 */
export async function recordToJoin(
  hotplug: Hotplug,
  found: JournalRecord | ForeignRecord | undefined,
  netns: Netns,
): Promise<JournalRecord> {
  const { isOwn, containerId } = hotplug.request;
  if (isOwn && (found === undefined || found instanceof ForeignRecord)) {
    const reason = 'it was deleted meanwhile, or another program attached it';
    throw new CniError(CniCode.tryAgainLater, `Cannot change the networks of container ${containerId}: ${reason}`);
  }
  if (found === undefined) return { ...newRecord(hotplug, NOTHING, netns), complete: true };
  const record = found instanceof ForeignRecord ? await adoptAll(hotplug, found) : found;
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
