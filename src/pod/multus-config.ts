/**
 * The configuration that the runtime hands us on stdin: what Multus and its TKE fork call their NetConf, plus our own
 * keys. Keys are matched case-insensitively, as Go reads them; unknown keys are ignored.
 */
import { type NetworkConfig, parseNetworkConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { plainNameRule } from '../cni/names.ts';
import { describe, kindOf, quote } from '../cni/quote.ts';
import { RawObject, type RawValue } from '../cni/raw-json.ts';
import { ConfigKeys, isRecord, refuseKey } from './config-keys.ts';
import { parseLogSettings } from './log-settings.ts';

/** What happens when a fact that a delegate claims is not what the kernel has. */
export type VerifyMode = 'off' | 'warn' | 'enforce';

/**
 * Facts that are compared after every delegate. Of a virtual function: `vlan` with its QoS and protocol, a VLAN that nobody
 * asked for, and what else the configuration asks for.
 */
export const VERIFY_FACTS = [
  'link',
  'name',
  'mac',
  'mtu',
  'addresses',
  'routes',
  'vlan',
  'inheritedVlan',
  'vf',
] as const;
export type VerifyFact = (typeof VERIFY_FACTS)[number];
export type VerifyModes = Record<VerifyFact, VerifyMode>;

const DEFAULT_VERIFY: VerifyModes = {
  link: 'enforce',
  name: 'enforce',
  mac: 'enforce',
  mtu: 'warn',
  addresses: 'warn',
  routes: 'warn',
  vlan: 'enforce',
  inheritedVlan: 'warn',
  vf: 'warn',
};

/** Directories that Multus uses when the configuration names none. */
export const DEFAULT_BIN_DIR = '/opt/cni/bin';
export const DEFAULT_CNI_DIR = '/var/lib/cni/multus';
export const DEFAULT_CONF_DIR = '/etc/cni/multus/net.d';
/** Where the TKE fork's configurations lie, and where it kept its state. */
export const TKE_CONF_DIR = '/etc/cni/net.d/multus';
export const TKE_CNI_DIR = '/var/lib/cni/networks/multus';

/** Key of runtimeConfig under which containerd and CRI-O hand over the pod's annotations. */
export const POD_ANNOTATIONS_CAPABILITY = 'io.kubernetes.cri.pod-annotations';

/** Which annotation counts when a pod has both Multus's and the TKE fork's. */
const ANNOTATION_POLICIES = ['reject', 'tke', 'npwg', 'merge'] as const;
export type AnnotationPolicy = (typeof ANNOTATION_POLICIES)[number];

const STATUS_UPDATES = ['async', 'wait'] as const;
export type StatusUpdate = (typeof STATUS_UPDATES)[number];

export interface MultusConfig {
  /** Our own `type`: no delegate may have it. */
  type: string;
  cniVersion: string;
  /** `tke`: the node's networks are named by `defaultDelegates` or by each pod, as the TKE fork has it. */
  dialect: 'npwg' | 'tke';
  /** Static delegates in order; the first is the default network. Empty when `clusterNetwork` is set. */
  delegates: NetworkConfig[];
  /** Reference to the default network: definition name, file, or directory. '' when unset. */
  clusterNetwork: string;
  /** References like `clusterNetwork`, for every pod outside `systemNamespaces`. */
  defaultNetworks: string[];
  systemNamespaces: string[];
  /** Networks of pods without an annotation, in the grammar of the TKE annotation. '' when unset. */
  defaultDelegates: string;
  annotationPolicy: AnnotationPolicy;
  /** Namespace of the definitions that `clusterNetwork`, `defaultNetworks` and default-network annotations name. */
  multusNamespace: string;
  /** Pods may use definitions of their own namespace and of `globalNamespaces` only. */
  namespaceIsolation: boolean;
  globalNamespaces: string[];
  /** Plugin types that definitions of a namespace may use, "*" = of any other namespace; undefined = all. */
  allowedPlugins: ReadonlyMap<string, readonly string[]> | undefined;
  /** File that the default network's own daemon makes once it is ready. '' when unset. */
  readinessIndicatorFile: string;
  /** Name of the folder whose plugins run for every pod behind its networks. '' when unset. */
  auxiliaryCNIChainName: string;
  /** Searched for delegates before CNI_PATH. */
  binDir: string;
  /** State directory: the journal. */
  cniDir: string;
  /** Where the TKE fork kept its state when it is another directory than `cniDir`, else ''. */
  legacyCniDir: string;
  /** Searched by network name for definitions without a configuration of their own. */
  confDir: string;
  /** Folder of Pod and NetworkAttachmentDefinition manifests that stands in for the API server. '' when unset. */
  manifestsDir: string;
  /** '' when unset. */
  kubeconfig: string;
  /** The node is one of a cluster: pods and definitions come from its API server. */
  kubernetes: boolean;
  /** Does ADD wait until the pod's status is told? */
  statusUpdate: StatusUpdate;
  /** Where the kubelet has its sockets and checkpoints. */
  kubeletDir: string;
  /** Device information files (NPWG device-info specification), with sub-folders `dp` and `cni`. */
  deviceInfoDir: string;
  /** The runtime's capability arguments, unknown ones included, as their texts. */
  runtimeConfig: Record<string, RawValue>;
  /** The pod's annotations as the runtime handed them over, undefined when it did not. */
  podAnnotations: Record<string, string> | undefined;
  verify: VerifyModes;
  /** Longest run of one plugin, milliseconds. */
  delegateTimeoutMs: number;
  /** Longest duration of one request, milliseconds. */
  requestTimeoutMs: number;
  /** Keys that have no effect beside the others; to be logged. */
  notes: string[];
  /** Keys that nobody knows, as spelled: without effect, but maybe typing errors; to be logged. */
  unknownKeys: string[];
}

const WHAT = 'CNI configuration';

function isVerifyMode(value: unknown): value is VerifyMode {
  return value === 'off' || value === 'warn' || value === 'enforce';
}

function verifyOf(keys: ConfigKeys, value: unknown): VerifyModes {
  if (value === undefined || value === null) return DEFAULT_VERIFY;
  if (isVerifyMode(value)) {
    return Object.fromEntries(VERIFY_FACTS.map((fact) => [fact, value])) as VerifyModes;
  }
  if (!isRecord(value)) throw keys.refuse('verify', '"off", "warn", "enforce" or an object of these', value);
  const modes = { ...DEFAULT_VERIFY };
  for (const [fact, mode] of Object.entries(value)) {
    if (!VERIFY_FACTS.includes(fact as VerifyFact)) {
      throw keys.refuse('verify', `an object with keys out of ${VERIFY_FACTS.join(', ')}`, { [fact]: mode });
    }
    if (!isVerifyMode(mode)) throw keys.refuse(`verify.${fact}`, '"off", "warn" or "enforce"', mode);
    modes[fact as VerifyFact] = mode;
  }
  return modes;
}

function podAnnotationsOf(keys: ConfigKeys, runtimeConfig: Record<string, unknown>) {
  const value = runtimeConfig[POD_ANNOTATIONS_CAPABILITY];
  if (value === undefined || value === null) return undefined;
  const key = `runtimeConfig["${POD_ANNOTATIONS_CAPABILITY}"]`;
  if (!isRecord(value)) throw refuseKey(keys.what, key, 'an object of strings', kindOf(value));
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw refuseKey(keys.what, `${key}["${name}"]`, 'a string', describe(text));
  }
  return value as Record<string, string>;
}

