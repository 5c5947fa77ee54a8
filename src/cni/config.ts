/** Network configurations (CNI section 1): a single plugin's conf, or a list of plugins that run as a chain. */
import { CniCode, CniError } from './errors.ts';
import { plainNameRule, pluginTypeRule } from './names.ts';
import { describe, kindOf, quote } from './quote.ts';
import { RawObject } from './raw-json.ts';
import { checkSupported, negotiateVersion, normaliseVersion } from './versions.ts';

export interface PluginConfig {
  /** The plugin's executable, a bare file name. */
  type: string;
  /** The plugin's own object as written; for a conf, the whole configuration. */
  config: RawObject;
  /** Which `runtimeConfig` keys the plugin accepts (CNI section 1, `capabilities`), keys as spelled. */
  capabilities: Record<string, boolean>;
}

export interface NetworkConfig {
  name: string;
  /** For a list the negotiated one; an absent version is '0.1.0'. */
  cniVersion: string;
  disableCheck: boolean;
  disableGC: boolean;
  loadOnlyInlinedPlugins: boolean;
  isList: boolean;
  plugins: PluginConfig[];
  /** The configuration as given, with the name in it when it was injected. */
  source: RawObject;
}

export interface NetworkConfigDefaults {
  /** Takes the place of a missing or empty `name`. */
  name?: string;
  /**
   * Accept an object with neither `type` nor `plugins` as a list whose plugins lie in other files.
   * @default false
   */
  pluginsElsewhere?: boolean;
}

/**
 * Reads a conf (it has `type`) or a conflist (it has `plugins`); with both it is a conf, as Multus reads it.
 * `cniVersions`, `disableCheck`, `disableGC` and `loadOnlyInlinedPlugins` belong to lists and are ignored in a conf.
 * @param what names the configuration in errors, e.g. 'network attachment definition default/macvlan-a'
 * @throws CniError 6 when the text is not a JSON object, 7 naming the key that cannot be used, 1 for an unsupported
 *   version
 */
export function parseNetworkConfig(text: string, what: string, defaults: NetworkConfigDefaults = {}): NetworkConfig {
  const source = withName(RawObject.parse(text, what), what, defaults.name);
  const name = nameOf(source, what);
  const type = optionalString(source, 'type', what) ?? '';
  if (type !== '') return confOf(source, name, what);
  if (source.has('plugins') || defaults.pluginsElsewhere === true) return listOf(source, name, what);
  throw unusable(what, source.has('type') ? 'key "type" must not be empty' : 'it has neither "type" nor "plugins"');
}

/**
 * Reads one plugin's object, as in the files beside a list.
 * @throws CniError 6 or 7 as parseNetworkConfig
 */
export function parsePluginConfig(text: string, what: string): PluginConfig {
  return pluginOf(RawObject.parse(text, what), what, '');
}

function confOf(source: RawObject, name: string, what: string): NetworkConfig {
  const cniVersion = checkSupported(normaliseVersion(optionalString(source, 'cniVersion', what)), what);
  const flags = { disableCheck: false, disableGC: false, loadOnlyInlinedPlugins: false };
  return { name, cniVersion, ...flags, isList: false, plugins: [pluginOf(source, what, '')], source };
}

function listOf(source: RawObject, name: string, what: string): NetworkConfig {
  const offered = negotiateVersion(optionalString(source, 'cniVersion', what), versionsOf(source, what));
  return {
    name,
    cniVersion: checkSupported(offered, what),
    disableCheck: flagOf(source, 'disableCheck', what),
    disableGC: flagOf(source, 'disableGC', what),
    loadOnlyInlinedPlugins: flagOf(source, 'loadOnlyInlinedPlugins', what),
    isList: true,
    plugins: source.has('plugins') ? pluginsOf(source, what) : [],
    source,
  };
}

function pluginsOf(source: RawObject, what: string): PluginConfig[] {
  const elements = source.array('plugins');
  if (elements === undefined) throw mistyped(what, 'plugins', 'an array', null);
  if (elements.length === 0) throw unusable(what, 'key "plugins" must not be empty');
  return elements.map((raw, index) => {
    const place = `plugins[${index}]`;
    if (!raw.startsWith('{')) throw mistyped(what, place, 'an object', JSON.parse(raw));
    return pluginOf(RawObject.parse(raw, `${what} at ${place}`), what, `${place}.`);
  });
}

/** @param place the plugin's path in the document, '' or ending in '.' */
function pluginOf(config: RawObject, what: string, place: string): PluginConfig {
  const type = config.value('type') ?? undefined;
  if (typeof type !== 'string') throw mistyped(what, `${place}type`, 'a string', type);
  const rule = pluginTypeRule(type);
  if (rule !== undefined) throw unusable(what, `key "${place}type" is ${quote(type)}: ${rule}`);
  return { type, config, capabilities: capabilitiesOf(config, what, `${place}capabilities`) };
}

function capabilitiesOf(config: RawObject, what: string, place: string): Record<string, boolean> {
  const declared = config.value('capabilities') ?? {};
  if (typeof declared !== 'object' || Array.isArray(declared)) throw mistyped(what, place, 'an object', declared);
  const entries = Object.entries(declared).filter(([, value]) => value !== null);
  for (const [key, value] of entries) {
    if (typeof value !== 'boolean') throw mistyped(what, `${place}.${key}`, 'a boolean', value);
  }
  return Object.fromEntries(entries);
}

function withName(source: RawObject, what: string, fallback: string | undefined): RawObject {
  if (fallback === undefined || (optionalString(source, 'name', what) ?? '') !== '') return source;
  return source.with({ name: JSON.stringify(fallback) });
}

function nameOf(source: RawObject, what: string): string {
  const name = optionalString(source, 'name', what);
  if (name === undefined) throw unusable(what, 'key "name" is missing');
  const rule = plainNameRule(name);
  if (rule !== undefined) throw unusable(what, `key "name" is ${quote(name)}: ${rule}`);
  return name;
}

function versionsOf(source: RawObject, what: string): string[] | undefined {
  const versions = source.value('cniVersions') ?? undefined;
  if (versions === undefined) return undefined;
  if (!Array.isArray(versions)) throw mistyped(what, 'cniVersions', 'an array', versions);
  for (const [index, version] of versions.entries()) {
    if (typeof version !== 'string') throw mistyped(what, `cniVersions[${index}]`, 'a string', version);
  }
  return versions;
}

/** The specification says boolean; configurations from before 1.0 have strings, and libcni takes both. */
function flagOf(source: RawObject, key: string, what: string): boolean {
  const value = source.value(key) ?? false;
  if (typeof value === 'boolean') return value;
  const word = typeof value === 'string' ? value.toLowerCase() : '';
  if (word !== 'true' && word !== 'false') throw mistyped(what, key, 'a boolean, "true" or "false"', value);
  return word === 'true';
}

/** A string member; undefined when absent or null, which Go reads alike. */
function optionalString(source: RawObject, key: string, what: string): string | undefined {
  const value = source.value(key) ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw mistyped(what, key, 'a string', value);
}

function mistyped(what: string, key: string, wanted: string, got: unknown): CniError {
  // A text in the place of an object may be one that was encoded, with its secrets.
  const shown = wanted === 'an object' ? kindOf(got) : describe(got);
  return unusable(what, `key "${key}" must be ${wanted}, got ${shown}`);
}

function unusable(what: string, reason: string): CniError {
  return new CniError(CniCode.invalidConfig, `Cannot use ${what}: ${reason}`);
}
