/**
 * The API server as the source of a program that answers one request: it asks where it must, with the kubeconfig that the
 * configuration names, and falls back to the definitions on disk. Without a kubeconfig it knows only those.
 *
 * Most requests ask nothing: the runtime hands the annotations over. What talks to a server is loaded when it is needed.
 */
import { hostname } from 'node:os';
import { LastKnown } from '../snapshot/last-known.ts';
import type {
  ClusterSource,
  DefinitionLookup,
  PodEvent,
  PodLookup,
  PodQuestion,
  PodStatus,
  ResourceSource,
  SourceLog,
} from '../source.ts';
import type { Connection } from './connection.ts';

export interface LiveSettings {
  /** '' = nobody may be asked. */
  kubeconfig: string;
  /** State directory, where a daemon keeps the definitions. */
  cniDir: string;
  userAgent: string;
  log: SourceLog;
}

const DAEMON_AWAY = {
  reason: 'the daemon that asks the API server does not answer, and the configuration names no "kubeconfig"',
  remedy: 'start it, or use a runtime that hands over the annotations of pods (containerd 1.7, CRI-O 1.28)',
};

/** A delivery beside a process that waits to end. */
const DELIVERY_LIMIT_MS = 10_000;

export interface OfflineSettings extends Pick<LiveSettings, 'cniDir' | 'log'> {
  /** Why nobody can be asked, and what to do where a pod is not known therefore. */
  nobody?: typeof DAEMON_AWAY;
}

/** Of a node that is one of a cluster, and has no credentials at hand. */
export class OfflineSource implements ClusterSource {
  readonly description: string = 'definitions on disk';
  protected readonly lastKnown: LastKnown;

  private readonly nobody: typeof DAEMON_AWAY;

  constructor({ cniDir, log, nobody = DAEMON_AWAY }: OfflineSettings) {
    this.lastKnown = new LastKnown(cniDir, log);
    this.nobody = nobody;
  }

  async pod(_namespace: string, _name: string, _question: PodQuestion): Promise<PodLookup> {
    return { outcome: 'unknown', reason: `${this.nobody.reason}; ${this.nobody.remedy}` };
  }

  async definition(namespace: string, name: string, _signal: AbortSignal): Promise<DefinitionLookup> {
    return this.lastKnown.definition(namespace, name, this.nobody.reason);
  }
}

export class LiveSource extends OfflineSource {
  override readonly description: string;
  readonly isRemote = true;
  readonly resources: ResourceSource = {
    resourceClaim: async (namespace, name, signal) =>
      (await this.connection()).queries.resourceClaim(namespace, name, signal),
    resourceSlices: async (driver, signal) => (await this.connection()).queries.resourceSlices(driver, signal),
  };
  private readonly settings: LiveSettings;
  private opened: Promise<Connection> | undefined;

  constructor(settings: LiveSettings) {
    super(settings);
    this.settings = settings;
    this.description = `objects of the API server (kubeconfig ${settings.kubeconfig})`;
  }

  private connection(): Promise<Connection> {
    const { kubeconfig, userAgent, log } = this.settings;
    this.opened ??= import('./connection.ts').then(({ connect }) =>
      connect({ origin: { kubeconfig }, node: hostname(), userAgent, log }),
    );
    return this.opened;
  }

  override async pod(namespace: string, name: string, { signal }: PodQuestion): Promise<PodLookup> {
    return (await this.connection()).queries.pod(namespace, name, signal);
  }

  override async definition(namespace: string, name: string, signal: AbortSignal): Promise<DefinitionLookup> {
    const live = await (await this.connection()).queries.definition(namespace, name, signal);
    return live.outcome === 'unknown' ? this.lastKnown.definition(namespace, name, live.reason) : live;
  }

  async publishStatus(status: PodStatus, signal = AbortSignal.timeout(DELIVERY_LIMIT_MS)): Promise<void> {
    await (await this.connection()).delivery.publishStatus(status, undefined, signal);
  }

  async recordEvent(event: PodEvent, signal: AbortSignal): Promise<void> {
    await (await this.connection()).delivery.recordEvent(event, undefined, signal);
  }
}
