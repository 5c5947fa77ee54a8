/**
 * What the journal holds for one container, and its text on disk.
 *
 * The file is a superset of the cache file that Multus keeps under the same name (a JSON array, one object per
 * delegate), so that Multus can DEL from ours. Our own keys are in `multusNative` of each object, the container's
 * in the first one.
 */
import { type SourceSettings, sourceSettings } from '../cluster/sources.ts';
import { type NetworkConfig, parseNetworkConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import type { RawObject } from '../cni/raw-json.ts';
import { compareVersions } from '../cni/versions.ts';
import { stdinForDel } from '../delegate/run-chain.ts';
import { native } from '../node/native.ts';
import type { NetnsIdentity } from '../node/netns.ts';
import type { FamilyRoutes, PlannedAttachment } from '../pod/plan.ts';
import type { VfBefore } from '../sriov/vf-before.ts';

/**
 * planned → attaching → attached → detaching → gone (removed). A record that is not `complete` may have started
 * delegates that are still `planned` in it: DEL covers them all.
 */
export type AttachmentState = 'planned' | 'attaching' | 'attached' | 'detaching';

/** The link that a delegate made, and the name that it gave it. */
export interface DelegateLink {
  index: number;
  mac: string;
  delegateName: string;
}

export interface JournalAttachment extends PlannedAttachment {
  state: AttachmentState;
  /** The delegate's own result, its bytes; '' before it ended. */
  result: string;
  /** What was verified; undefined when the delegate claims no interface. */
  link: DelegateLink | undefined;
  /** The virtual function that it uses, as it was before; undefined when it uses none, or nobody knows of one. */
  vf: VfBefore | undefined;
  /** Facts that differed where the mode was `warn`. */
  warnings: string[];
  /** Why the last DEL failed, '' when none did. */
  lastError: string;
  /** DELs that failed. */
  detachFailures: number;
}

export interface JournalRecord {
  containerId: string;
  /**
   * `name` of the multus configuration: with container and interface the key of an attachment in CNI. '' when it is not
   * known: the record was made when something was plugged into a container that another program had attached.
   */
  name: string;
  /** The shim's number of the request: the same request, run anew by the other door, has the same. */
  operation: string;
  /** CNI_IFNAME. */
  ifName: string;
  netnsPath: string;
  netns: NetnsIdentity;
  bootId: string;
  /** ISO 8601. */
  createdAt: string;
  /** The ADD was answered with success. What is not attached in such a record comes or goes while the pod runs. */
  complete: boolean;
  /** binDir, then CNI_PATH. */
  path: string[];
  /** `namespace/name`, '' outside Kubernetes. */
  pod: string;
  /** Where the pod's status is kept. */
  source: SourceSettings;
  delegateTimeoutMs: number;
  defaultRoutes: FamilyRoutes[];
  /** Annotations of the pod that tell what it got. */
  statusAnnotations: string[];
  attachments: JournalAttachment[];
}

/** Is the container's ADD in the record, not only what was plugged in later? */
export function hasRuntimeAdd({ name, attachments }: JournalRecord): boolean {
  return name !== '' || attachments.some(({ isDefault }) => isDefault);
}

/** Is the record of this request's attachment? Another network or interface of the container is not ours to touch. */
export function isRecordOf(record: JournalRecord, request: { name: string; ifName: string }): boolean {
  return record.name === '' || (record.name === request.name && record.ifName === request.ifName);
}

/** What plugins get as prevResult for DEL; undefined where there is none, or their version does not know it. */
export function resultForDel({ cniVersion, result }: JournalAttachment): string | undefined {
  return compareVersions(cniVersion, '0.4.0') >= 0 && result !== '' ? result : undefined;
}

const SCHEMA = 1;
/** The first keys of the file: nothing that a configuration contains can stand before them. */
const SUM_PATTERN = /^(\[\{"multusNative":\{"schema":\d+,"sum":")([0-9a-f]{64})"/;
const NO_SUM = '0'.repeat(64);

function withSum(text: string, sum: string): string {
  return text.replace(SUM_PATTERN, (_, head) => `${head}${sum}"`);
}

function sumOf(text: string): string {
  return native().sha256(Buffer.from(withSum(text, NO_SUM)));
}

/** All that Multus keeps of it; what Go cannot read as this would make the whole file unreadable to it. */
function ipamType(config: RawObject): { type?: string } {
  const ipam = config.value('ipam');
  const type = typeof ipam === 'object' && ipam !== null ? (ipam as { type?: unknown }).type : undefined;
  return typeof type === 'string' ? { type } : {};
}

/**
 * The configuration that Multus runs for DEL: with the arguments and the result of ADD in it, since Multus itself knows
 * neither port mappings, bandwidth, `cni-args` nor what is not in libcni's cache. A plugin that never started keeps
 * its own text.
 */
function bytesForMultus(network: NetworkConfig, attachment: JournalAttachment): string {
  const stdins = network.plugins.map(({ config }, i) =>
    stdinForDel(attachment.steps[i]?.stdin ?? config.text, resultForDel(attachment)),
  );
  return network.isList ? network.source.with({ plugins: `[${stdins.join(',')}]` }).text : (stdins[0] ?? '');
}

interface KnownFields {
  steps: JournalAttachment['steps'];
  result: string;
  fields: Record<string, unknown>;
}

/** A record is written several times, and of an attachment that is there nothing changes any more that Multus reads. */
const knownFields = new WeakMap<JournalAttachment, KnownFields>();

function multusFieldsOf(attachment: JournalAttachment): Record<string, unknown> {
  const { steps, result } = attachment;
  const known = knownFields.get(attachment);
  if (known?.steps === steps && known.result === result) return known.fields;
  const fields = multusFields(attachment);
  knownFields.set(attachment, { steps, result, fields });
  return fields;
}

/** The part of a delegate that Multus reads to delete it. */
function multusFields(attachment: JournalAttachment): Record<string, unknown> {
  const { device } = attachment;
  const network = parseNetworkConfig(attachment.source, 'journalled configuration', { name: attachment.configName });
  const head = { cniVersion: attachment.cniVersion, name: attachment.configName };
  const plugins = network.plugins.map((plugin) => ({
    type: plugin.type,
    ...(Object.keys(plugin.capabilities).length > 0 ? { capabilities: plugin.capabilities } : {}),
    ipam: ipamType(plugin.config),
    dns: {},
  }));
  return {
    Conf: network.isList ? { ...head, type: '', ipam: {}, dns: {} } : { ...head, ...plugins[0] },
    ConfList: network.isList ? { ...head, plugins } : { plugins: null },
    Name: attachment.network,
    ifnameRequest: attachment.ifName,
    ...(attachment.requestedMac === '' ? {} : { macRequest: attachment.requestedMac }),
    ...(attachment.requestedIps.length === 0 ? {} : { ipRequest: attachment.requestedIps }),
    ...(device === undefined ? {} : { deviceID: device.id, resourceName: device.resourceName }),
    Bytes: Buffer.from(bytesForMultus(network, attachment)).toString('base64'),
  };
}

/** The file's text, with its checksum. */
export function formatRecord(record: JournalRecord): string {
  const { attachments, ...container } = record;
  const text = JSON.stringify(
    attachments.map((attachment, i) => ({
      multusNative: { ...(i === 0 ? { schema: SCHEMA, sum: NO_SUM, container } : {}), attachment },
      ...multusFieldsOf(attachment),
    })),
  );
  return withSum(text, sumOf(text));
}

/** The file was cut off or changed: what it held cannot be trusted any more. */
export class DamagedRecordError extends CniError {}

function problemText(path: string, problem: string): string {
  return `Cannot use journal file ${path}: ${problem}`;
}

/**
 * Read a file's text.
 * @throws DamagedRecordError (105) when it is not JSON, no record or its checksum is wrong; CniError 105 when a later
 *   version wrote it.
 */
export function parseRecord(text: string, path: string): JournalRecord {
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch (error) {
    const problem = 'it is not JSON; it was cut off or overwritten'; // the reason would quote it
    throw new DamagedRecordError(CniCode.stateFailure, problemText(path, problem), { cause: error });
  }
  const own = (Array.isArray(entries) ? entries : []).map((entry) => entry?.multusNative);
  const head = own[0] ?? undefined;
  if (head === undefined) {
    const problem = 'it names no attachment of multus-native or of Multus';
    throw new DamagedRecordError(CniCode.stateFailure, problemText(path, problem));
  }
  if (head.schema !== SCHEMA) {
    const problem = `its schema is ${head.schema}, this version knows ${SCHEMA}; use the version that wrote it`;
    throw new CniError(CniCode.stateFailure, problemText(path, problem));
  }
  if (sumOf(text) !== SUM_PATTERN.exec(text)?.[2]) {
    const problem = 'its checksum is wrong; it was changed or damaged';
    throw new DamagedRecordError(CniCode.stateFailure, problemText(path, problem));
  }
  const { source } = head.container; // an earlier version knew fewer of its fields
  const attachments = own.map(({ attachment: { detachFailures = 0, ...rest } }) => ({ ...rest, detachFailures }));
  return { ...head.container, source: sourceSettings(source), attachments };
}
