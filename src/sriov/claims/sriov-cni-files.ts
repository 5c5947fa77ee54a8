/** What sriov-cni keeps on a node of the VFs that pods have: its caches, and a file per VF that names a namespace. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CniError } from '../../cni/errors.ts';
import { quote } from '../../cni/quote.ts';
import { readSmallFile, UnusableFileError } from '../../node/small-file.ts';
import { systemReason } from '../../node/system-reason.ts';
import type { VfClaim } from '../model.ts';
import { type Claims, claimOf, joined, pciAddress } from './claim.ts';
import { parseSriovCache } from './sriov-cache.ts';

export const DEFAULT_SRIOV_DIR = '/var/lib/cni/sriov';

/** A configuration is a few kilobytes. */
const MAX_CACHE_BYTES = 2 ** 20;
/** PATH_MAX. */
const MAX_PATH_BYTES = 4096;

const NONE: Claims = { claims: [], problems: [] };

/** Where sriov-cni writes down who has a VF: its content is the path of a namespace. */
export function pciFilePath(folder: string, address: string): string {
  return join(folder, 'pci', address);
}

/** The file that sriov-cni locks (flock) while it works on a VF. */
export function vfLockPath(folder: string, address: string): string {
  return join(folder, 'pci', 'vf_lock', `${address}.lock`);
}

function parsePciFile(text: string, path: string): VfClaim {
  const netnsPath = text.trim();
  if (!netnsPath.startsWith('/') || /[\0\n]/.test(netnsPath)) {
    throw new UnusableFileError(`it must be the path of a network namespace, got ${quote(netnsPath)}`);
  }
  const name = path.slice(path.lastIndexOf('/') + 1);
  const address = pciAddress(name);
  if (address === '') throw new UnusableFileError(`its name must be a PCI address, got ${quote(name)}`);
  return claimOf('pci-file', path, { address, netnsPath });
}

/** One file as a claim; a file that went away meanwhile says nothing. */
function readOne(path: string, maxBytes: number, parse: (text: string, path: string) => VfClaim): Claims {
  try {
    const text = readSmallFile(path, maxBytes);
    return text === undefined ? NONE : { claims: [parse(text, path)], problems: [] };
  } catch (error) {
    if (error instanceof CniError) return { claims: [], problems: [error.message] };
    const reason = error instanceof UnusableFileError ? error.message : systemReason(error);
    return { claims: [], problems: [`Cannot use ${path}: ${reason}`] };
  }
}

/** Everything in a folder but folders; a folder that is not there has nothing. */
function readFolder(folder: string, maxBytes: number, parse: (text: string, path: string) => VfClaim): Claims {
  let names: string[];
  try {
    names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NONE;
    return { claims: [], problems: [`Cannot list ${folder}: ${systemReason(error)}`] };
  }
  return joined(names.map((name) => readOne(join(folder, name), maxBytes, parse)));
}

/**
 * Read sriov-cni's files as they are at this moment, without its locks. Never throws.
 * @param folder `/var/lib/cni/sriov`, or "cniDir" of the plugin's configuration
 * @param known IDs of containers that others know: which part of a cache's name is one
 */
export function readSriovCniFiles(folder: string, known: readonly string[] = []): Claims {
  const ofFiles = readFolder(join(folder, 'pci'), MAX_PATH_BYTES, parsePciFile);
  const caches = readFolder(folder, MAX_CACHE_BYTES, (text, path) => parseSriovCache(text, path, known));
  return joined([ofFiles, caches]);
}
