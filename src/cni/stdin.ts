/** What a plugin reads on stdin: its configuration with what the runtime adds to it. */
import type { NetworkConfig, PluginConfig } from './config.ts';
import { RawObject, RawValue } from './raw-json.ts';

/** One attachment that is still in use, as GC names it (CNI 1.1 section 2, GC). */
export interface ValidAttachment {
  containerID: string;
  ifname: string;
}

export interface StdinAdditions {
  /** Values by capability; each plugin gets those it declares. A RawObject or RawValue is passed as its text. */
  runtimeConfig?: Record<string, unknown>;
  /** A device of the node (its PCI address, say): written to `deviceID` and `pciBusID`, where SR-IOV plugins read it. */
  deviceId?: string;
  /** The result of the plugin before (ADD) or of the whole ADD (CHECK, DEL), as raw JSON. */
  prevResult?: string;
  /**
   * Merged key by key into `args.cni`, a map: keys match exactly. These win over the configuration's. A RawObject or
   * RawValue is passed as its text.
   */
  cniArgs?: Record<string, unknown>;
  /** For GC. */
  validAttachments?: readonly ValidAttachment[];
}

/**
 * Derives the configuration that one plugin of a network gets (CNI section 3, "Deriving request configuration from
 * plugin configuration").
 *
 * - A list's plugin gets the list's `name` and `cniVersion`; a conf keeps its own.
 * - `runtimeConfig` gets the values whose capability the plugin declares true and replaces one in the configuration;
 *   when no value remains, nothing changes. `capabilities` stays, as with libcni.
 * - The valid attachments appear under "cni.dev/valid-attachments" and, for plugins that follow the first text of the
 *   specification, under "cni.dev/attachments".
 * - Everything else is the configuration's text, byte for byte.
 * @throws CniError 7 when `args` or `args.cni` must be merged and is not an object, 6 when `prevResult` is not JSON
 */
export function pluginStdin(network: NetworkConfig, plugin: PluginConfig, additions: StdinAdditions): string {
  const edits: Record<string, string> = {};
  if (network.isList) {
    edits['name'] = JSON.stringify(network.name);
    edits['cniVersion'] = JSON.stringify(network.cniVersion);
  }
  const cniArgs = rawEntries(additions.cniArgs);
  if (cniArgs.length > 0) edits['args'] = mergedArgs(plugin, new Map(cniArgs));
  const declared = rawEntries(additions.runtimeConfig).filter(([key]) => isDeclared(plugin, key));
  if (declared.length > 0) edits['runtimeConfig'] = rawObjectOf(declared);
  if (additions.deviceId !== undefined) {
    edits['deviceID'] = JSON.stringify(additions.deviceId);
    edits['pciBusID'] = JSON.stringify(additions.deviceId);
  }
  if (additions.prevResult !== undefined) edits['prevResult'] = additions.prevResult;
  if (additions.validAttachments !== undefined) {
    const attachments = JSON.stringify(
      additions.validAttachments.map(({ containerID, ifname }) => ({ containerID, ifname })),
    );
    edits['cni.dev/valid-attachments'] = attachments;
    edits['cni.dev/attachments'] = attachments;
  }
  return plugin.config.with(edits).text;
}

function isDeclared(plugin: PluginConfig, capability: string): boolean {
  return Object.hasOwn(plugin.capabilities, capability) && plugin.capabilities[capability] === true;
}

function mergedArgs({ type, config }: PluginConfig, entries: ReadonlyMap<string, string>): string {
  const what = `args of plugin ${type} in ${config.what}`;
  const args = config.object('args', what) ?? RawObject.parse('{}', what);
  const cni = args.object('cni', what) ?? RawObject.parse('{}', what);
  return args.with({ cni: cni.withEntries(entries).text }).text;
}

/** Each value as raw JSON; those that JSON cannot express (undefined, functions) are left out. */
function rawEntries(values: Record<string, unknown> | undefined): [string, string][] {
  const entries = Object.entries(values ?? {}).map(([key, value]) => [key, rawValue(value)] as const);
  return entries.filter((entry): entry is [string, string] => entry[1] !== undefined);
}

function rawValue(value: unknown): string | undefined {
  return value instanceof RawObject || value instanceof RawValue ? value.text : JSON.stringify(value);
}

function rawObjectOf(entries: [string, string][]): string {
  return `{${entries.map(([key, raw]) => `${JSON.stringify(key)}:${raw}`).join(',')}}`;
}
