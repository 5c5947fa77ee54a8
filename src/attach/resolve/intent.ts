/**
 * Which networks does this pod want? Three outcomes: none, a list, or unknown. Unknown never succeeds:
 * it is CNI error 11 with the reason.
 */

import { isPodOf } from '../../cluster/pod-uid.ts';
import type { ClusterSource } from '../../cluster/source.ts';
import { CniCode, CniError } from '../../cni/errors.ts';
import { type PodIdentity, podIdentity } from '../../pod/identity.ts';
import { NO_NETWORKS, type PodNetworks, podNetworks } from '../../pod/pod-networks.ts';
import { DEFAULT_NETWORK_ANNOTATION, NETWORKS_ANNOTATION, TKE_ANNOTATION } from '../../pod/selection.ts';
import type { PlanQuestion } from '../operation.ts';

function unknownIntent(pod: PodIdentity, reason: string): CniError {
  return new CniError(
    CniCode.tryAgainLater,
    `Cannot tell which networks pod ${pod.namespace}/${pod.name} wants: ${reason}`,
  );
}

/**
 * @param signal ends the look-up
 * @throws CniError 11 when the source cannot tell, or knows another pod of that name
 */
export async function annotationsFrom(
  source: ClusterSource,
  pod: PodIdentity,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const lookup = await source.pod(pod.namespace, pod.name, { uid: pod.uid, signal });
  if (lookup.outcome === 'unknown') throw unknownIntent(pod, lookup.reason);
  const { uid, annotations } = lookup.pod;
  if (!isPodOf(lookup.pod, pod.uid)) {
    throw unknownIntent(
      pod,
      `the runtime asks for UID ${pod.uid}, the ${source.description} have UID ${uid}: one of the two was deleted meanwhile`,
    );
  }
  return annotations;
}

/**
 * What the pod asks for: by the annotations that the runtime handed over, else by those of the cluster source. A request
 * without a pod, or a configuration without a cluster, asks for nothing.
 * @param signal ends the look-up
 * @throws CniError 11 when it cannot be told, 7 when an annotation is wrong
 */
export async function resolveIntent(
  question: PlanQuestion,
  source: ClusterSource | undefined,
  signal: AbortSignal,
): Promise<PodNetworks> {
  const { config, request } = question;
  const pod = podIdentity(request.args);
  if (pod === undefined) {
    const handedOver = config.podAnnotations ?? {};
    const keys = [NETWORKS_ANNOTATION, DEFAULT_NETWORK_ANNOTATION, TKE_ANNOTATION];
    const isAsked = keys.some((key) => (handedOver[key] ?? '') !== '');
    if (isAsked || (request.args.get('K8S_POD_NAME') ?? '') !== '') {
      throw new CniError(
        CniCode.invalidEnvironment,
        'Cannot tell which networks the pod wants: CNI_ARGS must have both K8S_POD_NAMESPACE and K8S_POD_NAME',
      );
    }
    return NO_NETWORKS;
  }
  const annotations = config.podAnnotations ?? (source === undefined ? {} : await annotationsFrom(source, pod, signal));
  const wanted = podNetworks(annotations, pod, config);
  if (wanted.ignored.length > 0) {
    const fields = { annotations: wanted.ignored, annotationPolicy: config.annotationPolicy };
    question.log.warn(fields, 'annotations left out by annotationPolicy');
  }
  for (const { name, unknownFields } of [
    ...(wanted.tke ?? []),
    ...wanted.additional,
    wanted.defaultNetwork ?? [],
  ].flat()) {
    if (unknownFields.length > 0)
      question.log.warn({ network: name, fields: unknownFields }, 'unknown fields of an annotation');
  }
  return wanted;
}
