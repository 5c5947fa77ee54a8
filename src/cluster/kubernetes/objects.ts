/** Which objects of the cluster a node needs, and what of them: everything else is dropped as it is read. */
import { RESOURCE_ANNOTATION } from '../../pod/device-map.ts';
import { DEFAULT_NETWORK_ANNOTATION, NETWORKS_ANNOTATION, TKE_ANNOTATION } from '../../pod/selection.ts';
import { IDENTITY_ANNOTATIONS } from '../pod-uid.ts';
import { definitionRecord, watchedPod } from '../record-objects.ts';
import type { DefinitionRecord, WatchedPod } from '../source.ts';
import type { Resource } from './list-watch.ts';

export const DEFINITIONS_PATH = '/apis/k8s.cni.cncf.io/v1';

export const NO_DEFINITION_KIND =
  'the cluster does not know NetworkAttachmentDefinitions: their CRD (network-attachment-definitions.k8s.cni.cncf.io) is not installed';

/** Status annotations are among them: who follows a pod sees what was told of it. */
const POD_ANNOTATIONS = [
  NETWORKS_ANNOTATION,
  DEFAULT_NETWORK_ANNOTATION,
  TKE_ANNOTATION,
  'k8s.v1.cni.cncf.io/network-status',
  ...IDENTITY_ANNOTATIONS,
];

/** @throws TypeError naming the field */
export function readPod(object: unknown, namespace: string, name: string): WatchedPod {
  return watchedPod(object, namespace, name, POD_ANNOTATIONS);
}

/** @throws TypeError naming the field */
export function readDefinition(object: unknown, namespace: string, name: string): DefinitionRecord {
  return definitionRecord(object, namespace, name, [RESOURCE_ANNOTATION]);
}

export function podsOfNode(node: string): Resource<WatchedPod> {
  return {
    what: `pods of node ${node}`,
    path: '/api/v1/pods',
    query: { fieldSelector: `spec.nodeName=${node}` },
    read: readPod,
    unknownKind: 'this is no API server of Kubernetes: it does not know pods',
  };
}

export const ALL_DEFINITIONS: Resource<DefinitionRecord> = {
  what: 'network attachment definitions',
  path: `${DEFINITIONS_PATH}/network-attachment-definitions`,
  query: {},
  isLarge: true,
  read: readDefinition,
  unknownKind: NO_DEFINITION_KIND,
};