function delegatesOf(keys: ConfigKeys, config: RawObject): NetworkConfig[] {
  const elements = config.array('delegates') ?? [];
  return elements.map((text, i) => parseNetworkConfig(text, `${keys.what}, key "delegates[${i}]"`));
}

function allowedPluginsOf(keys: ConfigKeys): MultusConfig['allowedPlugins'] {
  const value = keys.record('allowedPlugins');
  if (value === undefined) return undefined;
  for (const [namespace, types] of Object.entries(value)) {
    if (Array.isArray(types) && types.every((type) => typeof type === 'string')) continue;
    throw keys.refuse(`allowedPlugins["${namespace}"]`, 'a list of plugin types', types);
  }
  return new Map(Object.entries(value as Record<string, string[]>));
}

/** The runtime reads it, not we; but a value that no runtime can read must not pass. */
function checkCapabilities(keys: ConfigKeys): void {
  for (const [name, value] of Object.entries(keys.record('capabilities') ?? {})) {
    if (typeof value !== 'boolean') throw keys.refuse(`capabilities["${name}"]`, 'true or false', value);
  }
}

function globalNamespacesOf(keys: ConfigKeys): string[] {
  const items = keys.text('globalNamespaces', 'default').split(',');
  return items.map((item) => item.trim()).filter((item) => item !== '');
}

