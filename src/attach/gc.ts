/** GC (CNI spec 1.1): detach what the runtime no longer knows, then tell every plugin which attachments are valid. */

import { parseNetworkConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { plainNameRule } from '../cni/names.ts';
import { pluginStdin, type ValidAttachment } from '../cni/stdin.ts';
import { compareVersions } from '../cni/versions.ts';
import { runPlugin } from '../delegate/run-plugin.ts';
import type { Network } from '../pod/plan.ts';
import { adopt } from './adopt.ts';
import { ForeignRecord } from './foreign-state.ts';
import { type Journal, journalOf } from './journal.ts';
import type { JournalRecord } from './journal-record.ts';
import { withNodeLock } from './locks.ts';
import { nodeNetworks } from './networks.ts';
import { adopterOf, delegateBudget, lockRequest, type Operation, searchPath } from './operation.ts';
import { awaitReadiness } from './readiness.ts';
import { NO_NETNS, netnsOfCache } from './record-netns.ts';
import { undoForeign } from './undo-foreign.ts';
import { undoRecord } from './undo-record.ts';

const KEY = 'cni.dev/valid-attachments';

function validAttachments(operation: Operation): ValidAttachment[] {
  const value = operation.request.config.value(KEY);
  const bad = (what: string): CniError =>
    new CniError(CniCode.invalidConfig, `Cannot GC: key "${KEY}" must be a list of {containerID, ifname}, ${what}`);
  if (!Array.isArray(value)) throw bad(value === undefined ? 'it is missing' : `got ${JSON.stringify(value)}`);
  return value.map((entry) => {
    const { containerID, ifname } = (entry ?? {}) as Partial<ValidAttachment>;
    const isUsable = typeof containerID === 'string' && plainNameRule(containerID) === undefined;
    if (!isUsable || typeof ifname !== 'string') throw bad(`got ${JSON.stringify(entry)}`);
    return { containerID, ifname };
  });
}

/** The runtime knows a container by the attachment that it made itself: all of the container's are valid then. */
function isValid(record: JournalRecord, valid: readonly ValidAttachment[]): boolean {
  return valid.some(({ containerID, ifname }) => containerID === record.containerId && ifname === record.ifName);
}

/** Keep what another program attached and the runtime knows, by its container alone; detach the rest. */
async function collectForeign(
  operation: Operation,
  journal: Journal,
  foreign: ForeignRecord,
  valid: readonly ValidAttachment[],
): Promise<{ errors: Error[]; kept: JournalRecord | undefined }> {
  const { request, log, budget: signal } = operation;
  const { containerId, program } = foreign;
  const adopter = adopterOf(operation);
  const known = valid.find(({ containerID }) => containerID === containerId);
  if (known !== undefined) {
    const { record, lost } = adopt(foreign, adopter, { netns: NO_NETNS, ifName: known.ifname });
    if (lost.length === 0) return { errors: [], kept: record };
    const problem = `${program} attached container ${containerId}, and not all of it is known: ${lost.join('; ')}`;
    throw new CniError(CniCode.stateFailure, problem);
  }
  log.info({ container: containerId, program }, 'collecting');
  const options = { runner: operation.runner(adopter.path), trace: request.trace, signal, log };
  const errors = await undoForeign(foreign, journal, adopter, { netns: await netnsOfCache(foreign) }, options);
  return { errors, kept: journal.read(containerId) };
}

async function detachInvalid(operation: Operation, journal: Journal, valid: readonly ValidAttachment[]) {
  const errors: Error[] = [];
  const kept: JournalRecord[] = [];
  const unreadable = new Set<string>();
  for (const containerId of journal.list()) {
    try {
      const record = journal.find(containerId);
      if (record === undefined) continue;
      if (record instanceof ForeignRecord) {
        const collected = await collectForeign(operation, journal, record, valid);
        errors.push(...collected.errors);
        if (collected.kept !== undefined) kept.push(collected.kept);
        continue;
      }
      // Another multus network may share the directory: its attachments are none of this GC's.
      if (record.name !== operation.request.name || isValid(record, valid)) {
        kept.push(record);
        continue;
      }
      operation.log.info({ container: containerId, attachments: record.attachments.length }, 'collecting');
      const { log, budget: signal, request } = operation;
      const runner = operation.runner(record.path);
      errors.push(...(await undoRecord(record, journal, { runner, trace: request.trace, signal, log })));
      if (record.attachments.length > 0) kept.push(record);
    } catch (error) {
      errors.push(error as Error); // one damaged file must not keep the others from being collected
      unreadable.add(containerId);
    }
  }
  return { errors, kept, unreadable };
}

/**
 * One entry per network name: its configuration, and the union of its valid attachments over all containers.
 * @param strangers attachments of the runtime that are in no record: from before us, to the default networks
 */
function networksInUse(
  kept: readonly JournalRecord[],
  defaults: readonly Network[],
  strangers: readonly ValidAttachment[],
): Map<string, { network: Network; valid: ValidAttachment[] }> {
  const networks = new Map(defaults.map((network) => [network.config.name, { network, valid: [...strangers] }]));
  for (const { containerId, attachments } of kept) {
    for (const { configName, network: label, source, ifName } of attachments) {
      const config = parseNetworkConfig(source, `journalled configuration of network "${label}"`, { name: configName });
      const entry = networks.get(configName) ?? { network: { label, config }, valid: [] };
      entry.valid.push({ containerID: containerId, ifname: ifName });
      networks.set(configName, entry);
    }
  }
  return networks;
}

async function collectNetwork(
  operation: Operation,
  { label, config }: Network,
  valid: ValidAttachment[],
): Promise<void> {
  if (config.disableGC || compareVersions(config.cniVersion, '1.1.0') < 0) return;
  const path = searchPath(operation);
  for (const plugin of config.plugins) {
    const invocation = {
      command: 'GC',
      network: label,
      plugin: plugin.type,
      containerId: '',
      netns: '',
      ifName: '',
    } as const;
    const stdin = pluginStdin(config, plugin, { validAttachments: valid });
    await runPlugin({ ...invocation, args: operation.request.argsText, path, trace: operation.request.trace }, stdin, {
      runner: operation.runner(path),
      deadlineMs: delegateBudget(operation),
      signal: operation.budget,
    });
  }
}

/** Goes on past failures. @throws CniError of the first failure */
export async function gc(operation: Operation): Promise<void> {
  const valid = validAttachments(operation);
  await awaitReadiness(operation);
  await withNodeLock(lockRequest(operation), async () => {
    const journal = journalOf(operation.config);
    const { errors, kept, unreadable } = await detachInvalid(operation, journal, valid);
    // What a living container has attached is in its record only: without it plugins would free what is in use.
    if (!valid.some(({ containerID }) => unreadable.has(containerID))) {
      const strangers = valid.filter(({ containerID }) => !kept.some(({ containerId }) => containerId === containerID));
      const defaults = await nodeNetworks(operation.config, operation.openSource(operation.config));
      for (const { network, valid: ours } of networksInUse(kept, defaults, strangers).values()) {
        await collectNetwork(operation, network, ours).catch((error: Error) => errors.push(error));
      }
    }
    if (errors[0] !== undefined) throw errors[0];
  });
}
