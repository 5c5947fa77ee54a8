/** What the networks of attached pods ask of their VFs as they are defined now, which may not be what ADD was sent. */

import { findConfByName, LISTS_FIRST } from '../../cluster/conf-files.ts';
import { OfflineSource } from '../../cluster/kubernetes/live-source.ts';
import { createSources, type OpenSource } from '../../cluster/sources.ts';
import { type NetworkConfig, parseNetworkConfig } from '../../cni/config.ts';
import { CniError } from '../../cni/errors.ts';
import { RawObject, type RawValue } from '../../cni/raw-json.ts';
import { DEFAULT_CONF_DIR, TKE_CONF_DIR } from '../../pod/multus-config.ts';
import { attachmentOf } from '../../pod/plan.ts';
import type { Claims } from '../../sriov/claims/claim.ts';
import { problemOf, vfPluginOf } from '../../sriov/claims/vf-plugin.ts';
import { VERSION } from '../../wire/version.ts';
import type { VfAttachment } from './journal-claims.ts';

export interface DefinitionOptions {
  cniDir: string;
  /** Ask no API server: definitions as they are on disk. */
  offline?: boolean;
  /** In the place of what the journal has. */
  manifests?: string;
  kubeconfig?: string;
  /** Folders of network configurations by name. */
  confDirs?: readonly string[];
}

/** For all of them together. */
const LIMIT_MS = 10_000;

const QUIET = { info: () => undefined, warn: () => undefined };
const NOBODY = { reason: 'no API server can be asked', remedy: 'give --kubeconfig' };

/** A network as it is now; undefined when nobody but ADD knows it: it stood in the configuration of multus itself. */
type Lookup = (attachment: VfAttachment) => Promise<NetworkConfig | undefined>;

function onNode(name: string, confDirs: readonly string[]): NetworkConfig | undefined {
  for (const folder of confDirs) {
    try {
      return findConfByName(folder, name, LISTS_FIRST);
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
    }
  }
  return undefined;
}

/** @returns a function that rejects with the reason when it cannot be told */
function lookupOf(options: DefinitionOptions): Lookup {
  const { cniDir, offline = false, confDirs = [DEFAULT_CONF_DIR, TKE_CONF_DIR] } = options;
  const open: OpenSource = createSources({ log: QUIET, userAgent: `multus-native/${VERSION} (sriov)` });
  const onDisk = new OfflineSource({ cniDir, log: QUIET, nobody: NOBODY });
  const signal = AbortSignal.timeout(LIMIT_MS);
  return async ({ record: { source }, attachment: { network } }) => {
    const [namespace = '', name] = network.split('/');
    if (name === undefined) return onNode(network, confDirs);
    const manifestsDir = options.manifests ?? (options.kubeconfig === undefined ? source.manifestsDir : '');
    const kubeconfig = offline ? '' : (options.kubeconfig ?? source.kubeconfig);
    const live = open({ manifestsDir, kubeconfig, kubernetes: false, cniDir: source.cniDir || cniDir });
    const found = await (live ?? onDisk).definition(namespace, name, signal);
    if (found.outcome === 'absent') throw new Error(`it is defined no more: ${found.reason}`);
    if (found.outcome === 'unknown') {
      const isToBeKnown = !offline && (live !== undefined || source.kubernetes);
      if (isToBeKnown) throw new Error(`its definition is not known: ${found.reason}`);
      return undefined;
    }
    const { config } = found.definition;
    if (config.trim() === '') return onNode(name, confDirs);
    return parseNetworkConfig(config, `network attachment definition ${network}`, { name });
  };
}

/** Capability arguments that ADD was sent: the pod's word goes with every version of a network. */
function runtimeConfigOf({ attachment: { steps } }: VfAttachment): Record<string, RawValue> {
  const sent = steps.map(({ stdin }) => RawObject.parse(stdin, 'journal').object('runtimeConfig', 'journal'));
  return Object.assign({}, ...sent.map((one) => one?.entries() ?? {}));
}

async function claimOfDefinition(one: VfAttachment, lookUp: Lookup): Promise<Claims> {
  const { attachment, claim } = one;
  const network = `network "${attachment.network}"`;
  try {
    const config = await lookUp(one);
    if (config === undefined) return { claims: [], problems: [] };
    const { steps } = attachmentOf({ label: attachment.network, config }, attachment.ifName, attachment.args, {
      runtimeConfig: runtimeConfigOf(one),
      ...(claim.address === '' ? {} : { deviceId: claim.address }),
    });
    const { settings } = vfPluginOf(steps, attachment.args) ?? {};
    if (settings === undefined) throw new Error('as it is defined now, none of its plugins sets up a VF');
    return { claims: [{ ...claim, source: 'definition', origin: config.source.what, settings }], problems: [] };
  } catch (error) {
    const reason = error instanceof CniError ? problemOf(error) : (error as Error).message;
    return { claims: [], problems: [`${network} of ${claim.pod || `container ${claim.containerId}`}: ${reason}`] };
  }
}

/** One claim for each attachment whose network has a definition, or a configuration of that name on the node. */
export async function definitionClaims(
  attachments: readonly VfAttachment[],
  options: DefinitionOptions,
): Promise<Claims> {
  const lookUp = lookupOf(options);
  const alive = attachments.filter(({ claim }) => !claim.isEnded && claim.settings !== undefined);
  const found = await Promise.all(alive.map((one) => claimOfDefinition(one, lookUp)));
  return {
    claims: found.flatMap(({ claims }) => claims),
    problems: [...new Set(found.flatMap(({ problems }) => problems))],
  };
}
