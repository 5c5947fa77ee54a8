/** Questions to the kernel about one network namespace, whoever it belongs to. */
import { closeSync, statSync } from 'node:fs';
import { type NativeLink, type NativeNetns, type NativeVfList, native } from '../node/native.ts';
import { type FoundNetns, isGone } from './namespaces.ts';

/** Answered in the namespace. One at a time. */
export interface NetnsQuestions {
  links(): Promise<NativeLink[]>;
  /** VFs of the PF whose link has this index. */
  vfs(index: number): Promise<NativeVfList>;
}

/** EINVAL: the file is no namespace's, any more: what was mounted on it is gone. */
function leadsElsewhere(error: unknown, path: string): boolean {
  return (error as NodeJS.ErrnoException).code === 'EINVAL' || isGone(error, path);
}

/** undefined when it is gone. @throws Error of the system when no path to it may be opened */
function open(found: FoundNetns): NativeNetns | undefined {
  let refusal: unknown;
  for (const path of found.paths) {
    try {
      const netns = native().openNetns(path);
      if (String(netns.ino) === found.ino) return netns;
      closeSync(netns.fd); // the process is in another one by now, or another process has its ID
    } catch (error) {
      if (!leadsElsewhere(error, path)) refusal ??= error;
    }
  }
  if (refusal !== undefined) throw refusal;
  return undefined;
}

/** Everybody may ask in the own namespace. */
function isOwn({ dev, ino }: NativeNetns): boolean {
  const own = statSync('/proc/self/ns/net', { bigint: true });
  return own.dev === dev && own.ino === ino;
}

/** A socket, and the number by which its namespace knows the one in question; none when the socket is inside. */
async function enter(netns: NativeNetns): Promise<{ socket: number; nsid: number | undefined }> {
  try {
    return { socket: native().openSocket(netns.fd), nsid: undefined };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error; // wants CAP_SYS_ADMIN there, and here
  }
  const socket = native().openSocket(-1);
  if (isOwn(netns)) return { socket, nsid: undefined };
  try {
    return { socket, nsid: await native().netnsId(socket, netns.fd) };
  } catch (error) {
    closeSync(socket);
    throw error;
  }
}

/**
 * Ask something in a namespace.
 * @returns undefined when the namespace is gone
 * @throws Error of the system when it may not be looked into, and what `ask` throws
 */
export async function inNetns<T>(
  found: FoundNetns,
  ask: (questions: NetnsQuestions) => Promise<T>,
): Promise<T | undefined> {
  const netns = open(found);
  if (netns === undefined) return undefined;
  try {
    const { socket, nsid } = await enter(netns);
    try {
      return await ask({
        links: () => native().listLinks(socket, nsid),
        vfs: (index) => native().getVfs(socket, index, nsid),
      });
    } finally {
      closeSync(socket);
    }
  } finally {
    closeSync(netns.fd);
  }
}
