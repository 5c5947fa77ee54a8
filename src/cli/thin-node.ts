/**
 * `multus install --thin --watch`: what a daemon does for a node while no pod starts. 00-multus.conf follows the primary;
 * definitions are on disk when the API server is away; statuses that were owed then are told once it is back.
 */
import { hostname } from 'node:os';
import type { Log } from '../attach/operation.ts';
import { Publisher } from '../attach/publish/publisher.ts';
import { connect } from '../cluster/kubernetes/connection.ts';
import { FollowedDefinitions } from '../cluster/kubernetes/followed-definitions.ts';
import { createSources } from '../cluster/sources.ts';
import { keepNodeConfig } from '../node-config/node-config-file.ts';
import { VERSION } from '../wire/version.ts';
import type { ThinNode } from './thin-config.ts';

/** Until `signal` aborts. Pods are not followed: the runtime hands over what they ask for. */
async function followCluster({ cniDir, kubeconfig }: ThinNode, log: Log, signal: AbortSignal): Promise<void> {
  const userAgent = `multus-native/${VERSION} (thin node)`;
  const { client } = connect({ origin: { kubeconfig }, node: hostname(), userAgent, log });
  const publisher = new Publisher({ openSource: createSources({ log, userAgent }), log });
  const definitions = new FollowedDefinitions(client, { cniDir, log });
  await Promise.all([definitions.run(signal), publisher.run(() => [cniDir], signal)]);
}

/** Look after the node until `signal` aborts; what was written stays. What fails is logged, and tried again. */
export async function followThinNode(node: ThinNode, log: Log, signal: AbortSignal): Promise<void> {
  const following = node.kubeconfig === '' ? undefined : followCluster(node, log, signal);
  await Promise.all([following, keepNodeConfig(node.origin, log, signal)]);
}
