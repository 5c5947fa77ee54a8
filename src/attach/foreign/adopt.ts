/** What another program attached, as a record of ours: DEL, CHECK and GC treat it as if we had made it. */

import { dirname, resolve } from 'node:path';
import { sourceSettings } from '../../cluster/sources.ts';
import { type CniArgs, formatArgs } from '../../cni/args.ts';
import { CniError } from '../../cni/errors.ts';
import { bootId } from '../../node/boot-id.ts';
import type { MultusConfig } from '../../pod/multus-config.ts';
import { attachmentOf } from '../../pod/plan.ts';
import type { JournalAttachment, JournalRecord } from '../journal-record.ts';
import type { Adopter } from '../operation.ts';
import type { RecordNetns } from '../record-netns.ts';
import { recoverConfig } from './foreign-config.ts';
import type { ForeignDelegate } from './foreign-record.ts';
import type { ForeignRecord } from './foreign-state.ts';
import type { CachedAttachment } from './libcni-cache.ts';

/** What a request says of its own container; where none does, only `netns` is known. */
export interface Container {
  netns: RecordNetns;
  /** CNI_IFNAME. */
  ifName?: string;
  args?: CniArgs;
}

export interface Adopted {
  record: JournalRecord;
  /** What is not as ADD had it. */
  doubts: string[];
  /** Attachments that are not in the record, because nobody can tell what their plugins were. */
  lost: string[];
}

/** Not the first delegate, which is the default network; nor any other whose interface its position would name. */
const NOT_IN_FILE = -1;

/** An attachment of which libcni's cache alone knows: hot-plugged, or left by a DEL that failed. */
function delegateOf(cached: CachedAttachment): ForeignDelegate {
  const { network, ifName, config } = cached;
  const none = { reduced: config, mac: '', infinibandGuid: '', deviceId: '', resourceName: '', ips: [] };
  return { network, configName: network, ifName, position: NOT_IN_FILE, types: [], texts: [], ...none };
}

/** Every delegate with its interface and what libcni kept of it. */
function pairUp(foreign: ForeignRecord, ifName: string) {
  const left = [...foreign.cached];
  const take = (delegate: ForeignDelegate, name: string): CachedAttachment | undefined => {
    const at = left.findIndex((one) => one.network === delegate.configName && (name === '' || one.ifName === name));
    return at < 0 ? undefined : left.splice(at, 1)[0];
  };
  const nameOf = (one: ForeignDelegate): string => one.ifName || (one.position === 0 ? ifName : `net${one.position}`);
  // The first one last: where its name is not known, it is what the others leave.
  const pairs = [...foreign.file.delegates].reverse().map((delegate) => {
    const name = nameOf(delegate);
    const cached = take(delegate, name);
    return { delegate, cached, ifName: name || (cached?.ifName ?? 'eth0') };
  });
  const others = left.map((cached) => ({ delegate: delegateOf(cached), cached, ifName: cached.ifName }));
  return [...pairs.reverse(), ...others];
}

/** CNI_ARGS of ADD; without libcni's cache those of the request, with what the pod had asked for. */
function argsOf(delegate: ForeignDelegate, cached: CachedAttachment | undefined, args: CniArgs | undefined): string {
  if (cached !== undefined && cached.args.length > 0) {
    try {
      return formatArgs(cached.args);
    } catch {
      // it was damaged
    }
  }
  const pairs = (args?.pairs ?? []).filter(([key]) => key !== 'IP' && key !== 'MAC' && key !== 'IgnoreUnknown');
  pairs.unshift(['IgnoreUnknown', '1']);
  if (delegate.mac !== '') pairs.push(['MAC', delegate.mac]);
  if (delegate.ips.length > 0) pairs.push(['IP', delegate.ips.join(',')]);
  return formatArgs(pairs);
}

