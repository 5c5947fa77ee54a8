/** From a request to its plan, and from the plan to the record that the journal keeps of it. */
import { sourceSettings } from '../../cluster/sources.ts';
import { bootId } from '../../node/boot-id.ts';
import { deviceInfoPath } from '../../node/device-info.ts';
import type { NetnsIdentity } from '../../node/netns.ts';
import { podIdentity, podLabel } from '../../pod/identity.ts';
import {
  type Device,
  type Plan,
  type PlannedAttachment,
  planAttachments,
  type RequestedNetwork,
} from '../../pod/plan.ts';
import { NO_NETWORKS } from '../../pod/pod-networks.ts';
import type { JournalAttachment, JournalRecord } from '../journal-record.ts';
import { lookupSignal, type Operation, type PlanQuestion, searchPath } from '../operation.ts';
import { assignDevices } from './devices.ts';
import { resolveIntent } from './intent.ts';
import { type ResolvedNetwork, type ResolvedNetworks, resolveNetworks } from './networks.ts';

/** The plan of a pod for which everything was read. */
function planOf(
  { config, request }: PlanQuestion,
  networks: ResolvedNetworks,
  devices: ReadonlyMap<ResolvedNetwork, Device>,
): Plan {
  const withDevice = (network: ResolvedNetwork): RequestedNetwork => ({ ...network, device: devices.get(network) });
  return planAttachments({
    dialect: networks.dialect,
    base: networks.base.map(withDevice),
    additional: networks.additional.map(withDevice),
    auxiliary: networks.auxiliary,
    ifName: request.ifName,
    args: request.args,
    runtimeConfig: config.runtimeConfig,
    deviceInfoFile: (network, ifName) =>
      deviceInfoPath(config.deviceInfoDir, { network, containerId: request.containerId, ifName }),
  });
}

/**
 * Everything that has to be read for the plan, and the plan.
 * @param assign finds devices for networks
 * @throws CniError
 */
export async function resolvePlan(question: PlanQuestion, assign = assignDevices): Promise<Plan> {
  const { config, request } = question;
  const source = question.openSource(config);
  const signal = lookupSignal(question);
  const wanted = await resolveIntent(question, source, signal);
  const pod = podIdentity(request.args);
  const networks = await resolveNetworks(wanted, pod?.namespace ?? '', { config, source, signal });
  const all = [...networks.base, ...networks.additional];
  const devices = await assign(all, { pod, kubeletDir: config.kubeletDir, source, signal });
  return planOf(question, networks, devices);
}

/** The plan of what the node gives to each of its pods, without devices. @throws CniError */
export async function resolveNodePlan(question: PlanQuestion): Promise<Plan> {
  const { config, request } = question;
  const namespace = podIdentity(request.args)?.namespace ?? '';
  const networks = await resolveNetworks(NO_NETWORKS, namespace, {
    config,
    source: question.openSource(config),
    signal: lookupSignal(question),
  });
  return planOf(question, networks, new Map());
}

/** An attachment before anything runs. */
export function newAttachment(planned: PlannedAttachment): JournalAttachment {
  const nothing = { result: '', link: undefined, vf: undefined, warnings: [], lastError: '', detachFailures: 0 };
  return { ...planned, state: 'planned', ...nothing };
}

/** The record before anything runs. */
export function newRecord(
  operation: Operation,
  plan: Plan,
  netns: { path: string; identity: NetnsIdentity },
): JournalRecord {
  const { request, config } = operation;
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
    pod: podLabel(request.args),
    source: sourceSettings(config),
    delegateTimeoutMs: config.delegateTimeoutMs,
    defaultRoutes: plan.defaultRoutes,
    statusAnnotations: plan.statusAnnotations,
    attachments: plan.attachments.map(newAttachment),
  };
}
