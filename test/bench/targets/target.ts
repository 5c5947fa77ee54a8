/** What is compared: raw delegates, ours and Multus, each with a daemon and without one. */
import { join } from 'node:path';
import type { Execution, Job } from '../launcher/launcher.ts';
import { delegatesOf } from '../scenarios.ts';
import type { BenchNode, Pod } from './bench-node.ts';

export const COMMANDS = ['ADD', 'CHECK', 'DEL', 'STATUS', 'VERSION'] as const;
export type Command = (typeof COMMANDS)[number];

export interface Target {
  name: string;
  what: string;
  /** Reads pods from the API server. */
  isMeta: boolean;
  /** Bring what has to run on the node. */
  start: (node: BenchNode) => Promise<void>;
}

/** Production's own: what the manifests of deploy/ start. */
export const OUR_OPTIONS: readonly string[] = [];
/** The host's root, as plugins are run in it; here it is the daemon's own. */
const MULTUS_KEYS = { chrootDir: '/' };

export const TARGETS: readonly Target[] = [
  { name: 'raw', what: 'the delegates, one after the other', isMeta: false, start: async () => undefined },
  {
    name: 'thick',
    what: 'our shim and daemon',
    isMeta: true,
    start: ({ node }) => node.startOurs('thick', OUR_OPTIONS),
  },
  { name: 'standalone', what: 'our shim without a daemon', isMeta: true, start: ({ node }) => node.startOurs('thin') },
  {
    name: 'multus-thick',
    what: "Multus's shim and daemon",
    isMeta: true,
    start: ({ node }) => node.startMultus('thick', MULTUS_KEYS),
  },
  { name: 'multus-thin', what: "Multus's thin plugin", isMeta: true, start: ({ node }) => node.startMultus('thin') },
];

/** Those of the names, in the order of all. */
export function targetsOf(...names: string[]): Target[] {
  return TARGETS.filter(({ name }) => names.includes(name));
}

const ANNOTATIONS = 'io.kubernetes.cri.pod-annotations';

/** What a runtime makes of a configuration for one operation. */
function stdinOf(config: Record<string, unknown>, command: Command, pod: Pod, result: string | undefined): string {
  const capabilities = config['capabilities'] as Record<string, boolean> | undefined;
  const wantsAnnotations = capabilities?.[ANNOTATIONS] === true;
  const isOfAttached = command === 'CHECK' || command === 'DEL';
  return JSON.stringify({
    ...config,
    ...(command === 'STATUS' ? { cniVersion: '1.1.0' } : {}),
    ...(wantsAnnotations ? { runtimeConfig: { [ANNOTATIONS]: pod.annotations } } : {}),
    ...(isOfAttached && result !== undefined ? { prevResult: JSON.parse(result) } : {}),
  });
}

function execution(
  node: BenchNode,
  command: Command,
  pod: Pod,
  ifName: string,
  type: string,
  stdin: string,
): Execution {
  const args = {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: 'default',
    K8S_POD_NAME: pod.name,
    K8S_POD_INFRA_CONTAINER_ID: pod.containerId,
    K8S_POD_UID: pod.uid,
  };
  const env = {
    PATH: process.env['PATH'] ?? '',
    CNI_COMMAND: command,
    CNI_CONTAINERID: pod.containerId,
    CNI_NETNS: pod.netns,
    CNI_IFNAME: ifName,
    CNI_ARGS: Object.entries(args)
      .map((pair) => pair.join('='))
      .join(';'),
    CNI_PATH: node.node.binDir,
  };
  return { path: join(node.node.binDir, type), env, stdin };
}

/** What libcni would run: each delegate, DEL the last one first. */
function rawJob(node: BenchNode, command: Command, pod: Pod): Job {
  const delegates = delegatesOf(pod.scenario).map(({ ifName, config }, i) => {
    const stdin = stdinOf(config, command, pod, pod.results[i]);
    return execution(node, command, pod, ifName, String(config['type']), stdin);
  });
  if (command === 'DEL') return delegates.reverse();
  return command === 'STATUS' || command === 'VERSION' ? delegates.slice(0, 1) : delegates;
}

/** The one plugin of the node's first configuration, which may be a list. */
function pluginOf(node: BenchNode): Record<string, unknown> {
  const { plugins, ...config } = JSON.parse(node.node.firstConfig().text);
  if (plugins === undefined) return config;
  if (plugins.length !== 1) throw new Error(`the node's configuration is a chain: ${JSON.stringify(plugins)}`);
  return { cniVersion: config.cniVersion, name: config.name, ...plugins[0] };
}

function metaJob(node: BenchNode, command: Command, pod: Pod): Job {
  const config = pluginOf(node);
  const stdin = stdinOf(config, command, pod, pod.results[0]);
  return [execution(node, command, pod, 'eth0', String(config['type']), stdin)];
}

/** The executions of an operation on a pod. */
export function jobOf(target: Target, node: BenchNode, command: Command, pod: Pod): Job {
  return target.isMeta ? metaJob(node, command, pod) : rawJob(node, command, pod);
}
