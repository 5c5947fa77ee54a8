/**
 * Which network namespace a record's attachments are in. No delegate ever gets one that is not certainly the
 * container's: it gets an empty CNI_NETNS then, and releases what it keeps elsewhere (CNI spec, DEL).
 */
import { statSync } from 'node:fs';
import { parse } from 'node:path';
import { parseResult } from '../cni/result.ts';
import { bootId } from '../node/boot-id.ts';
import { Netns, type NetnsIdentity, netnsIdentity, sameNetns } from '../node/netns.ts';
import type { ForeignRecord } from './foreign/foreign-state.ts';
import type { CachedAttachment } from './foreign/libcni-cache.ts';
import type { JournalRecord } from './journal-record.ts';

export interface RecordNetns {
  path: string;
  identity: NetnsIdentity;
}

/** Nobody knows which namespace it was, or it is gone. */
export const NO_NETNS: RecordNetns = { path: '', identity: { dev: '', ino: '', cookie: '' } };

/** System errors that say what lies at the path; any other (EMFILE, EACCES, …) says nothing of the namespace. */
const TELLING = ['ENOENT', 'ENOTDIR', 'EINVAL'];

const causeOf = (error: unknown): string | undefined =>
  ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code;

/** undefined when no namespace of a pod lies there. @throws CniError 8 when it cannot be told */
export async function openIfThere(path: string): Promise<Netns | undefined> {
  if (path === '') return undefined;
  try {
    return await Netns.open(path);
  } catch (error) {
    const code = causeOf(error);
    if (code !== undefined && !TELLING.includes(code)) throw error;
    return undefined;
  }
}

/**
 * The record's namespace, when it still is the one that the ADD worked on; not when the path is gone, or belongs to
 * another namespace by now or to the host.
 * @param opened a namespace that is open already; the record's is not opened anew when it is this one
 * @throws CniError 8 when it cannot be told
 */
export async function openRecordNetns(record: JournalRecord, opened?: Netns): Promise<Netns | undefined> {
  const isRecords = record.bootId === bootId() && opened?.isAt(record.netnsPath) === true;
  if (!isRecords) opened?.close(); // it would keep a namespace alive that is taken for gone
  if (record.bootId !== bootId()) return undefined;
  const netns = isRecords ? opened : await openIfThere(record.netnsPath);
  if (netns === undefined || sameNetns(netns.identity, record.netns)) return netns;
  netns.close();
  return undefined;
}

/** Is the path certainly gone? Only when its folder is there and it is not. */
export function isPathGone(path: string): boolean {
  if (statSync(parse(path).dir, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
  try {
    Netns.check(path);
    return false;
  } catch (error) {
    return causeOf(error) === 'ENOENT';
  }
}

/**
 * Is the record's namespace certainly gone? Only when its path is, or when another network namespace lies there: a
 * daemon that does not see the node's namespaces (a missing mount, an empty file in its place) must not take every pod
 * for dead.
 */
export function isNetnsGone(record: JournalRecord): boolean {
  if (record.bootId !== bootId() || isPathGone(record.netnsPath)) return true;
  try {
    return !sameNetns(netnsIdentity(record.netnsPath), record.netns);
  } catch {
    return false;
  }
}

/** The same of a container that another program attached: libcni's cache has the path, and no identity. */
export function isForeignNetnsGone({ cached }: ForeignRecord): boolean {
  return cached.length > 0 && cached.every(({ netns }) => netns !== '' && isPathGone(netns));
}

/** The namespace that the runtime names, when libcni's cache has no path that leads elsewhere. */
async function requestedNetns({ cached }: ForeignRecord, path: string): Promise<RecordNetns | undefined> {
  const named = await openIfThere(path);
  if (named === undefined) return undefined;
  named.close();
  const others = new Set(cached.map(({ netns }) => netns).filter((netns) => netns !== path));
  for (const other of others) {
    const netns = await openIfThere(other);
    netns?.close();
    if (netns === undefined || !sameNetns(netns.identity, named.identity)) return undefined;
  }
  return { path, identity: named.identity };
}

/** `<name> <MAC>` of the interfaces in the pod that an attachment's result names. */
function interfacesOf({ result, network }: CachedAttachment): string[] {
  try {
    const { interfaces } = parseResult(result, `cached result of network "${network}"`, '1.0.0');
    return interfaces.filter(({ sandbox }) => sandbox !== undefined).map(({ name, mac }) => `${name} ${mac ?? ''}`);
  } catch {
    return []; // damaged
  }
}

/** The namespace at the path in libcni's cache, when a link of the container is in it: a path may be given anew. */
async function cachedNetns({ cached }: ForeignRecord): Promise<RecordNetns | undefined> {
  const path = cached[0]?.netns ?? '';
  const netns = await openIfThere(path);
  if (netns === undefined) return undefined;
  try {
    const present = (await netns.links()).map(({ name, mac }) => `${name} ${mac}`);
    const isTheirs = cached.flatMap(interfacesOf).some((one) => present.includes(one));
    return isTheirs ? { path, identity: netns.identity } : undefined;
  } finally {
    netns.close();
  }
}

/**
 * The namespace of a container that another program attached.
 * @param path CNI_NETNS, where a request names one
 * @throws CniError 8 when it cannot be told
 */
export async function netnsOfForeign(foreign: ForeignRecord, path = ''): Promise<RecordNetns> {
  return (await requestedNetns(foreign, path)) ?? (await cachedNetns(foreign)) ?? NO_NETNS;
}
