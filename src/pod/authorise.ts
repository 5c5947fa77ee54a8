/** May a pod use that network? The one place that decides it, for every kind of reference. */
import type { NetworkConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { RawObject } from '../cni/raw-json.ts';
import type { MultusConfig } from './multus-config.ts';

export type AccessRules = Pick<MultusConfig, 'namespaceIsolation' | 'globalNamespaces' | 'allowedPlugins'>;

/** A definition that a pod refers to, by annotation or by hot-plug. */
export interface DefinitionReference {
  /** Namespace of the pod. */
  podNamespace: string;
  namespace: string;
  name: string;
}

/**
 * With `namespaceIsolation` a pod may use definitions of its own namespace and of `globalNamespaces`.
 * @throws CniError 7
 */
export function authoriseReference({ podNamespace, namespace, name }: DefinitionReference, rules: AccessRules): void {
  if (!rules.namespaceIsolation || namespace === podNamespace || rules.globalNamespaces.includes(namespace)) return;
  const allowed = [...new Set([podNamespace, ...rules.globalNamespaces])].map((one) => `"${one}"`).join(', ');
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot use network "${namespace}/${name}" in a pod of namespace "${podNamespace}": "namespaceIsolation" allows definitions of ${allowed} only; ` +
      'move the definition, or add its namespace to "globalNamespaces"',
  );
}

const ANY_OTHER = '*';

/** Keys under which a plugin's configuration has that of a plugin which it runs itself: IPAM, and flannel's `delegate`. */
const NESTED_KEYS = ['ipam', 'delegate'];

/**
 * Types of the plugins that a plugin runs itself. Of a key that stands there twice every value counts: Go reads a later
 * object into the earlier one, and null as nothing, so that the first type may be the one that runs.
 */
function nestedTypes(config: RawObject): string[] {
  const nested = NESTED_KEYS.flatMap((key) => config.rawAll(key)).filter((raw) => raw.startsWith('{'));
  return nested.flatMap((raw) => {
    const inner = RawObject.parse(raw, 'configuration inside that of a plugin');
    const types = inner.rawAll('type').map((type): unknown => JSON.parse(type));
    return [...types.filter((type): type is string => typeof type === 'string' && type !== ''), ...nestedTypes(inner)];
  });
}

/** Types of the plugins that a network runs, those included that its plugins run. */
export function pluginTypes(config: NetworkConfig): string[] {
  return config.plugins.flatMap((plugin) => [plugin.type, ...nestedTypes(plugin.config)]);
}

/**
 * With `allowedPlugins` a namespace may run only the plugins listed for it, or for "*".
 * @param namespace of the definition, whose author chose the plugins; of the pod, where it chose a configuration of the node
 * @throws CniError 7
 */
export function authorisePlugins(label: string, namespace: string, config: NetworkConfig, rules: AccessRules): void {
  if (rules.allowedPlugins === undefined) return;
  const key = rules.allowedPlugins.has(namespace) ? namespace : ANY_OTHER;
  const allowed = rules.allowedPlugins.get(key) ?? [];
  const refused = pluginTypes(config).find((type) => !allowed.includes(type));
  if (refused === undefined) return;
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot use network "${label}": namespace "${namespace}" may not run plugin "${refused}"; ` +
      `"allowedPlugins" has ${allowed.length === 0 ? 'none' : allowed.join(', ')} for "${key}"; add it there, or use another plugin`,
  );
}
