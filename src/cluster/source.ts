/** Where pods and network definitions come from, and where the pods' status goes: the API server, a folder of manifests. */

export interface PodRecord {
  namespace: string;
  name: string;
  /** '' when the source has none. */
  uid: string;
  annotations: Record<string, string>;
}

/** `unknown`: the source cannot tell, which must never be taken for "no networks". */
export type PodLookup = { outcome: 'found'; pod: PodRecord } | { outcome: 'unknown'; reason: string };

/** A NetworkAttachmentDefinition (NPWG section 3). */
export interface DefinitionRecord {
  namespace: string;
  name: string;
  /** spec.config, '' when the definition names a file of the node instead. */
  config: string;
  annotations: Record<string, string>;
}

/** `absent`: the source has seen everything and it is not there. `unknown`: it may be there. */
export type DefinitionLookup =
  | { outcome: 'found'; definition: DefinitionRecord }
  | { outcome: 'absent'; reason: string }
  | { outcome: 'unknown'; reason: string };

/** What a container of a pod got, as annotations for the pod. */
export interface PodStatus {
  namespace: string;
  name: string;
  /** '' when the runtime gave none. */
  uid: string;
  containerId: string;
  annotations: Record<string, string>;
}

/** Which container of which pod a status is of. */
export type StatusKey = Pick<PodStatus, 'namespace' | 'name' | 'containerId'>;

export interface ClusterSource {
  /** For messages: "manifests in /etc/cni/multus/manifests". */
  readonly description: string;
  pod(namespace: string, name: string): Promise<PodLookup>;
  definition(namespace: string, name: string): Promise<DefinitionLookup>;
  /** Keep the status where the pod's users find it, in place of an earlier container's. @throws naming the pod */
  publishStatus?(status: PodStatus): Promise<void>;
  /** Take a container's status away, if it is still the pod's. @throws naming the pod */
  clearStatus?(key: StatusKey): Promise<void>;
}
