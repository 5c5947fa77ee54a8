/** Finds out whose pods are to be followed, and follows them. */
import { randomUUID } from 'node:crypto';
import type { Log } from '../../attach/operation.ts';
import { ManifestsSource } from '../../cluster/manifests/manifests-source.ts';
import type { PodWatch } from '../../cluster/source.ts';
import { sourceSettings } from '../../cluster/sources.ts';
import { LocalRunner } from '../../delegate/local-runner.ts';
import type { Requests } from '../requests.ts';
import { HotplugController } from './hotplug-controller.ts';
import { ManifestPods } from './manifest-pods.ts';
import { PodContainers } from './pod-containers.ts';

export interface StartOptions {
  requests: Requests;
  /** What plugins inherit. */
  delegateEnv: Readonly<Record<string, string | undefined>>;
  log: Log;
  signal: AbortSignal;
}

/** undefined when the daemon knows no pods. */
function podsOf({ requests, log, signal }: StartOptions): PodWatch | undefined {
  const { nodeConfig } = requests;
  const watch = requests.openSource(nodeConfig)?.watch;
  if (watch !== undefined || nodeConfig.manifestsDir === '') return watch;
  const pods = new ManifestPods(new ManifestsSource(nodeConfig.manifestsDir));
  void pods.follow(nodeConfig.manifestsDir, log, signal);
  return pods;
}

/** From now on controllers are refused, and the daemon does itself what pods' annotations ask for. */
export function startHotplug(options: StartOptions): HotplugController | undefined {
  const { requests, delegateEnv, log } = options;
  const watch = podsOf(options);
  if (watch === undefined) {
    const note = '"hotplug" has no effect: the daemon has neither an API server nor "manifestsDir"';
    log.warn({ note }, 'configuration');
    return undefined;
  }
  const controller = new HotplugController({
    watch,
    containers: new PodContainers(() => requests.stateDirectories.keys()),
    plug: (request, cniDir, signal) =>
      requests.plug(request, cniDir, {
        operation: randomUUID(),
        runner: (searchPath) => new LocalRunner({ searchPath, baseEnv: delegateEnv }),
        signal,
      }),
    config: requests.nodeConfig,
    log,
    tell: (event) => requests.publisher.event(sourceSettings(requests.nodeConfig), event),
  });
  requests.follower = controller;
  log.info({}, 'following the annotations of running pods');
  return controller;
}
