/**
 * What a container got, told where its pod is kept. Whoever reads it can do without; the pod cannot do without its
 * networks: a status that cannot be written or removed is logged, and fails nothing.
 */
import type { ClusterSource, PodStatus } from '../cluster/source.ts';
import type { SourceSettings } from '../cluster/sources.ts';
import { parseArgs } from '../cni/args.ts';
import { toCniError } from '../cni/errors.ts';
import type { NativeSnapshot } from '../node/native.ts';
import type { Netns } from '../node/netns.ts';
import { type PodIdentity, podIdentity } from '../pod/identity.ts';
import { formatNetworkStatus } from '../pod/network-status.ts';
import { deviceInfoOf } from './device-info-files.ts';
import type { JournalRecord } from './journal-record.ts';
import type { Log, Operation } from './operation.ts';
import { resultInPod } from './result-in-pod.ts';
import { presentDefaultRoutes } from './routes/default-routes.ts';

/** The record's network-status as the kernel has it now. @throws CniError as parseResult */
export function networkStatusOf(record: JournalRecord, snapshot: NativeSnapshot, log: Log): string {
  const names = new Map(snapshot.links.map(({ index, name }) => [index, name]));
  const networks = record.attachments.filter(({ auxiliary, state }) => !auxiliary && state === 'attached');
  const attached = networks.map((attachment) => ({
    network: attachment.network,
    ifName: attachment.ifName,
    isDefault: attachment.isDefault,
    result: resultInPod(record, attachment, names.get(attachment.link?.index ?? 0)),
    deviceInfo: deviceInfoOf(attachment, log),
  }));
  return formatNetworkStatus(attached, { links: snapshot.links, defaultRoutes: presentDefaultRoutes(snapshot) });
}

/** Whose container it is; undefined outside Kubernetes, and when nothing is attached any more. */
export function podOf({ attachments }: JournalRecord): PodIdentity | undefined {
  return podIdentity(parseArgs(attachments[0]?.args ?? ''));
}

/** The status of a container's pod as it is now; undefined when nobody is to be told one. @throws CniError as parseResult */
export async function podStatusOf(record: JournalRecord, netns: Netns, log: Log): Promise<PodStatus | undefined> {
  const pod = podOf(record);
  if (pod === undefined || record.statusAnnotations.length === 0) return undefined;
  const text = networkStatusOf(record, await netns.snapshot(), log);
  const annotations = Object.fromEntries(record.statusAnnotations.map((name) => [name, text]));
  return { ...pod, containerId: record.containerId, annotations };
}

/** Where a status is kept, and where failures are told. */
type Publishing = Pick<Operation, 'openSource' | 'log'>;

async function publish(record: JournalRecord, netns: Netns, { openSource, log }: Publishing): Promise<void> {
  const source = openSource(record.source);
  if (source?.publishStatus === undefined) return;
  const status = await podStatusOf(record, netns, log);
  if (status !== undefined) await source.publishStatus(status);
}

/** Is it told over the network, by us or by who can? */
function isRemote(source: ClusterSource | undefined, { manifestsDir, kubernetes }: SourceSettings): boolean {
  return source?.isRemote ?? (kubernetes && manifestsDir === '');
}

/** How long an ADD waits for its status where `statusUpdate` says so; it has to be answered in time all the same. */
const WAIT_MS = 10_000;
const ANSWER_MS = 500;

/** Is there a pod, and an annotation of it? */
function isTold(record: JournalRecord): boolean {
  return podOf(record) !== undefined && record.statusAnnotations.length > 0;
}

/** The status is owed from here on, whatever happens to this process. */
async function owe(operation: Operation, record: JournalRecord): Promise<void> {
  const { announcer, config, budget, deadline, log } = operation;
  if (config.statusUpdate === 'async') return announcer.oweStatus(config.cniDir, record);
  const ms = Math.max(0, Math.min(WAIT_MS, Math.floor(deadline - performance.now()) - ANSWER_MS));
  const wait = AbortSignal.any([budget, AbortSignal.timeout(ms)]);
  await announcer.oweStatus(config.cniDir, record, wait);
  if (wait.aborted) log.warn({ ms }, 'the network status is not published in time; it is told later');
}

/** Tell what an ADD achieved, when its container belongs to a pod. Never fails: what does is logged. */
export async function publishStatus(operation: Operation, record: JournalRecord, netns: Netns): Promise<void> {
  try {
    if (!isTold(record)) return;
    if (isRemote(operation.openSource(record.source), record.source)) await owe(operation, record);
    else await publish(record, netns, operation);
  } catch (error) {
    operation.log.error({ error: toCniError(error).message }, 'cannot publish the network status');
  }
}

/** Tell anew what a running pod has, where that is for us to do. Never fails: what does is logged. */
export async function republishStatus(context: Publishing, record: JournalRecord, netns: Netns): Promise<void> {
  try {
    if (context.openSource(record.source)?.ownsStatus === true) await publish(record, netns, context);
  } catch (error) {
    context.log.error({ error: toCniError(error).message }, 'cannot publish the network status');
  }
}

/**
 * After a change that the daemon makes by itself: nobody else tells it. Where republishStatus told it already, nothing is
 * done. Never fails: what does is logged.
 */
export async function oweChange(operation: Operation, record: JournalRecord): Promise<void> {
  try {
    if (!isTold(record)) return;
    if (isRemote(operation.openSource(record.source), record.source)) await owe(operation, record);
  } catch (error) {
    operation.log.error({ error: toCniError(error).message }, 'cannot publish the network status');
  }
}

/** Take back what publishStatus told or promised. Never fails: what does is logged. */
export async function clearStatus(
  { containerId, pod, source }: Pick<JournalRecord, 'containerId' | 'pod' | 'source'>,
  cniDir: string,
  { openSource, announcer, log }: Pick<Operation, 'openSource' | 'announcer' | 'log'>,
): Promise<void> {
  announcer.dropStatus(cniDir, containerId);
  const [namespace, name] = pod.split('/');
  if (namespace === undefined || name === undefined) return; // outside Kubernetes
  try {
    await openSource(source)?.clearStatus?.({ namespace, name, containerId });
  } catch (error) {
    log.error({ error: toCniError(error).message }, 'cannot clear the network status');
  }
}
