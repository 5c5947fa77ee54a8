/** From a request to its plan, and from the plan to the record that the journal keeps of it. */
import { CniCode, CniError } from '../cni/errors.ts';
import { bootId } from '../node/boot-id.ts';
import type { NetnsIdentity } from '../node/netns.ts';
import { podIdentity } from '../pod/identity.ts';
import { type Network, type Plan, planAttachments } from '../pod/plan.ts';
import { resolveIntent } from './intent.ts';
import type { JournalRecord } from './journal-record.ts';
import { defaultNetworks, selectedNetworks } from './networks.ts';
import { type Operation, type PlanQuestion, searchPath } from './operation.ts';

/** A delegate that is this very plugin would wait for the lock that its own ADD holds. */
function refuseOurselves({ label, config }: Network, ownType: string): void {
  if (ownType === '' || config.plugins.every(({ type }) => type !== ownType)) return;
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot attach network "${label}": its plugin "${ownType}" is the one that attaches it; name another plugin`,
  );
}

/** Everything that has to be read for the plan, and the plan. */
export async function resolvePlan(question: PlanQuestion): Promise<Plan> {
  const { config, request } = question;
  const source = question.openSource(config);
  const selections = await resolveIntent(question, source);
  const [defaults, selected] = await Promise.all([
    defaultNetworks(config, source),
    selectedNetworks(selections, source, config),
  ]);
  for (const network of [...defaults, ...selected]) refuseOurselves(network, config.type);
  const { ifName, args } = request;
  return planAttachments({ defaults, selected, ifName, args, runtimeConfig: config.runtimeConfig });
}

/** The record before anything runs. */
export function newRecord(
  operation: Operation,
  plan: Plan,
  netns: { path: string; identity: NetnsIdentity },
): JournalRecord {
  const { request, config } = operation;
  const pod = podIdentity(request.args);
  return {
    containerId: request.containerId,
    name: request.name,
    operation: operation.operation,
    ifName: request.ifName,
    netnsPath: netns.path,
    netns: netns.identity,
    bootId: bootId(),
    createdAt: new Date().toISOString(),
    complete: false,
    path: searchPath(operation),
    pod: pod === undefined ? '' : `${pod.namespace}/${pod.name}`,
    delegateTimeoutMs: config.delegateTimeoutMs,
    defaultRoutes: plan.defaultRoutes,
    attachments: plan.attachments.map((attachment) => ({
      ...attachment,
      state: 'planned',
      result: '',
      link: undefined,
      warnings: [],
      lastError: '',
    })),
  };
}
