/** What the daemon does unasked, from when its socket answers until it stops or another daemon takes over. */
import { RetryTimes, reconcile } from '../attach/reconcile.ts';
import type { KubernetesSource } from '../cluster/kubernetes/kubernetes-source.ts';
import { LocalRunner } from '../delegate/local-runner.ts';
import { keepNodeConfig } from '../node-config/node-config-file.ts';
import type { NodeConfigOrigin } from '../node-config/node-config-text.ts';
import type { HotplugController } from './hotplug/hotplug-controller.ts';
import { startHotplug } from './hotplug/start-hotplug.ts';
import type { RequestLogs } from './request-logs.ts';
import type { Requests } from './requests.ts';

/** How long telling the cluster of the last operations may hold up the end. */
const TELL_LIMIT_MS = 2000;

export interface BackgroundOptions {
  requests: Requests;
  /** undefined when the daemon has no API server. */
  source: KubernetesSource | undefined;
  /** undefined when the node's configuration is somebody else's. */
  nodeConfig: NodeConfigOrigin | undefined;
  /** Follow the annotations of running pods. */
  hotplug: boolean;
  /** Seconds between looks at the journal. */
  reconcileInterval: number;
  /** What plugins inherit that run as our own children. */
  delegateEnv: Readonly<Record<string, string | undefined>>;
  log: RequestLogs['own'];
}

export class Background {
  private readonly options: BackgroundOptions;
  private readonly ending = new AbortController();
  private readonly retries = new RetryTimes();
  private readonly tasks: Promise<void>[] = [];
  private reconciling: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private hotplug: HotplugController | undefined;

  constructor(options: BackgroundOptions) {
    this.options = options;
  }

  /** Aborts when all this ends. */
  get signal(): AbortSignal {
    return this.ending.signal;
  }

  /** Not to be called before the socket answers: the node's configuration is what makes the runtime ask. */
  start(): void {
    const { requests, source, nodeConfig, hotplug, reconcileInterval, delegateEnv, log } = this.options;
    const { signal } = this;
    if (signal.aborted) return; // taken over from while it started
    if (source !== undefined) this.tasks.push(source.run(signal));
    if (nodeConfig !== undefined) this.tasks.push(keepNodeConfig(nodeConfig, log, signal));
    if (hotplug) this.hotplug = startHotplug({ requests, delegateEnv, log, signal });
    this.tasks.push(requests.publisher.run(() => requests.stateDirectories.keys(), signal));
    this.reconciling = this.reconcileAll();
    this.timer = setInterval(() => {
      this.reconciling = this.reconciling.then(() => this.reconcileAll());
    }, reconcileInterval * 1000);
  }

  /** Settles when nothing of it is at work any more. May be called again. */
  async end(): Promise<void> {
    clearInterval(this.timer);
    this.ending.abort(new Error('the daemon stops'));
    await Promise.all([this.reconciling, ...this.tasks, this.hotplug?.stop()]);
  }

  /** Events of operations that have just ended are nowhere but in this process: tell them, within a limit. */
  async tellTheLast(): Promise<void> {
    const { publisher, stateDirectories } = this.options.requests;
    const limit = AbortSignal.timeout(TELL_LIMIT_MS);
    for (const cniDir of stateDirectories.keys()) await publisher.flush(cniDir, limit);
  }

  private async reconcileAll(): Promise<void> {
    const { requests, delegateEnv, log } = this.options;
    const runner = (searchPath: readonly string[]) => new LocalRunner({ searchPath, baseEnv: delegateEnv });
    const { openSource, publisher: announcer } = requests;
    const { signal } = this;
    for (const [cniDir, adopter] of requests.stateDirectories) {
      if (signal.aborted) return;
      await reconcile({ cniDir, adopter, runner, openSource, announcer, log, signal }, this.retries);
    }
  }
}
