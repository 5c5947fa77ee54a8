/** An operation as the engine carries it, from an environment and a stdin, with plugins and log that are fakes. */
import type { Operation } from '../../src/attach/operation.ts';
import { SILENT } from '../../src/attach/publish/announcer.ts';
import type { ClusterSource } from '../../src/cluster/source.ts';
import { parseRequest } from '../../src/cni/request.ts';
import type { DelegateRunner } from '../../src/delegate/runner.ts';
import { parseMultusConfig } from '../../src/pod/multus-config.ts';
import { FakeLog } from './fake-log.ts';

export interface FakeOperationOptions {
  command: 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC';
  cniDir: string;
  runner: DelegateRunner;
  /** Members of the configuration besides name, type, version and cniDir. @default one delegate "node" of type bridge */
  config?: Record<string, unknown>;
  env?: Record<string, string>;
  source?: ClusterSource;
}

const NODE = { cniVersion: '1.1.0', name: 'node', type: 'bridge' };

export function fakeOperation(options: FakeOperationOptions): Operation & { log: FakeLog } {
  const { command, cniDir, runner, source } = options;
  const config = {
    cniVersion: '1.1.0',
    name: 'multus',
    type: 'multus',
    cniDir,
    ...(options.config ?? { delegates: [NODE] }),
  };
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: 'c0ffee',
    CNI_NETNS: '/run/netns/absent',
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/usr/lib/cni',
    CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web',
    ...options.env,
  };
  const request = parseRequest(env, Buffer.from(JSON.stringify(config)));
  const signal = new AbortController().signal;
  return {
    door: 'standalone',
    operation: 'op-2',
    runner: () => runner,
    openSource: () => source,
    announcer: SILENT,
    log: new FakeLog(),
    signal,
    request,
    config: parseMultusConfig(request.config),
    budget: signal,
    deadline: performance.now() + 60_000,
  };
}
