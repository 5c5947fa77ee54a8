/** From a request to its plan, and from the plan to the record that the journal keeps of it. */
import { bootId } from '../node/boot-id.ts';
import type { NetnsIdentity } from '../node/netns.ts';
import { podIdentity } from '../pod/identity.ts';
import { type Plan, planAttachments } from '../pod/plan.ts';
import { resolveIntent } from './intent.ts';
import type { JournalRecord } from './journal-record.ts';
import { defaultNetworks, selectedNetworks } from './networks.ts';
import { type Operation, type PlanQuestion, searchPath } from './operation.ts';

/** Everything that has to be read for the plan, and the plan. */
export async function resolvePlan(question: PlanQuestion): Promise<Plan> {
  const { config, request } = question;
  const source = question.openSource(config);
  const selections = await resolveIntent(question, source);
  const [defaults, selected] = await Promise.all([
    defaultNetworks(config, source),
    selectedNetworks(selections, source, config),
  ]);
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
