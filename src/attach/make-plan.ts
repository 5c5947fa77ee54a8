/** From a request to its plan, and from the plan to the record that the journal keeps of it. */
import { bootId } from '../node/boot-id.ts';
import type { NetnsIdentity } from '../node/netns.ts';
import { podIdentity } from '../pod/identity.ts';
import { type Plan, planAttachments, type RequestedNetwork } from '../pod/plan.ts';
import { NO_NETWORKS } from '../pod/pod-networks.ts';
import { resolveIntent } from './intent.ts';
import type { JournalRecord } from './journal-record.ts';
import { type ResolvedNetwork, type ResolvedNetworks, resolveNetworks } from './networks.ts';
import { type Operation, type PlanQuestion, searchPath } from './operation.ts';

/** The plan of a pod for which everything was read. */
function planOf({ config, request }: PlanQuestion, networks: ResolvedNetworks): Plan {
  const withDevice = (network: ResolvedNetwork): RequestedNetwork => ({ ...network, device: undefined });
  return planAttachments({
    dialect: networks.dialect,
    base: networks.base.map(withDevice),
    additional: networks.additional.map(withDevice),
    auxiliary: networks.auxiliary,
    ifName: request.ifName,
    args: request.args,
    runtimeConfig: config.runtimeConfig,
    deviceInfoFile: () => '',
  });
}

/** Everything that has to be read for the plan, and the plan. @throws CniError */
export async function resolvePlan(question: PlanQuestion): Promise<Plan> {
  const { config, request } = question;
  const source = question.openSource(config);
  const wanted = await resolveIntent(question, source);
  const namespace = podIdentity(request.args)?.namespace ?? '';
  return planOf(question, await resolveNetworks(wanted, namespace, config, source));
}

/** The plan of what the node gives to each of its pods. @throws CniError */
export async function resolveNodePlan(question: PlanQuestion): Promise<Plan> {
  const { config, request } = question;
  const namespace = podIdentity(request.args)?.namespace ?? '';
  const networks = await resolveNetworks(NO_NETWORKS, namespace, config, question.openSource(config));
  return planOf(question, networks);
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
    statusAnnotations: plan.statusAnnotations,
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
