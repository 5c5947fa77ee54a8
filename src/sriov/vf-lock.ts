/** sriov-cni's own lock on one VF, so that the plugin does not give it to a pod while we change it. */
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CniCode, CniError } from '../cni/errors.ts';
import { makeFolder } from '../node/make-folder.ts';
import { native } from '../node/native.ts';
import { vfLockPath } from './claims/sriov-cni-files.ts';

const PAUSE_MS = 50;
const LIMIT_MS = 10_000;

function openLock(path: string): number {
  makeFolder(dirname(path), 0o700);
  return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
}

async function waitFor(fd: number, path: string, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!native().tryLockFile(fd)) {
    if (Date.now() > deadline) {
      const who = 'a plugin is at work on the VF';
      throw new CniError(CniCode.tryAgainLater, `Cannot lock ${path} within ${limitMs / 1000} s: ${who}; try again`);
    }
    await delay(PAUSE_MS);
  }
}

/**
 * Work while sriov-cni cannot. Without its folder there is nobody to be kept out, nor is there where VFs have no address.
 * @param folder sriov-cni's
 * @throws CniError 11 when the plugin does not end in time; system errors of open(2); what `work` throws
 */
export async function withVfLock<T>(
  { folder, address, limitMs = LIMIT_MS }: { folder: string; address: string; limitMs?: number },
  work: () => Promise<T>,
): Promise<T> {
  if (address === '' || !existsSync(folder)) return work();
  const path = vfLockPath(folder, address);
  const fd = openLock(path);
  try {
    await waitFor(fd, path, limitMs);
    return await work();
  } finally {
    closeSync(fd);
  }
}
