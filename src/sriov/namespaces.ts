/** The network namespaces that live on this node, as processes and bind mounts tell of them. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { LiveNetns } from './model.ts';

export interface NamespaceOptions {
  /** @default '/proc' */
  proc?: string;
  /** Folders whose files are namespaces. @default ['/run/netns', '/var/run/docker/netns'] */
  netnsDirs?: readonly string[];
}

/** A namespace, and every path that led there. */
export interface FoundNetns extends LiveNetns {
  /** `path` first: a process may end while we look. */
  paths: string[];
}

const NETNS_DIRS = ['/run/netns', '/var/run/docker/netns'];

/** They say that something is not there, or not any more: processes end. */
const GONE = new Set(['ENOENT', 'ESRCH', 'ENOTDIR']);

/**
 * Did the process end, or was the mount removed? Of a process that ended since it was opened the kernel says EACCES
 * (proc_ns_get_link), which it says of those of others, too.
 */
export function isGone(error: unknown, path: string): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return GONE.has(code) || (code === 'EACCES' && !existsSync(dirname(path)));
}

interface FileIdentity {
  dev: string;
  ino: string;
}

/** undefined when nothing is there. @throws Error of the system when it may not be looked at */
function identityOf(path: string): FileIdentity | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return { dev: String(dev), ino: String(ino) };
  } catch (error) {
    if (isGone(error, path)) return undefined;
    throw error;
  }
}

/** Names in a folder; none where there is no such folder. @throws Error of the system when it may not be read */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (GONE.has((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

/** Paths that may lead to namespaces; names of people's choice before process IDs, low ones first: they live longest. */
function candidates({ proc = '/proc', netnsDirs = NETNS_DIRS }: NamespaceOptions, problems: string[]): string[] {
  const named = netnsDirs.flatMap((folder) => {
    try {
      return namesIn(folder)
        .sort()
        .map((name) => join(folder, name));
    } catch (error) {
      problems.push(`Cannot look for namespaces in ${folder}: ${(error as Error).message}`);
      return [];
    }
  });
  const pids = namesIn(proc)
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(a) - Number(b));
  return [...named, ...pids.map((pid) => join(proc, pid, 'ns/net'))];
}

/**
 * Every network namespace that a process is in or that a bind mount keeps, once. Missing are those that only an open
 * file or a socket keeps.
 * @returns ours first; `problems`: what could not be looked at
 * @throws Error of the system when there is no /proc
 */
export function findNamespaces(options: NamespaceOptions = {}): { namespaces: FoundNetns[]; problems: string[] } {
  const { proc = '/proc' } = options;
  const problems: string[] = [];
  const own = identityOf(join(proc, 'self/ns/net'));
  if (own === undefined) throw new Error(`Cannot find our own network namespace: ${proc}/self/ns/net is not there`);
  const found = new Map<string, FoundNetns>();
  const refused = new Set<string>();
  const add = (path: string, isHost: boolean): void => {
    let identity: FileIdentity | undefined;
    try {
      identity = identityOf(path);
    } catch {
      refused.add(path);
      return;
    }
    // All namespaces are on one file system of the kernel's: another one has files that were left behind.
    if (identity === undefined || identity.dev !== own.dev) return;
    const known = found.get(identity.ino);
    if (known === undefined) found.set(identity.ino, { ...identity, path, isHost, paths: [path] });
    else known.paths.push(path);
  };
  for (const pid of ['1', 'self']) add(join(proc, pid, 'ns/net'), true);
  for (const path of candidates(options, problems)) add(path, false);
  const [first] = refused;
  if (first !== undefined) {
    const others = refused.size > 1 ? ` and ${refused.size - 1} more` : '';
    problems.push(
      `Cannot look at ${first}${others}: permission denied; it takes root of the node, with CAP_SYS_PTRACE`,
    );
  }
  const isOurs = ({ ino }: FoundNetns): boolean => ino === own.ino;
  const namespaces = [...found.values()].sort((a, b) => Number(isOurs(b)) - Number(isOurs(a)));
  return { namespaces, problems };
}
