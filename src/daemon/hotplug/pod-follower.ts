/**
 * Leads one running pod to the networks that its annotation asks for, a step at a time. What is wanted and what is there are
 * read anew before each step: an edit counts from the next one on, and a step that nobody wants any more is ended.
 */
import { type HotplugRequest, type OwnChange, ownRequest } from '../../attach/hotplug/hotplug-request.ts';
import type { JournalRecord } from '../../attach/journal-record.ts';
import type { Log } from '../../attach/operation.ts';
import { editRefused } from '../../attach/publish/events.ts';
import type { PodEvent, WatchedPod } from '../../cluster/source.ts';
import { CniCode, CniError, toCniError } from '../../cni/errors.ts';
import { withSignal } from '../../node/with-signal.ts';
import type { MultusConfig } from '../../pod/multus-config.ts';
import { networkChanges } from '../../pod/network-changes.ts';
import { TKE_STATUS_ANNOTATION } from '../../pod/plan.ts';
import { type PodNetworks, podNetworks } from '../../pod/pod-networks.ts';
import {
  DEFAULT_NETWORK_ANNOTATION,
  NETWORKS_ANNOTATION,
  type NetworkSelection,
  TKE_ANNOTATION,
} from '../../pod/selection.ts';
import type { PodContainers } from './pod-containers.ts';
import { isAsked, keyOf, presentNetworks, stepsOf } from './steps.ts';

export interface FollowerOptions {
  containers: PodContainers;
  /** Attaches or detaches one network of a container of this state directory. @throws CniError */
  plug: (request: HotplugRequest, cniDir: string, signal: AbortSignal) => Promise<void>;
  /** The node's own: how annotations are read. */
  config: MultusConfig;
  log: Log;
  /** Tells the pod's users what no step tells by itself. */
  tell: (event: PodEvent) => void;
}

interface LogFields {
  ifName?: string;
  [field: string]: unknown;
}

/** `followed`: nothing is to be done until the pod changes. `left`: nothing can be done now. `failed`: a try is due. */
export type Outcome = 'followed' | 'left' | 'failed';

/** All of a pod that a look at it depends on. */
function textOf({ uid, phase, hostNetwork, isDeleting, annotations }: WatchedPod): string {
  const told = [NETWORKS_ANNOTATION, DEFAULT_NETWORK_ANNOTATION, TKE_ANNOTATION].map((key) => annotations[key] ?? '');
  return JSON.stringify([uid, isOver({ phase, hostNetwork, isDeleting }), ...told]);
}

/** A pod that ends keeps its networks to the end; one on the host's network has none of its own. */
function isOver({ phase, hostNetwork, isDeleting }: Pick<WatchedPod, 'phase' | 'hostNetwork' | 'isDeleting'>): boolean {
  return isDeleting || hostNetwork || phase === 'Succeeded' || phase === 'Failed';
}

export class PodFollower {
  private readonly key: string;
  private readonly options: FollowerOptions;
  private pod: WatchedPod;
  /** What it was when nothing was left to be done. */
  private followed: string | undefined;
  /** What is being attached. */
  private coming: { selection: NetworkSelection; ending: AbortController } | undefined;
  /** How the pod's container was attached: the node's own configuration does not say it. */
  private dialect: MultusConfig['dialect'] = 'npwg';
  /** What was told of each thing that is wrong: a try that fails like the one before is no news. */
  private readonly told = new Map<string, string>();

  constructor(pod: WatchedPod, options: FollowerOptions) {
    this.key = `${pod.namespace}/${pod.name}`;
    this.pod = pod;
    this.options = options;
  }

  /** @returns whether there is anything to be looked at */
  update(pod: WatchedPod): boolean {
    this.pod = pod;
    this.endWhatNobodyWants();
    return textOf(pod) !== this.followed;
  }

  /** The pod has another container, or was attached anew. */
  forget(): void {
    this.followed = undefined;
  }

  /** Do what can be done. Never throws. */
  async follow(signal: AbortSignal): Promise<Outcome> {
    const tried = new Set<string>();
    let text: string | undefined;
    while (!signal.aborted) {
      const { pod } = this;
      if (textOf(pod) !== text) tried.clear();
      text = textOf(pod);
      const steps = this.nextSteps(pod);
      if (steps === 'left') return 'left';
      const step = steps.find(({ change }) => !tried.has(keyOf(change)));
      if (step === undefined) {
        if (steps.length > 0) return 'failed';
        this.followed = text;
        this.told.clear();
        return 'followed';
      }
      this.followed = undefined; // an edit back to what it was has to undo this
      tried.add(keyOf(step.change));
      await this.take(step.change, step.record, step.cniDir, signal);
    }
    return 'left';
  }