function auxiliaryNameOf(keys: ConfigKeys): string {
  const name = keys.text('auxiliaryCNIChainName', '');
  const rule = name === '' ? undefined : plainNameRule(name);
  if (rule !== undefined) throw keys.refuse('auxiliaryCNIChainName', `the name of a folder (${rule})`, name);
  return name;
}

/** Known, and read elsewhere or by nobody: by the runtime, the shim, Multus's own programs. */
const OTHERS_KEYS = [
  ...['clusterNetwork', 'defaultDelegates', 'delegates', 'defaultNetworks', 'kubeconfig', 'overrideNetworkName'],
  ...['name', 'runtimeConfig', 'verify', 'prevResult', 'args', 'dns', 'ipam', 'cniConf', 'cniVersions'],
  ...['disableCheck', 'disableGC', 'loadOnlyInlinedPlugins', 'cni.dev/valid-attachments', 'cni.dev/attachments'],
];

/** What a configuration says of the node's own networks. */
type NetworkKeys = Pick<
  MultusConfig,
  'clusterNetwork' | 'delegates' | 'defaultDelegates' | 'defaultNetworks' | 'dialect' | 'notes'
>;

/** @throws CniError 7 when they are named nowhere, or in two ways that contradict */
function networkKeysOf(keys: ConfigKeys, config: RawObject): NetworkKeys {
  const clusterNetwork = keys.text('clusterNetwork', '');
  const delegates = clusterNetwork === '' ? delegatesOf(keys, config) : [];
  const defaultDelegates = keys.text('defaultDelegates', '');
  const isNpwg = clusterNetwork !== '' || delegates.length > 0;
  if (isNpwg && defaultDelegates !== '') {
    const other = clusterNetwork === '' ? 'delegates' : 'clusterNetwork';
    throw new CniError(
      CniCode.invalidConfig,
      `Cannot use ${keys.what}: both "defaultDelegates" (${quote(defaultDelegates)}) and "${other}" name the default network; remove one`,
    );
  }
  // The TKE fork's shortest configuration: each pod names all its networks.
  const podsDecide =
    keys.has('defaultDelegates') || ['kubeconfig', 'manifestsDir', 'kubernetes'].some((key) => keys.has(key));
  if (!isNpwg && !podsDecide) {
    throw new CniError(
      CniCode.invalidConfig,
      `Cannot use ${keys.what}: it names no default network; set "clusterNetwork" or give "delegates" at least one CNI configuration`,
    );
  }
  const defaultNetworks = keys.texts('defaultNetworks', []);
  const networks = { clusterNetwork, delegates, defaultDelegates, dialect: isNpwg ? 'npwg' : 'tke' } as const;
  if (clusterNetwork !== '' || defaultNetworks.length === 0) return { ...networks, defaultNetworks, notes: [] };
  const note = '"defaultNetworks" has no effect without "clusterNetwork", as in Multus; add them to "delegates"';
  return { ...networks, defaultNetworks: [], notes: [note] };
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
    // Where nothing else says whose configuration it is, the TKE fork's state is looked for, too.
    const mayBeTke = !['cniDir', 'delegates', 'clusterNetwork'].some((key) => config.has(key));
    const keys = parseNodeKeys(RawObject.parse('{}', WHAT).with(Object.fromEntries(needed)));
    return { ...keys, legacyCniDir: mayBeTke ? TKE_CNI_DIR : '' };
  }
}

