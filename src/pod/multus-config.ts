/**
 * The configuration that the runtime hands us on stdin: what Multus calls its NetConf, plus our own keys.
 * Keys are matched case-insensitively, as Go reads them; unknown keys are ignored.
 */
import { isAbsolute } from 'node:path';
import { type NetworkConfig, parseNetworkConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { RawObject } from '../cni/raw-json.ts';

/** What happens when a fact that a delegate claims is not what the kernel has. */
export type VerifyMode = 'off' | 'warn' | 'enforce';

/** Facts that are compared after every delegate. */
export const VERIFY_FACTS = ['link', 'name', 'mac', 'mtu', 'addresses', 'routes'] as const;
export type VerifyFact = (typeof VERIFY_FACTS)[number];
export type VerifyModes = Record<VerifyFact, VerifyMode>;

const DEFAULT_VERIFY: VerifyModes = {
  link: 'enforce',
  name: 'enforce',
  mac: 'enforce',
  mtu: 'warn',
  addresses: 'warn',
  routes: 'warn',
};

/** Directories that Multus uses when the configuration names none. */
export const DEFAULT_BIN_DIR = '/opt/cni/bin';
export const DEFAULT_CNI_DIR = '/var/lib/cni/multus';
export const DEFAULT_CONF_DIR = '/etc/cni/multus/net.d';

/** Key of runtimeConfig under which containerd and CRI-O hand over the pod's annotations. */
export const POD_ANNOTATIONS_CAPABILITY = 'io.kubernetes.cri.pod-annotations';

export interface MultusConfig {
  /** Our own `type`: no delegate may have it. */
  type: string;
  /** Static delegates in order; the first is the default network. Empty when `clusterNetwork` is set. */
  delegates: NetworkConfig[];
  /** Reference to the default network: definition name, file, or directory. '' when unset. */
  clusterNetwork: string;
  /** Namespace of the definition that `clusterNetwork` names. */
  multusNamespace: string;
  /** Searched for delegates before CNI_PATH. */
  binDir: string;
  /** State directory: the journal. */
  cniDir: string;
  /** Searched by network name for definitions without a configuration of their own. */
  confDir: string;
  /** Folder of Pod and NetworkAttachmentDefinition manifests that stands in for the API server. '' when unset. */
  manifestsDir: string;
  /** '' when unset. */
  kubeconfig: string;
  /** The runtime's capability arguments, unknown ones included. */
  runtimeConfig: Record<string, unknown>;
  /** The pod's annotations as the runtime handed them over, undefined when it did not. */
  podAnnotations: Record<string, string> | undefined;
  verify: VerifyModes;
  /** Longest run of one plugin, milliseconds. */
  delegateTimeoutMs: number;
  /** Longest duration of one request, milliseconds. */
  requestTimeoutMs: number;
}

const WHAT = 'CNI configuration';

function refuse(key: string, expected: string, value: unknown): CniError {
  const shown = JSON.stringify(value) ?? String(value);
  return new CniError(
    CniCode.invalidConfig,
    `Cannot use ${WHAT}: key "${key}" must be ${expected}, got ${shown.length > 120 ? `${shown.slice(0, 120)}…` : shown}`,
  );
}

function stringKey(config: RawObject, key: string, fallback: string): string {
  const value = config.value(key);
  if (value === undefined || value === null) return fallback;
  if (typeof value !== 'string') throw refuse(key, 'a string', value);
  return value === '' ? fallback : value;
}

function directoryKey(config: RawObject, key: string, fallback: string): string {
  const value = stringKey(config, key, fallback);
  if (value !== '' && !isAbsolute(value)) throw refuse(key, 'an absolute path', value);
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Seconds as a number, or a text with unit: "250ms", "30s", "2m". */
function durationKey(config: RawObject, key: string, fallbackMs: number): number {
  const value = config.value(key);
  if (value === undefined || value === null) return fallbackMs;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(value) : null;
  const unit = { ms: 1, s: 1000, m: 60_000 }[match?.[2] ?? 's'] ?? Number.NaN;
  const amount = typeof value === 'number' ? value : Number(match?.[1] ?? Number.NaN);
  const ms = amount * unit;
  if (!Number.isFinite(ms) || ms < 1 || ms > 3_600_000) {
    throw refuse(key, 'a duration of up to an hour such as "30s", "2m" or a number of seconds', value);
  }
  return Math.round(ms);
}

function isVerifyMode(value: unknown): value is VerifyMode {
  return value === 'off' || value === 'warn' || value === 'enforce';
}

function verifyKey(config: RawObject): VerifyModes {
  const value = config.value('verify');
  if (value === undefined || value === null) return DEFAULT_VERIFY;
  if (isVerifyMode(value)) {
    return Object.fromEntries(VERIFY_FACTS.map((fact) => [fact, value])) as VerifyModes;
  }
  if (!isRecord(value)) throw refuse('verify', '"off", "warn", "enforce" or an object of these', value);
  const modes = { ...DEFAULT_VERIFY };
  for (const [fact, mode] of Object.entries(value)) {
    if (!VERIFY_FACTS.includes(fact as VerifyFact)) {
      throw refuse('verify', `an object with keys out of ${VERIFY_FACTS.join(', ')}`, { [fact]: mode });
    }
    if (!isVerifyMode(mode)) throw refuse(`verify.${fact}`, '"off", "warn" or "enforce"', mode);
    modes[fact as VerifyFact] = mode;
  }
  return modes;
}

function podAnnotationsOf(runtimeConfig: Record<string, unknown>): Record<string, string> | undefined {
  const value = runtimeConfig[POD_ANNOTATIONS_CAPABILITY];
  if (value === undefined || value === null) return undefined;
  const key = `runtimeConfig["${POD_ANNOTATIONS_CAPABILITY}"]`;
  if (!isRecord(value)) throw refuse(key, 'an object of strings', value);
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw refuse(`${key}["${name}"]`, 'a string', text);
  }
  return value as Record<string, string>;
}

function delegatesOf(config: RawObject): NetworkConfig[] {
  const elements = config.array('delegates') ?? [];
  return elements.map((text, i) => parseNetworkConfig(text, `${WHAT}, key "delegates[${i}]"`));
}

/** Keys of Multus that this version does not act on, and that would change which networks a pod gets, or may have. */
const REFUSED_KEYS = ['defaultNetworks', 'namespaceIsolation', 'readinessindicatorfile', 'auxiliaryCNIChainName'];

function refuseUnsupported(config: RawObject): void {
  for (const key of REFUSED_KEYS) {
    const value = config.value(key);
    const isSet = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null && value !== '';
    if (isSet && value !== false) throw refuse(key, 'absent: this version does not support it', value);
  }
}

/** What DEL needs: the journal has the rest. */
const KEYS_FOR_DEL = ['type', 'cniDir', 'binDir', 'delegateTimeout', 'requestTimeout'];

/**
 * A configuration as DEL reads it: one that ADD would refuse must not keep containers from being deleted.
 * @throws CniError 7 when a key that DEL itself needs is wrong
 */
export function parseConfigForDel(config: RawObject): MultusConfig {
  try {
    return parseMultusConfig(config);
  } catch {
    const needed = KEYS_FOR_DEL.map((key) => [key, config.raw(key)]).filter(([, raw]) => raw !== undefined);
    const reduced = RawObject.parse('{"clusterNetwork": "-"}', WHAT).with(Object.fromEntries(needed));
    return { ...parseMultusConfig(reduced), clusterNetwork: '' };
  }
}

/**
 * Read the keys that we act on.
 * @throws CniError 7 naming key, value and what is wanted; also when neither `delegates` nor `clusterNetwork` is set.
 */
export function parseMultusConfig(config: RawObject): MultusConfig {
  refuseUnsupported(config);
  const runtimeConfig = config.value('runtimeConfig') ?? {};
  if (!isRecord(runtimeConfig)) throw refuse('runtimeConfig', 'an object', runtimeConfig);
  const clusterNetwork = stringKey(config, 'clusterNetwork', '');
  const delegates = clusterNetwork === '' ? delegatesOf(config) : [];
  if (clusterNetwork === '' && delegates.length === 0) {
    throw new CniError(
      CniCode.invalidConfig,
      `Cannot use ${WHAT}: it names no default network; set "clusterNetwork" or give "delegates" at least one CNI configuration`,
    );
  }
  return {
    type: stringKey(config, 'type', ''),
    delegates,
    clusterNetwork,
    multusNamespace: stringKey(config, 'multusNamespace', 'kube-system'),
    binDir: directoryKey(config, 'binDir', DEFAULT_BIN_DIR),
    cniDir: directoryKey(config, 'cniDir', DEFAULT_CNI_DIR),
    confDir: directoryKey(config, 'confDir', DEFAULT_CONF_DIR),
    manifestsDir: directoryKey(config, 'manifestsDir', ''),
    kubeconfig: stringKey(config, 'kubeconfig', ''),
    runtimeConfig,
    podAnnotations: podAnnotationsOf(runtimeConfig),
    verify: verifyKey(config),
    delegateTimeoutMs: durationKey(config, 'delegateTimeout', 60_000),
    requestTimeoutMs: durationKey(config, 'requestTimeout', 110_000),
  };
}
