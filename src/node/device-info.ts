/**
 * Device information files (NPWG Device Information Specification): a device plugin describes each of its devices in
 * one; the attachment that gets the device gets a copy under its own name, which its plugin may change and which
 * network-status tells.
 */
import { chmodSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CniCode, CniError } from '../cni/errors.ts';
import { describe } from '../cni/quote.ts';
import { makeFolder } from './make-folder.ts';

/** Everybody may read it, as the specification has it: it tells nothing that network-status does not. */
const FILE_MODE = 0o444;
const DIRECTORY_MODE = 0o755;

/** One file name, whatever stands in it: names come from pod authors and must not lead to another folder. */
function fileName(text: string): string {
  return text.replaceAll('/', '-').replaceAll('\0', '-');
}

/** Where a device plugin describes one of its devices. */
export function pluginDeviceInfoPath(directory: string, resourceName: string, deviceId: string): string {
  return join(directory, 'dp', fileName(`${resourceName}-${deviceId}-device.json`));
}

/** @param network name under which Multus knows the network, `namespace/name` of a definition */
export function deviceInfoPath(
  directory: string,
  { network, containerId, ifName }: { network: string; containerId: string; ifName: string },
): string {
  return join(directory, 'cni', fileName(`${network}-${containerId}_${ifName}`));
}

function ioError(action: string, path: string, error: unknown): CniError {
  return new CniError(CniCode.ioFailure, `Cannot ${action} device information ${path}: ${(error as Error).message}`, {
    cause: error,
  });
}

/** undefined when there is none. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw ioError('read', path, error);
  }
}

/** Multus makes this folder with mode 0: nobody but root could read what is in it. */
function makeDirectory(path: string): void {
  const isNew = makeFolder(path);
  if (isNew || (statSync(path).mode & 0o777) === 0) chmodSync(path, DIRECTORY_MODE);
}

/** Write a file as a whole, whatever is there. */
function replaceFile(path: string, text: string): void {
  makeDirectory(dirname(path));
  const draft = `${path}.tmp`;
  rmSync(draft, { force: true }); // of a copy that was cut short
  try {
    writeFileSync(draft, text);
    chmodSync(draft, FILE_MODE); // whatever our umask is
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/**
 * Copy what a device plugin wrote to where an attachment's plugin expects it; replaces what is there.
 * @returns false when the device plugin wrote nothing, as not every one does
 * @throws CniError 5
 */
export function copyDeviceInfo(from: string, to: string): boolean {
  const text = readText(from);
  if (text === undefined) return false;
  try {
    replaceFile(to, text);
  } catch (error) {
    throw ioError('write', to, error);
  }
  return true;
}

/**
 * What an attachment's file says, after its plugin has had it.
 * @returns undefined when there is none
 * @throws CniError 5 unreadable, 6 not a JSON object
 */
export function readDeviceInfo(path: string): Record<string, unknown> | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CniError(
      CniCode.decodingFailure,
      `Cannot parse device information ${path}: ${(error as Error).message}`,
      { cause: error },
    );
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new CniError(
    CniCode.decodingFailure,
    `Cannot use device information ${path}: it must be a JSON object, got ${describe(value)}`,
  );
}

/** Remove an attachment's file; it may be gone. @throws CniError 5 */
export function removeDeviceInfo(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw ioError('remove', path, error);
  }
}
