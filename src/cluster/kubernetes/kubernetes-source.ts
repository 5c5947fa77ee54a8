/**
 * The API server as the daemon's source: a copy of this node's pods and of all definitions, so that an ADD asks it
 * nothing; one question where the copy cannot tell; what was last known where the server cannot be asked.
 */
import { isPodOf } from '../pod-uid.ts';
import { LastKnown } from '../snapshot/last-known.ts';
import type {
  ClusterSource,
  DefinitionLookup,
  PodEvent,
  PodLookup,
  PodQuestion,
  PodStatus,
  PodWatch,
  ResourceSource,
  SourceLog,
  WatchedPod,
} from '../source.ts';
import { type Connection, type ConnectionSettings, connect } from './connection.ts';
import { FollowedDefinitions } from './followed-definitions.ts';
import { ListWatch, type ListWatchTimes } from './list-watch.ts';
import { NodeCertificate } from './node-certificate.ts';
import { NO_DEFINITION_KIND, podsOfNode } from './objects.ts';

export interface KubernetesSettings extends ConnectionSettings {
  /** State directory: the definitions are kept there, too. */
  cniDir: string;
  /** A certificate of the node's own is kept here. */
  certificate?: { certDir: string; seconds: number };
  times?: ListWatchTimes;
}

/** How well the source knows the cluster. */
export interface FollowState {
  isSynced: boolean;
  /** Milliseconds of Date.now() at which the copy was last known to be right; 0 = never. */
  seenAt: number;
  /** '' while it is followed. */
  problem: string;
}

type PodListener = (pod: WatchedPod | undefined, key: string) => void;

/** How long a delivery may take when nobody says. */
const DELIVERY_LIMIT_MS = 30_000;

export class KubernetesSource implements ClusterSource {
  readonly description: string;
  readonly isRemote = true;
  readonly resources: ResourceSource;
  readonly watch: PodWatch;
  private readonly connection: Connection;
  private readonly log: SourceLog;
  private readonly pods: ListWatch<WatchedPod>;
  private readonly definitions: FollowedDefinitions;
  private readonly lastKnown: LastKnown;
  private readonly certificate: NodeCertificate | undefined;
  private readonly listeners = new Set<PodListener>();

  constructor(settings: KubernetesSettings) {
    const { log, node, cniDir, origin, times } = settings;
    this.description = describeOrigin(origin);
    this.log = log;
    this.connection = connect(settings);
    this.resources = this.connection.queries;
    const { client } = this.connection;
    this.pods = new ListWatch(client, podsOfNode(node), {
      log,
      times,
      onChange: (key, pod) => {
        for (const listener of this.listeners) listener(pod, key);
      },
    });
    this.definitions = new FollowedDefinitions(client, { cniDir, log, times });
    const { certificate } = settings;
    this.certificate =
      certificate === undefined ? undefined : new NodeCertificate(client, { ...certificate, node, log });
    this.lastKnown = new LastKnown(cniDir, log);
    this.watch = {
      pods: () => this.pods.values(),
      subscribe: (listener) => {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
      },
    };
  }

  /** Follow the cluster until `signal` aborts; what is to be on disk is there then. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.pods.run(signal), this.definitions.run(signal), this.certificate?.run(signal)]);
  }

  /** For whoever watches the daemon. */
  get state(): { pods: FollowState; definitions: FollowState } {
    const of = ({ isSynced, seenAt, problem }: FollowState): FollowState => ({ isSynced, seenAt, problem });
    return { pods: of(this.pods), definitions: of(this.definitions.copy) };
  }

  async pod(namespace: string, name: string, { uid, signal }: PodQuestion): Promise<PodLookup> {
    const pod = this.pods.get(namespace, name);
    // A copy that is behind has the pod that had the name before, or none.
    if (pod !== undefined && isPodOf(pod, uid)) return { outcome: 'found', pod };
    return this.connection.queries.pod(namespace, name, signal);
  }

  async definition(namespace: string, name: string, signal: AbortSignal): Promise<DefinitionLookup> {
    const { isSynced, problem, seenAt } = this.definitions.copy;
    const isAway = problem !== '' && problem !== NO_DEFINITION_KIND;
    if (isSynced) {
      const definition = this.definitions.copy.get(namespace, name);
      if (definition !== undefined) {
        if (isAway) this.log.info({ network: `${namespace}/${name}`, seenAt }, 'definition as it was last seen');
        return { outcome: 'found', definition };
      }
    } else if (isAway && this.lastKnown.has(namespace, name)) {
      // Asking again would take until its deadline when the server hangs.
      return this.lastKnown.definition(namespace, name, problem);
    }
    // It may have been made a moment ago, together with the pod.
    const live = await this.connection.queries.definition(namespace, name, signal);
    if (live.outcome !== 'unknown' || isSynced) return live;
    return this.lastKnown.definition(namespace, name, live.reason);
  }

  async publishStatus(status: PodStatus, signal = AbortSignal.timeout(DELIVERY_LIMIT_MS)): Promise<void> {
    const known = this.pods.get(status.namespace, status.name);
    await this.connection.delivery.publishStatus(status, known, signal);
  }

  async recordEvent(event: PodEvent, signal: AbortSignal): Promise<void> {
    await this.connection.delivery.recordEvent(event, this.pods.get(event.namespace, event.name), signal);
  }
}

/** For messages. */
export function describeOrigin(origin: ConnectionSettings['origin']): string {
  return `objects of the API server (${'kubeconfig' in origin ? `kubeconfig ${origin.kubeconfig}` : origin.server})`;
}
