/** Where pods and network definitions come from: the API server's watch, a folder of manifests, a snapshot. */

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

export interface ClusterSource {
  /** For messages: "manifests in /etc/cni/multus/manifests". */
  readonly description: string;
  pod(namespace: string, name: string): Promise<PodLookup>;
  definition(namespace: string, name: string): Promise<DefinitionLookup>;
}
