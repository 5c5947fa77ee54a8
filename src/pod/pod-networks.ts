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
}

export const NO_NETWORKS: PodNetworks = { tke: undefined, defaultNetwork: undefined, additional: [] };

type Annotations = Readonly<Record<string, string>>;
type PolicyKeys = Pick<MultusConfig, 'annotationPolicy' | 'dialect' | 'multusNamespace'>;

const isSet = (annotations: Annotations, key: string): boolean => (annotations[key] ?? '').trim() !== '';

/**
 * Which of the two counts. By default both on one pod are refused, and so is the TKE annotation on a node that is
 * configured as Multus's: there it would replace the node's default network.
 * @throws CniError 7
 */
function chosenAnnotations(annotations: Annotations, pod: string, config: PolicyKeys) {
  const tke = isSet(annotations, TKE_ANNOTATION);
  const npwgKey = [NETWORKS_ANNOTATION, DEFAULT_NETWORK_ANNOTATION].find((key) => isSet(annotations, key));
  const npwg = npwgKey !== undefined;
  switch (config.annotationPolicy) {
    case 'npwg':
      return { tke: false, npwg: true };
    case 'tke':
      return { tke: true, npwg: false };
    case 'merge':
      return { tke: true, npwg: true };
    case 'reject':
      if (tke && npwg) {
        throw new CniError(
          CniCode.invalidConfig,
          `Cannot tell which networks pod ${pod} wants: it has both annotation ${TKE_ANNOTATION} and ${npwgKey}; ` +
            'remove one, or set "annotationPolicy" to "tke", "npwg" or "merge" in the multus configuration',
        );
      }
      if (tke && config.dialect === 'npwg') {
        throw new CniError(
          CniCode.invalidConfig,
          `Cannot use annotation ${TKE_ANNOTATION} of pod ${pod}: this node's configuration names its networks by "delegates" or "clusterNetwork"; ` +
            'set "annotationPolicy" to "tke" or "merge" to let pods choose by it, to "npwg" to ignore it',
        );
      }
      return { tke: true, npwg: true };
  }
}

/** @throws CniError 6 or 7 naming annotation, entry, field and value */
export function podNetworks(annotations: Annotations, pod: PodIdentity, config: PolicyKeys): PodNetworks {
  const podName = `${pod.namespace}/${pod.name}`;
  const chosen = chosenAnnotations(annotations, podName, config);
  const context = (key: string, namespace: string | undefined) => ({
    origin: `annotation ${key} of pod ${podName}`,
    namespace,
  });
  const tkeContext = context(TKE_ANNOTATION, undefined);
  const tke =
    chosen.tke && isSet(annotations, TKE_ANNOTATION)
      ? parseSelections(annotations[TKE_ANNOTATION], tkeContext)
      : undefined;
  if (tke?.length === 0) {
    throw refuseSelection(
      tkeContext,
      'it must name at least one network; for those of the node, remove the annotation',
    );
  }
  if (!chosen.npwg) return { ...NO_NETWORKS, tke };
  const defaultContext = context(DEFAULT_NETWORK_ANNOTATION, config.multusNamespace);
  const defaultNetwork = parseDefaultNetwork(annotations[DEFAULT_NETWORK_ANNOTATION], defaultContext);
  if (defaultNetwork !== undefined && (tke !== undefined || config.dialect === 'tke')) {
    const problem = `the default network of this pod is named by the rules of ${TKE_ANNOTATION}; name it there`;
    throw refuseSelection(defaultContext, problem);
  }
  return {
    tke,
    defaultNetwork,
    additional: parseSelections(annotations[NETWORKS_ANNOTATION], context(NETWORKS_ANNOTATION, pod.namespace)),
  };
}
