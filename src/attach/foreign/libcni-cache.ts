/**
 * What libcni, with which Multus runs its delegates, keeps of every attachment that succeeded:
 * `<cniDir>/results/<network>-<container>-<interface>`, with the configuration, the arguments and the result of ADD.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CniError } from '../../cni/errors.ts';
import { plainNameRule } from '../../cni/names.ts';
import { decodeUtf8, RawObject } from '../../cni/raw-json.ts';
import { ConfigKeys } from '../../pod/config-keys.ts';

/** Where libcni kept results before a plugin could name another folder: `<network>-<container>`, the bare result. */
const OLD_CACHE = '/var/lib/cni/results';

export interface CachedAttachment {
  /** The cache file. */
  path: string;
  /** When the attachment was made. */
  writtenAt: Date;
  containerId: string;
  /** `name` of the CNI configuration. */
  network: string;
  ifName: string;
  /** CNI_NETNS of ADD. */
  netns: string;
  /** Text of the configuration; without the plugins that libcni read from the folder of a list. */
  config: string;
  args: [string, string][];
  capabilityArgs: Record<string, unknown>;
  /** JSON text. */
  result: string;
}

function isPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string');
}

/** @throws CniError when it is not such a file */
function parseCached(text: string, path: string): CachedAttachment {
  const what = `result cache ${path}`;
  const file = RawObject.parse(text, what);
  const keys = new ConfigKeys(file, what);
  if (keys.text('kind', '') !== 'cniCacheV1') throw keys.refuse('kind', '"cniCacheV1"', file.value('kind'));
  const containerId = keys.text('containerId', '');
  const rule = plainNameRule(containerId); // it becomes the name of a file
  if (rule !== undefined) throw keys.refuse('containerId', `a container ID (${rule})`, containerId);
  const args = file.value('cniArgs') ?? [];
  return {
    path,
    writtenAt: statSync(path).mtime,
    containerId,
    network: keys.text('networkName', ''),
    ifName: keys.text('ifName', ''),
    netns: keys.text('netns', ''),
    config: decodeUtf8(Buffer.from(keys.text('config', ''), 'base64'), what),
    args: Array.isArray(args) ? args.filter(isPair) : [],
    capabilityArgs: keys.record('capabilityArgs') ?? {},
    result: file.object('result', what)?.text ?? '',
  };
}

function namesIn(directory: string): string[] {
  if (!existsSync(directory)) return []; // as before most ADDs: no error is made for it
  try {
    return readdirSync(directory);
  } catch {
    return []; // Multus makes the folder with the first attachment; without it every source that is left is tried
  }
}

/** undefined for what cannot be used: this is a second source, which libcni writes in place. */
function unlessBroken<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CniError || (error as NodeJS.ErrnoException).code !== undefined) return undefined;
    throw error;
  }
}

/** The attachments in a cache, all or those of one container, in the order in which they were made. */
export function readCachedAttachments(directory: string, containerId?: string): CachedAttachment[] {
  const names = namesIn(directory).filter((name) => containerId === undefined || name.includes(`-${containerId}-`));
  return names
    .map((name) => unlessBroken(() => parseCached(readFileSync(join(directory, name), 'utf8'), join(directory, name))))
    .filter((cached) => cached !== undefined)
    .filter((cached) => containerId === undefined || cached.containerId === containerId)
    .sort((a, b) => a.writtenAt.getTime() - b.writtenAt.getTime());
}

/** Where the TKE fork's libcni keeps the result of a network; undefined when the name cannot be part of a path. */
export function oldResultPath(network: string, containerId: string): string | undefined {
  return plainNameRule(network) === undefined ? join(OLD_CACHE, `${network}-${containerId}`) : undefined;
}

/** The JSON text of a result that old libcni kept, '' when there is none. */
export function readOldResult(path: string): string {
  return unlessBroken(() => RawObject.parse(readFileSync(path, 'utf8'), path).text) ?? '';
}
