/** Takes requests from the socket into the engine: queueing, one container's DEL ending its ADD, logging. */
import type { Logger } from 'pino';
import { type Answer, answerHotplug, answerRequest, errorAnswer, readRequest, refusal } from '../attach/engine.ts';
import { parseHotplugRequest } from '../attach/hotplug-request.ts';
import type { OperationContext } from '../attach/operation.ts';
import { createSources } from '../cluster/sources.ts';
import { CniCode, CniError, toCniError } from '../cni/errors.ts';
import type { RawObject } from '../cni/raw-json.ts';
import type { CniRequest } from '../cni/request.ts';
import { NEWEST_VERSION } from '../cni/versions.ts';
import type { DelegateRunner } from '../delegate/runner.ts';
import { type MultusConfig, parseNodeKeys } from '../pod/multus-config.ts';
import type { WireRequest } from '../wire/http.ts';
import { type Lane, Lanes, type LanesOptions } from './lanes.ts';

/** How a caller wants its plugins run, and when it is gone. */
export interface Caller {
  operation: string;
  runner: (searchPath: readonly string[]) => DelegateRunner;
  signal: AbortSignal;
  confirm?: () => Promise<void>;
}

const LANES: Record<CniRequest['command'], Lane> = {
  ADD: 'attach',
  DEL: 'release',
  CHECK: 'ask',
  STATUS: 'ask',
  GC: 'release',
  VERSION: 'ask',
};

export class Requests {
  /** State directories that requests named: the reconciler looks after them. */
  readonly stateDirectories = new Set<string>();
  private readonly nodeConfig: MultusConfig;
  private readonly lanes: Lanes;
  private readonly log: Logger;
  private readonly openSource = createSources();
  /** ADDs under way; a container has several when its runtime repeats itself. */
  private readonly adds = new Set<{ containerId: string; ending: AbortController }>();

  /** @param nodeKeys keys of a multus configuration: those that no request brings count for `POST /delegate` */
  constructor(log: Logger, lanes: LanesOptions, nodeKeys: RawObject) {
    this.nodeConfig = parseNodeKeys(nodeKeys);
    this.log = log;
    this.lanes = new Lanes(lanes);
  }

  get active(): number {
    return this.lanes.active;
  }

  /** A runtime's request. Never throws: every failure is an answer. */
  async answer(wire: WireRequest, caller: Caller): Promise<Answer> {
    const request = readRequest(wire.env, wire.config);
    if (request instanceof CniError) {
      this.logRefusal(request);
      return refusal(request, wire.config);
    }
    if (request.command === 'DEL') this.endAdds(request.containerId);
    return this.queued(request, caller, (context) => answerRequest(request, context));
  }

  /** One network of a running pod (`POST /delegate`). Never throws. */
  async answerHotplug(body: Buffer, caller: Caller): Promise<Answer> {
    try {
      const request = parseHotplugRequest(body);
      return await this.queued(request, caller, (context) => answerHotplug(request, this.nodeConfig, context));
    } catch (thrown) {
      const error = toCniError(thrown);
      this.logRefusal(error);
      return errorAnswer(error, NEWEST_VERSION);
    }
  }

  private async queued(
    request: CniRequest,
    caller: Caller,
    work: (context: OperationContext) => Promise<Answer>,
  ): Promise<Answer> {
    const ending = new AbortController();
    const add = { containerId: request.containerId, ending };
    if (request.command === 'ADD') this.adds.add(add);
    const log = this.requestLog(request);
    log.debug({ active: this.active }, `${request.command} received`);
    const context: OperationContext = {
      door: 'daemon',
      operation: caller.operation,
      runner: caller.runner,
      openSource: this.openSource,
      log,
      onStateDirectory: (cniDir) => this.stateDirectories.add(cniDir),
      signal: AbortSignal.any([caller.signal, ending.signal]),
      confirm: caller.confirm,
    };
    try {
      return await this.lanes.run(LANES[request.command], () => work(context));
    } catch (error) {
      return errorAnswer(error, request.cniVersion);
    } finally {
      this.adds.delete(add);
    }
  }

  private logRefusal({ message, code }: CniError): void {
    this.log.error({ error: message, code }, 'refused a request');
  }

  private endAdds(containerId: string): void {
    const reason = new CniError(CniCode.cancelled, `a DEL of container ${containerId} arrived while it was added`);
    for (const add of this.adds) {
      if (add.containerId === containerId) add.ending.abort(reason);
    }
  }

  private requestLog(request: CniRequest): Logger {
    const { command, containerId, args } = request;
    const pod = args.get('K8S_POD_NAME');
    return this.log.child({
      cmd: command,
      ...(containerId === '' ? {} : { container: containerId }),
      ...(pod === undefined ? {} : { pod: `${args.get('K8S_POD_NAMESPACE') ?? ''}/${pod}` }),
    });
  }
}
