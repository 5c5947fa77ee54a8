/** Is a pod of the cluster the one that a runtime means? */
import type { PodRecord } from './source.ts';

/** Where the kubelet says it has a pod from; "api" for one that the API server gave it. */
const POD_ORIGIN = 'kubernetes.io/config.source';

/** On the mirror of a static pod: the UID that the kubelet gave the pod itself. */
const STATIC_UID = ['kubernetes.io/config.mirror', 'kubernetes.io/config.hash'];

/** What `isPodOf` reads. */
export const IDENTITY_ANNOTATIONS: readonly string[] = [POD_ORIGIN, ...STATIC_UID];

/**
 * A pod from a file of the node (static) is in the cluster by its mirror only, which has a UID of its own and names the
 * pod's. A mirror that names another one is that of an earlier content of the file; one that names none is believed.
 * @param uid the runtime's; '' = it gave none, and the name decides
 */
export function isPodOf({ uid: recorded, annotations }: Pick<PodRecord, 'uid' | 'annotations'>, uid: string): boolean {
  if (recorded === '' || uid === '' || recorded === uid) return true;
  if ((annotations[POD_ORIGIN] ?? 'api') === 'api') return false;
  const named = STATIC_UID.map((key) => annotations[key] ?? '').find((one) => one !== '');
  return named === undefined || named === uid;
}
