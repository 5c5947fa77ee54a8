/**
 * What a container got, told where its pod is kept. Whoever reads it can do without; the pod cannot do without its
 * networks: a status that cannot be written or removed is logged, and fails nothing.
 */
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

/** Where a status is kept, and where failures are told. */
type Publishing = Pick<Operation, 'openSource' | 'log'>;

async function publish(
  pod: PodIdentity | undefined,
  record: JournalRecord,
  netns: Netns,
  { openSource, log }: Publishing,
): Promise<void> {
  const source = openSource(record.source);
  if (pod === undefined || source?.publishStatus === undefined) return;
  const text = networkStatusOf(record, await netns.snapshot(), log);
  const annotations = Object.fromEntries(record.statusAnnotations.map((name) => [name, text]));
  await source.publishStatus({ ...pod, containerId: record.containerId, annotations });
}

/** Tell what an ADD achieved, when its container belongs to a pod. Never fails: what does is logged. */
export async function publishStatus(operation: Operation, record: JournalRecord, netns: Netns): Promise<void> {
  try {
    await publish(podIdentity(operation.request.args), record, netns, operation);
  } catch (error) {
    operation.log.error({ error: toCniError(error).message }, 'cannot publish the network status');
  }
}

/** Tell anew what a running pod has, where that is for us to do. Never fails: what does is logged. */
export async function republishStatus(context: Publishing, record: JournalRecord, netns: Netns): Promise<void> {
  try {
    const isOurs = context.openSource(record.source)?.ownsStatus === true;
    if (!isOurs || record.statusAnnotations.length === 0) return;
    await publish(podIdentity(parseArgs(record.attachments[0]?.args ?? '')), record, netns, context);
  } catch (error) {
    context.log.error({ error: toCniError(error).message }, 'cannot publish the network status');
  }
}

/** Take back what publishStatus told. Never fails: what does is logged. */
export async function clearStatus(
  { containerId, pod, source }: Pick<JournalRecord, 'containerId' | 'pod' | 'source'>,
  { openSource, log }: Publishing,
): Promise<void> {
  const [namespace, name] = pod.split('/');
  if (namespace === undefined || name === undefined) return; // outside Kubernetes
  try {
    await openSource(source)?.clearStatus?.({ namespace, name, containerId });
  } catch (error) {
    log.error({ error: toCniError(error).message }, 'cannot clear the network status');
  }
}
