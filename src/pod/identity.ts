/** Which pod a request is for, from CNI_ARGS as the kubelet's runtimes fill it. */
import type { CniArgs } from '../cni/args.ts';

export interface PodIdentity {
  namespace: string;
  name: string;
  /** '' when the runtime gave none. */
  uid: string;
}

/** undefined when CNI_ARGS names no pod: the container does not belong to Kubernetes. */
export function podIdentity(args: CniArgs): PodIdentity | undefined {
  const name = args.get('K8S_POD_NAME') ?? '';
  const namespace = args.get('K8S_POD_NAMESPACE') ?? '';
  if (name === '' || namespace === '') return undefined;
  return { namespace, name, uid: args.get('K8S_POD_UID') ?? '' };
}

/** `namespace/name`; '' when CNI_ARGS names no pod. */
export function podLabel(args: CniArgs): string {
  const pod = podIdentity(args);
  return pod === undefined ? '' : `${pod.namespace}/${pod.name}`;
}
