/** Takes requests from the socket into the engine: queueing, one container's DEL ending its ADD, logging. */
import type { Logger } from 'pino';
import { type Answer, answerRequest, errorAnswer, readRequest, refusal } from '../attach/engine.ts';
import type { Adopter, OperationContext } from '../attach/operation.ts';
import { createSources } from '../cluster/sources.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import type { CniRequest } from '../cni/request.ts';
import type { DelegateRunner } from '../delegate/runner.ts';
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
  /** State directories that requests named, and what the last one said of them: the reconciler looks after them. */
  readonly stateDirectories = new Map<string, Adopter | undefined>();
  private readonly lanes: Lanes;
  private readonly log: Logger;
  private readonly openSource = createSources();
  /** ADDs under way; a container has several when its runtime repeats itself. */
  private readonly adds = new Set<{ containerId: string; ending: AbortController }>();

  constructor(log: Logger, lanes: LanesOptions) {
    this.log = log;
    this.lanes = new Lanes(lanes);
  }

  get active(): number {
    return this.lanes.active;
  }

  /** Never throws: every failure is an answer. */
  async answer(wire: WireRequest, caller: Caller): Promise<Answer> {
    const request = readRequest(wire.env, wire.config);
    if (request instanceof CniError) {
      this.log.error({ error: request.message, code: request.code }, 'refused a request');
      return refusal(request, wire.config);
    }
    const ending = new AbortController();
    const add = { containerId: request.containerId, ending };
    if (request.command === 'ADD') this.adds.add(add);
    if (request.command === 'DEL') this.endAdds(request.containerId);
    const log = this.requestLog(request);
    log.debug({ active: this.active }, `${request.command} received`);
    const context: OperationContext = {
      door: 'daemon',
      operation: caller.operation,
      runner: caller.runner,
      openSource: this.openSource,
      log,
      onStateDirectory: (cniDir, adopter) => {
        this.stateDirectories.set(cniDir, adopter ?? this.stateDirectories.get(cniDir));
      },
      signal: AbortSignal.any([caller.signal, ending.signal]),
      confirm: caller.confirm,
    };
    try {
      return await this.lanes.run(LANES[request.command], () => answerRequest(request, context));
    } catch (error) {
      return errorAnswer(error, request.cniVersion);
    } finally {
      this.adds.delete(add);
    }
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
