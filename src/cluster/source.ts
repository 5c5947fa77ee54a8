/** Where pods and network definitions come from, and where the pods' status goes: the API server, a folder of manifests. */

/** The part of a logger that sources use (pino's shape): fields first, then a constant message. */
export interface SourceLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface PodRecord {
  namespace: string;
  name: string;
  /** '' when the source has none. */
  uid: string;
  annotations: Record<string, string>;
  /** undefined when the source does not read them. */
  claims?: PodClaims;
}

/** Which devices a pod claims (Dynamic Resource Allocation): by names of ResourceClaims of its namespace. */
export interface PodClaims {
  names: string[];
  /** Claims, by their names in the pod, for which Kubernetes has yet to make a ResourceClaim. */
  pending: string[];
  extended: ExtendedClaim | undefined;
}

/** The claim that the scheduler made for the extended resources of a pod's containers. */
export interface ExtendedClaim {
  name: string;
  /** Extended resource by name of the claim's request. */
  resources: Map<string, string>;
}

/** Who asks for a pod, and for how long. */
export interface PodQuestion {
  /** The runtime's: '' when it gave none. A source that knows several pods of a name answers with this one. */
  uid: string;
  /** Ends the waiting, not the source: the answer is then `unknown`. */
  signal: AbortSignal;
}

/** A pod of this node, as far as who follows its changes has to know it. */
export interface WatchedPod extends PodRecord {
  /** status.phase: "Pending", "Running", "Succeeded", "Failed", "Unknown". */
  phase: string;
  hostNetwork: boolean;
  /** It has a deletionTimestamp. */
  isDeleting: boolean;
  resourceVersion: string;
}

/** The pods of this node, as they change. */
export interface PodWatch {
  /** What is known now; nothing until the source has seen the cluster. */
  pods(): Iterable<WatchedPod>;
  /**
   * @param listener gets each new state of a pod, undefined when it is gone, and its "namespace/name"; must not throw
   * @returns ends it
   */
  subscribe(listener: (pod: WatchedPod | undefined, key: string) => void): () => void;
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

/** A ResourceClaim (resource.k8s.io/v1). */
export interface ResourceClaimRecord {
  namespace: string;
  name: string;
  /** undefined when nothing is allocated yet. */
  allocated: AllocatedDevice[] | undefined;
}

/** Driver, pool and device name a device of the cluster. */
export interface AllocatedDevice {
  request: string;
  driver: string;
  pool: string;
  device: string;
  /** Allocated to look at, while it belongs to another pod. */
  adminAccess: boolean;
}

/** A part of what a driver offers in one pool (ResourceSlice, resource.k8s.io/v1). */
export interface ResourceSliceRecord {
  name: string;
  driver: string;
  pool: string;
  /** Only slices of a pool's highest generation count. */
  generation: number;
  /** Attributes that are strings, by device. */
  devices: Map<string, Record<string, string>>;
}

/** `absent` and `unknown` as for definitions. */
export type ResourceClaimLookup =
  | { outcome: 'found'; claim: ResourceClaimRecord }
  | { outcome: 'absent'; reason: string }
  | { outcome: 'unknown'; reason: string };

export type ResourceSliceLookup =
  | { outcome: 'found'; slices: ResourceSliceRecord[] }
  | { outcome: 'unknown'; reason: string };

/** What tells the devices of resource claims. */
export interface ResourceSource {
  resourceClaim(namespace: string, name: string, signal: AbortSignal): Promise<ResourceClaimLookup>;
  /** At least those slices of a driver that have devices of this node. */
  resourceSlices(driver: string, signal: AbortSignal): Promise<ResourceSliceLookup>;
}

/** What a container of a pod got, as annotations for the pod. */
export interface PodStatus {
  namespace: string;
  name: string;
  /** '' when the runtime gave none. */
  uid: string;
  containerId: string;
  annotations: Record<string, string>;
}

/** Something about a pod that its users shall see (core/v1 Event). */
export interface PodEvent {
  namespace: string;
  name: string;
  /** '' when the runtime gave none. */
  uid: string;
  type: 'Normal' | 'Warning';
  /** CamelCase, constant: tools look for it. */
  reason: string;
  message: string;
}

/** Why something could not be told to the cluster, and whether another try may help. */
export class DeliveryError extends Error {
  /** The pod is gone or another one, or what was sent is refused for good: the same try would fail again. */
  readonly isFinal: boolean;
  /** Milliseconds that the cluster asks to wait before another try; 0 when it does not say. */
  readonly retryAfterMs: number;

  constructor(message: string, { isFinal = false, retryAfterMs = 0, ...rest }: DeliveryErrorOptions = {}) {
    super(message, rest);
    this.isFinal = isFinal;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface DeliveryErrorOptions extends ErrorOptions {
  isFinal?: boolean;
  retryAfterMs?: number;
}

/** Which container of which pod a status is of. */
export type StatusKey = Pick<PodStatus, 'namespace' | 'name' | 'containerId'>;

export interface ClusterSource {
  /** For messages: "manifests in /etc/cni/multus/manifests". */
  readonly description: string;
  pod(namespace: string, name: string, question: PodQuestion): Promise<PodLookup>;
  /** @param signal ends the waiting: the answer is then `unknown`, or what was last known of it */
  definition(namespace: string, name: string, signal: AbortSignal): Promise<DefinitionLookup>;
  /** Undefined when the source does not follow the pods of its node. */
  readonly watch?: PodWatch;
  /** undefined when the source does not have resource claims. */
  readonly resources?: ResourceSource;
  /**
   * Nobody but us tells the pods' status: then it is told anew when a pod's networks change while it runs. (On an API
   * server, who asks for that writes the status itself, and fails when somebody else has written it meanwhile.)
   */
  readonly ownsStatus?: boolean;
  /** Telling it anything may take long, or fail for a while: nobody waits for that. */
  readonly isRemote?: boolean;
  /**
   * Keep the status where the pod's users find it, in place of an earlier container's; annotations of others stay.
   * @throws naming the pod; DeliveryError by remote sources
   */
  publishStatus?(status: PodStatus, signal?: AbortSignal): Promise<void>;
  /** Take a container's status away, if it is still the pod's. @throws naming the pod */
  clearStatus?(key: StatusKey): Promise<void>;
  /** @throws DeliveryError naming the pod */
  recordEvent?(event: PodEvent, signal: AbortSignal): Promise<void>;
}
