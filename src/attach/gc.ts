/** GC (CNI spec 1.1): detach what the runtime no longer knows, then tell every plugin which attachments are valid. */

import { parseNetworkConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { plainNameRule } from '../cni/names.ts';
import { show } from '../cni/quote.ts';
import { pluginStdin, type ValidAttachment } from '../cni/stdin.ts';
import { compareVersions } from '../cni/versions.ts';
import { runPlugin } from '../delegate/run-plugin.ts';
import type { Network } from '../pod/plan.ts';
import { type Collection, collectInvalid } from './collect-invalid.ts';
import { journalOf } from './journal.ts';
import { hasRuntimeAdd, type JournalAttachment } from './journal-record.ts';
import { withNodeLock } from './locks.ts';
import { delegateBudget, lockRequest, type Operation, searchPath } from './operation.ts';
import { awaitReadiness } from './readiness.ts';
import { lookupsOf, nodeNetworks } from './resolve/networks.ts';

const KEY = 'cni.dev/valid-attachments';

function validAttachments(operation: Operation): ValidAttachment[] {
  const value = operation.request.config.value(KEY);
  const bad = (what: string): CniError =>
    new CniError(CniCode.invalidConfig, `Cannot GC: key "${KEY}" must be a list of {containerID, ifname}, ${what}`);
  if (!Array.isArray(value)) throw bad(value === undefined ? 'it is missing' : `got ${show(value)}`);
  return value.map((entry) => {
    const { containerID, ifname } = (entry ?? {}) as Partial<ValidAttachment>;
    const isUsable = typeof containerID === 'string' && plainNameRule(containerID) === undefined;
    if (!isUsable || typeof ifname !== 'string') throw bad(`got ${show(entry)}`);
    return { containerID, ifname };
  });
}

/**
 * One entry per network name: its configuration, and the union of its valid attachments over all containers. Networks
 * of containers that were collected just now have none left, and are told so.
 * @param strangers attachments of the runtime that are in no record: from before us, to the default networks
 */
function networksToTell(
  { kept, collected }: Collection,
  defaults: readonly Network[],
  strangers: readonly ValidAttachment[],
): Map<string, { network: Network; valid: ValidAttachment[] }> {
  const networks = new Map(defaults.map((network) => [network.config.name, { network, valid: [...strangers] }]));
  const entryOf = ({ configName, network: label, source }: JournalAttachment) => {
    const config = parseNetworkConfig(source, `journalled configuration of network "${label}"`, { name: configName });
    const entry = networks.get(configName) ?? { network: { label, config }, valid: [] };
    networks.set(configName, entry);
    return entry;
  };
  for (const { containerId, attachments } of kept) {
    for (const attachment of attachments) {
      entryOf(attachment).valid.push({ containerID: containerId, ifname: attachment.ifName });
    }
  }
  for (const attachment of collected) entryOf(attachment);
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
    const collection = await collectInvalid(operation, journal, valid);
    const { errors, kept, unreadable } = collection;
    // What a living container has attached is in its record only: without it plugins would free what is in use.
    if (!valid.some(({ containerID }) => unreadable.has(containerID))) {
      const strangers = valid.filter(
        ({ containerID }) => !kept.some((one) => one.containerId === containerID && hasRuntimeAdd(one)),
      );
      const defaults = await nodeNetworks(lookupsOf(operation));
      for (const { network, valid: ours } of networksToTell(collection, defaults, strangers).values()) {
        await collectNetwork(operation, network, ours).catch((error: Error) => errors.push(error));
      }
    }
    if (errors[0] !== undefined) throw errors[0];
  });
}
