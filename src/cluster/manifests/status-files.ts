/**
 * The status of a folder's pods: `<folder>/status/<namespace>_<pod>.json`, each a Pod object whose annotations tell what
 * the pod got. A name too long for a file ends in a hash. The folder's readers do not look into it.
 */
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CniCode, CniError } from '../../cni/errors.ts';
import { plainNameRule } from '../../cni/names.ts';
import { quote } from '../../cni/quote.ts';
import type { PodStatus, StatusKey } from '../source.ts';

/** Annotation with the container that the status is of: a late DEL of an earlier one must not take it away. */
const CONTAINER_ANNOTATION = 'multus-native/container-id';

/** Bytes of a file name. A namespace has up to 63 and a pod up to 253. */
const LONGEST_NAME = 255;
const HASH_DIGITS = 32;

interface StatusPaths {
  folder: string;
  file: string;
  /** The container's own: it is written here first, and comes here before it is removed. */
  temporary: string;
}

/**
 * The part before the suffix is cut where that is too long, and ends in a hash of the whole then; pods of a cluster have
 * no "_" in their names, so that none has such a name by itself. @param stem of ASCII
 */
function fileName(stem: string, suffix: string): string {
  const room = LONGEST_NAME - suffix.length;
  if (stem.length <= room) return stem + suffix;
  const end = `_${createHash('sha256').update(stem).digest('hex').slice(0, HASH_DIGITS)}`;
  return stem.slice(0, room - end.length) + end + suffix;
}

/** Namespace and pod come from CNI_ARGS, which nobody has checked against a cluster. */
function pathsOf(directory: string, { namespace, name, containerId }: StatusKey): StatusPaths {
  for (const [what, value] of [
    ['namespace', namespace],
    ['pod', name],
  ] as const) {
    const rule = plainNameRule(value);
    if (rule !== undefined) {
      throw new CniError(CniCode.invalidEnvironment, `Cannot use ${what} ${quote(value)} in a file name: ${rule}`);
    }
  }
  const folder = join(directory, 'status');
  const file = join(folder, fileName(`${namespace}_${name}`, '.json'));
  return { folder, file, temporary: join(folder, fileName(`.${containerId}`, '.tmp')) };
}

function hasCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code;
}

/** For what is left of a failure, which is the one to be told. */
function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // the same reason again
  }
}

function statusText({ namespace, name, uid, containerId, annotations }: PodStatus): string {
  const metadata = {
    namespace,
    name,
    ...(uid === '' ? {} : { uid }),
    annotations: { ...annotations, [CONTAINER_ANNOTATION]: containerId },
  };
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata }, null, 2)}\n`;
}

/**
 * Write a pod's status so that readers find the old or the new one, whole. The folder of manifests itself is not made:
 * one that is missing must stay unknown.
 * @throws CniError 5, or 4 when the pod's name is no file name
 */
export function writeStatus(directory: string, status: PodStatus): void {
  const { folder, file, temporary } = pathsOf(directory, status);
  try {
    try {
      mkdirSync(folder);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    writeFileSync(temporary, statusText(status), { mode: 0o644 });
    renameSync(temporary, file);
  } catch (error) {
    discard(temporary);
    throw new CniError(CniCode.ioFailure, `Cannot write status file ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Is the file there, and of this container? */
function isOf(path: string, containerId: string): boolean {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))?.metadata?.annotations?.[CONTAINER_ANNOTATION] === containerId;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return false;
    throw error;
  }
}

/**
 * Remove a pod's status when it is of this container. It is taken out of its place before it is removed, and put back
 * when another program has written a newer container's meanwhile.
 * @throws CniError 5, or 4 when the pod's name is no file name
 */
export function removeStatus(directory: string, key: StatusKey): void {
  const { file, temporary } = pathsOf(directory, key);
  try {
    if (isOf(file, key.containerId)) {
      renameSync(file, temporary);
      if (!isOf(temporary, key.containerId)) putBack(temporary, file);
    }
    rmSync(temporary, { force: true });
  } catch (error) {
    throw new CniError(CniCode.ioFailure, `Cannot remove status file ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Unless there is one that is newer still. */
function putBack(temporary: string, file: string): void {
  try {
    linkSync(temporary, file);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}