  private nextSteps(pod: WatchedPod): { change: OwnChange; record: JournalRecord; cniDir: string }[] | 'left' {
    if (isOver(pod)) return [];
    const found = this.options.containers.find(this.key, pod.uid);
    if (typeof found === 'string') {
      this.options.log.debug({ pod: this.key, reason: found }, 'the networks of the pod are left alone');
      return 'left';
    }
    this.dialect = found.record.statusAnnotations.includes(TKE_STATUS_ANNOTATION) ? 'tke' : 'npwg';
    try {
      const wanted = this.wanted(pod);
      this.tellKeptDefault(wanted, found.record);
      const changes = networkChanges(presentNetworks(found.record), wanted.additional);
      return stepsOf(changes).map((change) => ({ change, ...found }));
    } catch (error) {
      const { code, message } = toCniError(error);
      this.refuse('NetworksRejected', `${message}; the pod keeps the networks that it has`, { code });
      return [];
    }
  }

  /** @throws CniError 6 or 7 */
  private wanted({ namespace, name, uid, annotations }: WatchedPod): PodNetworks {
    const { dialect, options } = this;
    return podNetworks(annotations, { namespace, name, uid }, { ...options.config, dialect });
  }

  /** A running pod cannot get another default network: its containers have addresses of this one. */
  private tellKeptDefault({ defaultNetwork }: PodNetworks, { attachments }: JournalRecord): void {
    const own = attachments.find(({ isDefault }) => isDefault);
    if (defaultNetwork === undefined || own === undefined) return;
    const asked = `${defaultNetwork.namespace}/${defaultNetwork.name}`;
    if (asked === own.network) return;
    this.refuse(
      'DefaultNetworkKept',
      `annotation ${DEFAULT_NETWORK_ANNOTATION} asks for ${asked}; the pod keeps default network ${own.network} until it is started anew`,
    );
  }

  private async take(change: OwnChange, record: JournalRecord, cniDir: string, signal: AbortSignal): Promise<void> {
    const { plug, log } = this.options;
    const request = ownRequest(record, change);
    const started = performance.now();
    const fields = { pod: this.key, container: record.containerId, ifName: request.ifName };
    try {
      await withSignal(signal, async (ending) => {
        if (change.command === 'ADD') this.coming = { selection: change.selection, ending };
        await plug(request, cniDir, ending.signal);
      });
      const ms = Math.round(performance.now() - started);
      log.info({ ...fields, ms }, change.command === 'ADD' ? 'plugged in' : 'unplugged');
    } catch (error) {
      const { code, message, details } = toCniError(error);
      if (code === CniCode.cancelled) log.info({ ...fields, reason: message }, 'hot-plug was ended');
      else if (change.command === 'ADD') this.warn('AttachFailed', message, { ...fields, code, details });
      else this.warn('DetachFailed', message, { ...fields, code, details });
    } finally {
      this.coming = undefined;
    }
  }

  /** A network that hangs must not keep the pod from the edit that takes it back. */
  private endWhatNobodyWants(): void {
    if (this.coming === undefined || isOver(this.pod)) return; // the pod's DEL ends it
    try {
      if (isAsked(this.coming.selection, this.wanted(this.pod).additional)) return;
    } catch {
      return; // what cannot be read changes nothing
    }
    const reason = `the annotation of pod ${this.key} does not ask for it any more`;
    this.coming.ending.abort(new CniError(CniCode.cancelled, reason));
  }

  private refuse(reason: Parameters<typeof editRefused>[1], message: string, fields: LogFields = {}): void {
    if (!this.warn(reason, message, fields)) return;
    const { namespace, name, uid } = this.pod;
    this.options.tell(editRefused({ namespace, name, uid }, reason, message));
  }

  /** @returns whether it is news */
  private warn(reason: string, message: string, fields: LogFields = {}): boolean {
    const subject = `${reason} ${fields.ifName ?? ''}`;
    const text = `${textOf(this.pod)} ${message}`;
    if (this.told.get(subject) === text) return false;
    this.told.set(subject, text);
    this.options.log.warn({ pod: this.key, ...fields, error: message }, reason);
    return true;
  }
}
