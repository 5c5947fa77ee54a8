/**
 * What a container got, told where its pod is kept. Whoever reads it can do without; the pod cannot do without its
 * networks: a status that cannot be written or removed is logged, and fails nothing.
 */
import type { OpenSource } from '../cluster/sources.ts';
import { toCniError } from '../cni/errors.ts';
import type { NativeSnapshot } from '../node/native.ts';
import type { Netns } from '../node/netns.ts';
import { podIdentity } from '../pod/identity.ts';
import { formatNetworkStatus } from '../pod/network-status.ts';
import { presentDefaultRoutes } from './default-routes.ts';
import { deviceInfoOf } from './device-info-files.ts';
import type { JournalRecord } from './journal-record.ts';
import type { Log, Operation } from './operation.ts';
import { resultInPod } from './result-in-pod.ts';

/** The record's network-status as the kernel has it now. @throws CniError as parseResult */
export function networkStatusOf(record: JournalRecord, snapshot: NativeSnapshot, log: Log): string {
  const names = new Map(snapshot.links.map(({ index, name }) => [index, name]));
  const networks = record.attachments.filter(({ auxiliary }) => !auxiliary);
  const attached = networks.map((attachment) => ({
    network: attachment.network,
    ifName: attachment.ifName,
    isDefault: attachment.isDefault,
    result: resultInPod(record, attachment, names.get(attachment.link?.index ?? 0)),
    deviceInfo: deviceInfoOf(attachment, log),
  }));
  return formatNetworkStatus(attached, { links: snapshot.links, defaultRoutes: presentDefaultRoutes(snapshot) });
}

/** Tell what an ADD achieved, when its container belongs to a pod. Never fails: what does is logged. */
export async function publishStatus(operation: Operation, record: JournalRecord, netns: Netns): Promise<void> {
  const pod = podIdentity(operation.request.args);
  if (pod === undefined) return;
  try {
    const source = operation.openSource(record.source);
    if (source?.publishStatus === undefined) return;
    const text = networkStatusOf(record, await netns.snapshot(), operation.log);
    const annotations = Object.fromEntries(record.statusAnnotations.map((name) => [name, text]));
    await source.publishStatus({ ...pod, containerId: record.containerId, annotations });
  } catch (error) {
    operation.log.error({ error: toCniError(error).message }, 'cannot publish the network status');
  }
}

/** Take back what publishStatus told. Never fails: what does is logged. */
export async function clearStatus(
  { containerId, pod, source }: Pick<JournalRecord, 'containerId' | 'pod' | 'source'>,
  { openSource, log }: { openSource: OpenSource; log: Log },
): Promise<void> {
  const [namespace, name] = pod.split('/');
  if (namespace === undefined || name === undefined) return; // outside Kubernetes
  try {
    await openSource(source)?.clearStatus?.({ namespace, name, containerId });
  } catch (error) {
    log.error({ error: toCniError(error).message }, 'cannot clear the network status');
  }
}
