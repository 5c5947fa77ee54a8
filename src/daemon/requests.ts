/** Takes requests from the socket into the engine: queueing, one container's DEL ending its ADD, logging. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Answer,
  answerHotplug,
  answerRequest,
  errorAnswer,
  readRequest,
  refusal,
  runHotplug,
} from '../attach/engine.ts';
import { type HotplugRequest, parseHotplugRequest } from '../attach/hotplug/hotplug-request.ts';
import { endedByDel } from '../attach/locks.ts';
import { type Adopter, logFields, type OperationContext } from '../attach/operation.ts';
import { Publisher } from '../attach/publish/publisher.ts';
import type { ClusterSource } from '../cluster/source.ts';
import { createSources, type OpenSource } from '../cluster/sources.ts';
import { CniCode, CniError, toCniError } from '../cni/errors.ts';
import type { RawObject } from '../cni/raw-json.ts';
import type { CniRequest } from '../cni/request.ts';
import { NEWEST_VERSION } from '../cni/versions.ts';
import type { DelegateRunner } from '../delegate/runner.ts';
import { podLabel } from '../pod/identity.ts';
import { type MultusConfig, parseNodeKeys } from '../pod/multus-config.ts';
import { type Overlay, overlaid } from '../pod/overlay.ts';
import type { WireRequest } from '../wire/http.ts';
import type { HotplugController } from './hotplug/hotplug-controller.ts';
import { type Lane, Lanes, type LanesOptions } from './lanes.ts';
import type { RequestLogs } from './request-logs.ts';

/** How a caller wants its plugins run, and when it is gone. */
export interface Caller {
  operation: string;
  runner: (searchPath: readonly string[]) => DelegateRunner;
  signal: AbortSignal;
  confirm?: () => Promise<void>;
}

export interface RequestsOptions {
  logs: RequestLogs;
  /** Keys for every request of the node. */
  overlay: Overlay;
  /** The multus configuration of requests that bring none. */
  nodeKeys: RawObject;
  lanes: LanesOptions;
  /** To be looked after before any request names them. */
  stateDirectories: readonly string[];
  /** Of the API server for which the daemon has credentials. */
  cluster?: ClusterSource | undefined;
  /** For API servers that requests name. */
  userAgent: string;
}

const LANES: Record<CniRequest['command'], Lane> = {
  ADD: 'attach',
  DEL: 'release',
  CHECK: 'ask',
  STATUS: 'ask',
  GC: 'release',
  VERSION: 'ask',
};

/** Two that follow the same annotations would detach what the other one attaches. @throws CniError 7 */
function refuseControllers({ command }: HotplugRequest): void {
  if (command !== 'ADD' && command !== 'DEL') return;
  throw new CniError(
    CniCode.invalidConfig,
    'Cannot change the networks of a running pod on request: the daemon of this node follows the annotations of pods itself ' +
      '("hotplug": true in its configuration); stop the other controller (multus-dynamic-networks-controller), or set "hotplug" to false',
  );
}

export class Requests {
  /** State directories that requests named, and what the last one said of them: the reconciler looks after them. */
  readonly stateDirectories: Map<string, Adopter | undefined>;
  /** What follows the annotations of running pods, if anything does: then no controller may do so beside it. */
  follower: Pick<HotplugController, 'added'> | undefined;
  /** Shared by all requests: what is read of a cluster is read once. */
  readonly openSource: OpenSource;
  /** Shared as well: what has to be told waits in it. */
  readonly publisher: Publisher;
  private readonly nodeKeys: RawObject;
  readonly nodeConfig: MultusConfig;
  private readonly lanes: Lanes;
  private readonly logs: RequestLogs;
  private readonly overlay: Overlay;
  /** By configurations that are still known: a node's requests nearly all bring the same. */
  private readonly overlaidConfigs = new WeakMap<RawObject, RawObject>();
  /** ADDs under way; a container has several when its runtime repeats itself. */
  private readonly adds = new Set<{ containerId: string; ending: AbortController }>();

  constructor({ logs, overlay, nodeKeys, lanes, stateDirectories, cluster, userAgent }: RequestsOptions) {
    this.openSource = createSources({ log: logs.own, userAgent, cluster });
    this.logs = logs;
    this.publisher = new Publisher({ openSource: this.openSource, log: logs.own, isBusy: () => this.active > 0 });
    this.overlay = overlay;
    this.nodeKeys = nodeKeys;
    this.nodeConfig = parseNodeKeys(nodeKeys);
    this.lanes = new Lanes(lanes);
    this.stateDirectories = new Map(stateDirectories.map((cniDir) => [cniDir, undefined]));
  }

