/** What a pod's annotations ask for, by Multus's rules, by the TKE fork's, or by both; never by accident. */
import { CniCode, CniError } from '../cni/errors.ts';
import type { PodIdentity } from './identity.ts';
import type { MultusConfig } from './multus-config.ts';
import { parseDefaultNetwork, parseSelections } from './parse-selections.ts';
import {
  DEFAULT_NETWORK_ANNOTATION,
  NETWORKS_ANNOTATION,
  type NetworkSelection,
  refuseSelection,
  TKE_ANNOTATION,
} from './selection.ts';

export interface PodNetworks {
  /** All networks of the pod instead of the node's own, by the TKE annotation; undefined when it is not set or not asked. */
  tke: NetworkSelection[] | undefined;
  /** Instead of the node's default network; undefined when the pod does not choose. */
  defaultNetwork: NetworkSelection | undefined;
  /** Beside the others. */
  additional: NetworkSelection[];
  /** Annotations of the pod that the policy leaves out; to be logged. */
  ignored: string[];
}

export const NO_NETWORKS: PodNetworks = { tke: undefined, defaultNetwork: undefined, additional: [], ignored: [] };

const NPWG_ANNOTATIONS = [NETWORKS_ANNOTATION, DEFAULT_NETWORK_ANNOTATION];

type Annotations = Readonly<Record<string, string>>;
type PolicyKeys = Pick<MultusConfig, 'annotationPolicy' | 'dialect' | 'multusNamespace'>;

const isSet = (annotations: Annotations, key: string): boolean => (annotations[key] ?? '').trim() !== '';

/**
 * Which annotations count. `annotationPolicy` decides for pods that have both, and for the TKE annotation on a node that is
 * configured as Multus's: there it would replace the node's default network. By default both are refused.
 * @throws CniError 7
 */
function countingAnnotations(
  annotations: Annotations,
  pod: string,
  config: PolicyKeys,
): { tke: boolean; npwg: boolean } {
  const tke = isSet(annotations, TKE_ANNOTATION);
  const npwgKey = NPWG_ANNOTATIONS.find((key) => isSet(annotations, key));
  const npwg = npwgKey !== undefined;
  const { annotationPolicy: policy, dialect } = config;
  if (!tke || (!npwg && dialect === 'tke')) return { tke, npwg };
  if (policy !== 'reject') return { tke: policy !== 'npwg', npwg: npwg && policy !== 'tke' };
  if (npwg) {
    throw new CniError(
      CniCode.invalidConfig,
      `Cannot tell which networks pod ${pod} wants: it has both annotation ${TKE_ANNOTATION} and ${npwgKey}; ` +
        'remove one, or set "annotationPolicy" to "tke", "npwg" or "merge" in the multus configuration',
    );
  }
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot use annotation ${TKE_ANNOTATION} of pod ${pod}: this node's configuration names its networks by "delegates" or "clusterNetwork"; ` +
      'set "annotationPolicy" to "tke" or "merge" to let pods choose by it, to "npwg" to ignore it',
  );
}

/** @throws CniError 6 or 7 naming annotation, entry, field and value */
export function podNetworks(annotations: Annotations, pod: PodIdentity, config: PolicyKeys): PodNetworks {
  const podName = `${pod.namespace}/${pod.name}`;
  const counting = countingAnnotations(annotations, podName, config);
  const ignored = [...(counting.tke ? [] : [TKE_ANNOTATION]), ...(counting.npwg ? [] : NPWG_ANNOTATIONS)].filter(
    (key) => isSet(annotations, key),
  );
  const context = (key: string, namespace: string | undefined) => ({
    origin: `annotation ${key} of pod ${podName}`,
    namespace,
  });
  const tkeContext = context(TKE_ANNOTATION, undefined);
  const tke = counting.tke ? parseSelections(annotations[TKE_ANNOTATION], tkeContext) : undefined;
  if (tke?.length === 0) {
    throw refuseSelection(
      tkeContext,
      'it must name at least one network; for those of the node, remove the annotation',
    );
  }
  if (!counting.npwg) return { ...NO_NETWORKS, tke, ignored };
  const defaultContext = context(DEFAULT_NETWORK_ANNOTATION, config.multusNamespace);
  const defaultNetwork = isSet(annotations, DEFAULT_NETWORK_ANNOTATION)
    ? parseDefaultNetwork(annotations[DEFAULT_NETWORK_ANNOTATION], defaultContext)
    : undefined;
  if (defaultNetwork !== undefined && (tke !== undefined || config.dialect === 'tke')) {
    const problem = `the default network of this pod is named by the rules of ${TKE_ANNOTATION}; name it there`;
    throw refuseSelection(defaultContext, problem);
  }
  return {
    tke,
    defaultNetwork,
    additional: parseSelections(annotations[NETWORKS_ANNOTATION], context(NETWORKS_ANNOTATION, pod.namespace)),
    ignored,
  };
}
