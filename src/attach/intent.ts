/**
 * Which networks does this pod want? Three outcomes: none, a list, or unknown. Unknown never succeeds:
 * it is CNI error 11 with the reason.
 */

import type { ClusterSource } from '../cluster/source.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { type PodIdentity, podIdentity } from '../pod/identity.ts';
import { NETWORKS_ANNOTATION, type NetworkSelection, parseSelections } from '../pod/selection.ts';
import type { PlanQuestion } from './operation.ts';

function unknownIntent(pod: PodIdentity, reason: string): CniError {
  return new CniError(
    CniCode.tryAgainLater,
    `Cannot tell which networks pod ${pod.namespace}/${pod.name} wants: ${reason}`,
  );
}

async function annotationsFrom(source: ClusterSource, pod: PodIdentity): Promise<Record<string, string>> {
  const lookup = await source.pod(pod.namespace, pod.name);
  if (lookup.outcome === 'unknown') throw unknownIntent(pod, lookup.reason);
  const { uid, annotations } = lookup.pod;
  if (uid !== '' && pod.uid !== '' && uid !== pod.uid) {
    throw unknownIntent(pod, `the runtime asks for UID ${pod.uid}, the ${source.description} have UID ${uid}`);
  }
  return annotations;
}

/**
 * The pod's selections: from the annotations that the runtime handed over, else from the cluster source. A request
 * without a pod, or a configuration without a cluster, has none.
 * @throws CniError 11 when it cannot be told, 7 when the annotation is wrong
 */
export async function resolveIntent(
  question: PlanQuestion,
  source: ClusterSource | undefined,
): Promise<NetworkSelection[]> {
  const pod = podIdentity(question.request.args);
  if (pod === undefined) {
    const asked = question.config.podAnnotations?.[NETWORKS_ANNOTATION] ?? '';
    if (asked !== '' || (question.request.args.get('K8S_POD_NAME') ?? '') !== '') {
      throw new CniError(
        CniCode.invalidEnvironment,
        'Cannot tell which networks the pod wants: CNI_ARGS must have both K8S_POD_NAMESPACE and K8S_POD_NAME',
      );
    }
    return [];
  }
  const annotations =
    question.config.podAnnotations ?? (source === undefined ? {} : await annotationsFrom(source, pod));
  const origin = `annotation ${NETWORKS_ANNOTATION} of pod ${pod.namespace}/${pod.name}`;
  return parseSelections(annotations[NETWORKS_ANNOTATION], pod.namespace, origin);
}