  get active(): number {
    return this.lanes.active;
  }

  /** A runtime's request. Never throws: every failure is an answer. */
  async answer(wire: WireRequest, caller: Caller): Promise<Answer> {
    const asked = readRequest(wire.env, wire.config);
    if (asked instanceof CniError) {
      this.logRefusal(asked);
      return refusal(asked, wire.config);
    }
    const request = { ...asked, config: this.overlaid(asked.config) };
    if (request.command === 'DEL') this.endAdds(request.containerId);
    const answer = await this.queued(request, request.config, caller, (context) => answerRequest(request, context));
    if (request.command === 'ADD' && answer.exitCode === 0) this.follower?.added(podLabel(request.args));
    return answer;
  }

  private overlaid(config: RawObject): RawObject {
    const known = this.overlaidConfigs.get(config) ?? overlaid(config, this.overlay);
    this.overlaidConfigs.set(config, known);
    return known;
  }

  /** One network of a running pod (`POST /delegate`). Never throws. */
  async answerHotplug(body: Buffer, caller: Caller): Promise<Answer> {
    try {
      const request = parseHotplugRequest(body);
      if (this.follower !== undefined) refuseControllers(request);
      const config = this.configFor(this.stateDirectoryOf(request.containerId));
      return await this.queued(request, this.nodeKeys, caller, (context) => answerHotplug(request, config, context));
    } catch (thrown) {
      const error = toCniError(thrown);
      this.logRefusal(error);
      return errorAnswer(error, NEWEST_VERSION);
    }
  }

  /**
   * What the daemon does by itself to a running pod. It waits for no lane: those are for callers that wait, and who calls
   * this does few things at a time.
   * @throws CniError
   */
  async plug(request: HotplugRequest, cniDir: string, caller: Caller): Promise<void> {
    await this.tracked(request, this.nodeKeys, caller, (context) =>
      runHotplug(request, this.configFor(cniDir), context),
    );
  }

  /** The configuration of requests that bring none, for the containers of a state directory. */
  configFor(cniDir: string): MultusConfig {
    return { ...this.nodeConfig, cniDir };
  }

  /** Where the container's record is: its runtime's configuration may name another directory than the daemon's. */
  private stateDirectoryOf(containerId: string): string {
    const directories = [...this.stateDirectories.keys()];
    return directories.find((cniDir) => existsSync(join(cniDir, containerId))) ?? this.nodeConfig.cniDir;
  }

  private async queued(
    request: CniRequest,
    keys: RawObject,
    caller: Caller,
    work: (context: OperationContext) => Promise<Answer>,
  ): Promise<Answer> {
    try {
      return await this.tracked(request, keys, caller, (context) =>
        this.lanes.run(LANES[request.command], () => work(context)),
      );
    } catch (error) {
      return errorAnswer(error, request.cniVersion);
    }
  }

  /**
   * Work that a DEL of its container ends.
   * @param keys of the multus configuration that counts for the request
   */
  private async tracked<T>(
    request: CniRequest,
    keys: RawObject,
    caller: Caller,
    work: (context: OperationContext) => Promise<T>,
  ): Promise<T> {
    const ending = new AbortController();
    const add = { containerId: request.containerId, ending };
    if (request.command === 'ADD') this.adds.add(add);
    const log = this.logs.of(keys).child(logFields(request));
    log.debug({ active: this.active }, `${request.command} received`);
    const context: OperationContext = {
      door: 'daemon',
      operation: caller.operation,
      runner: caller.runner,
      openSource: this.openSource,
      announcer: this.publisher,
      log,
      onStateDirectory: (cniDir, adopter) => {
        this.stateDirectories.set(cniDir, adopter ?? this.stateDirectories.get(cniDir));
      },
      signal: AbortSignal.any([caller.signal, ending.signal]),
      end: (reason) => ending.abort(reason),
      confirm: caller.confirm,
    };
    try {
      return await work(context);
    } finally {
      this.adds.delete(add);
    }
  }

  private logRefusal({ message, code }: CniError): void {
    this.logs.own.error({ error: message, code }, 'refused a request');
  }

  private endAdds(containerId: string): void {
    for (const add of this.adds) {
      if (add.containerId === containerId) add.ending.abort(endedByDel(containerId));
    }
  }
}