/** Capability arguments of ADD; Multus gives those of the runtime to every delegate. */
function capabilitiesOf(delegate: ForeignDelegate, config: MultusConfig | undefined): Record<string, unknown> {
  return {
    ...config?.runtimeConfig,
    ...(delegate.ips.length > 0 ? { ips: delegate.ips } : {}),
    ...(delegate.mac === '' ? {} : { mac: delegate.mac }),
    ...(delegate.infinibandGuid === '' ? {} : { infinibandGUID: delegate.infinibandGuid }),
    ...(delegate.deviceId === '' ? {} : { deviceID: delegate.deviceId }),
  };
}

/** The file that Multus had the plugins write to; never one outside the folder that is for such files. */
function deviceInfoFileOf(cached: CachedAttachment | undefined, config: MultusConfig | undefined): string {
  const file = cached?.capabilityArgs['CNIDeviceInfoFile'];
  if (typeof file !== 'string' || config === undefined) return '';
  return dirname(resolve(file)) === resolve(config.deviceInfoDir, 'cni') ? resolve(file) : '';
}

type Pair = ReturnType<typeof pairUp>[number];

function adoptOne(foreign: ForeignRecord, pair: Pair, node: MultusConfig | undefined, args: CniArgs | undefined) {
  const { delegate, cached, ifName } = pair;
  const { config, doubt } = recoverConfig(delegate, cached, node);
  const runtimeConfig = cached?.capabilityArgs ?? capabilitiesOf(delegate, node);
  const network = { label: delegate.network || config.name, config };
  const attachment: JournalAttachment = {
    ...attachmentOf(network, ifName, argsOf(delegate, cached, args), { runtimeConfig }),
    isDefault: delegate.position === 0,
    requestedMac: delegate.mac,
    requestedIps: delegate.ips,
    device:
      delegate.deviceId === '' || delegate.resourceName === ''
        ? undefined
        : { id: delegate.deviceId, resourceName: delegate.resourceName },
    deviceInfoFile: deviceInfoFileOf(cached, node),
    asked: undefined,
    state: 'attached',
    result: cached?.result ?? foreign.oldResult(delegate),
    link: undefined,
    vf: undefined,
    warnings: [],
    lastError: '',
    detachFailures: 0,
  };
  return { attachment, doubt };
}

/** `namespace/name` as the delegates got it. */
function podOf(args: readonly (readonly [string, string])[]): string {
  const known = new Map(args.filter(([, value]) => value !== ''));
  const [namespace, name] = [known.get('K8S_POD_NAMESPACE'), known.get('K8S_POD_NAME')];
  return namespace === undefined || name === undefined ? '' : `${namespace}/${name}`;
}

/**
 * @param adopter undefined when no request has come yet; the record is to be looked at then
 * @returns never throws: what cannot be used is in `lost`
 */
export function adopt(foreign: ForeignRecord, adopter: Adopter | undefined, container: Container): Adopted {
  const { netns, ifName = '', args } = container;
  const doubts: string[] = [];
  const lost = [...foreign.file.problems];
  const attachments: JournalAttachment[] = [];
  for (const pair of pairUp(foreign, ifName)) {
    try {
      const { attachment, doubt } = adoptOne(foreign, pair, adopter?.config, args);
      attachments.push(attachment);
      if (doubt !== '') doubts.push(`network "${attachment.network}" on ${attachment.ifName}: ${doubt}`);
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
      lost.push(`network "${pair.delegate.network}" on ${pair.ifName}: ${error.message}`);
    }
  }
  const record: JournalRecord = {
    containerId: foreign.containerId,
    name: adopter?.name ?? '',
    operation: '',
    ifName: ifName || (attachments.find(({ isDefault }) => isDefault)?.ifName ?? 'eth0'),
    netnsPath: netns.path,
    netns: netns.identity,
    bootId: bootId(),
    createdAt: foreign.createdAt,
    complete: true,
    path: adopter?.path ?? [],
    pod: podOf(args?.pairs ?? foreign.cached[0]?.args ?? []),
    source: sourceSettings(adopter?.config),
    delegateTimeoutMs: adopter?.config.delegateTimeoutMs ?? 60_000,
    defaultRoutes: [],
    statusAnnotations: [],
    attachments,
  };
  return { record, doubts, lost };
}