/**
 * The keys of a node's own configuration: it need not name the node's networks, and where it does, they are no concern of
 * who reads it.
 * @throws CniError 7 as parseMultusConfig
 */
export function parseNodeKeys(config: RawObject): MultusConfig {
  const keys = new ConfigKeys(config, WHAT);
  const none = { clusterNetwork: '', delegates: [], defaultDelegates: '', dialect: 'npwg' as const, notes: [] };
  return withOtherKeys({ ...none, defaultNetworks: keys.texts('defaultNetworks', []) }, keys, config);
}

/** What was read of configurations that are still known: a node's requests nearly all bring the same. */
const readBefore = new WeakMap<RawObject, MultusConfig>();

/**
 * Read the keys that we act on.
 * @param what names the configuration in errors
 * @throws CniError 7 naming key, value and what is wanted; also when nothing names a default network.
 */
export function parseMultusConfig(config: RawObject, what = WHAT): MultusConfig {
  const known = what === WHAT ? readBefore.get(config) : undefined;
  if (known !== undefined) return known;
  const keys = new ConfigKeys(config, what);
  const read = withOtherKeys(networkKeysOf(keys, config), keys, config);
  if (what === WHAT) readBefore.set(config, read);
  return read;
}

function withOtherKeys(networks: NetworkKeys, keys: ConfigKeys, config: RawObject): MultusConfig {
  const isTke = networks.dialect === 'tke';
  checkCapabilities(keys);
  parseLogSettings(keys); // the log is open already, by what of it could be read
  keys.path('daemonSocketDir', ''); // the shim has used it, or its default in place of a wrong value
  keys.flag('retryDeleteOnError', false); // what cannot be detached always stays in the journal
  const read = {
    ...networks,
    type: keys.text('type', ''),
    cniVersion: keys.text('cniVersion', ''),
    systemNamespaces: keys.texts('systemNamespaces', ['kube-system']),
    annotationPolicy: keys.word('annotationPolicy', ANNOTATION_POLICIES, 'reject'),
    multusNamespace: keys.text('multusNamespace', 'kube-system'),
    namespaceIsolation: keys.flag('namespaceIsolation', false),
    globalNamespaces: globalNamespacesOf(keys),
    allowedPlugins: allowedPluginsOf(keys),
    readinessIndicatorFile: keys.path('readinessindicatorfile', ''),
    auxiliaryCNIChainName: auxiliaryNameOf(keys),
    binDir: keys.path('binDir', DEFAULT_BIN_DIR),
    cniDir: keys.path('cniDir', DEFAULT_CNI_DIR),
    legacyCniDir: isTke && !keys.has('cniDir') ? TKE_CNI_DIR : '',
    confDir: keys.path('confDir', isTke ? TKE_CONF_DIR : DEFAULT_CONF_DIR),
    manifestsDir: keys.path('manifestsDir', ''),
    kubeconfig: keys.path('kubeconfig', ''),
    kubernetes: keys.flag('kubernetes', false),
    statusUpdate: keys.word('statusUpdate', STATUS_UPDATES, 'async'),
    kubeletDir: keys.path('kubeletDir', '/var/lib/kubelet'),
    deviceInfoDir: keys.path('deviceInfoDir', '/var/run/k8s.cni.cncf.io/devinfo'),
    podAnnotations: podAnnotationsOf(keys, keys.record('runtimeConfig') ?? {}),
    runtimeConfig: config.object('runtimeConfig', `${keys.what}, key "runtimeConfig"`)?.entries() ?? {},
    verify: verifyOf(keys, config.value('verify')),
    delegateTimeoutMs: keys.duration('delegateTimeout', 60_000),
    requestTimeoutMs: keys.duration('requestTimeout', 110_000),
  };
  return { ...read, unknownKeys: keys.unknown(OTHERS_KEYS) };
}
