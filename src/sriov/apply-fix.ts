/** Makes one change of `--fix`, when what it is about still is what was looked at: it may be a pod's by now. */
import { closeSync, lstatSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { CniCode, CniError } from '../cni/errors.ts';
import { type NativeLink, type NativeNetns, native } from '../node/native.ts';
import { pciAddress } from './claims/claim.ts';
import { pciFilePath } from './claims/sriov-cni-files.ts';
import type { FixAction, PlacedLink } from './model.ts';
import { processesIn } from './netns-users.ts';
import { vfChanges } from './vf-changes.ts';

/** That of pid 1; ours where that one may not be looked at. */
function openHost(): NativeNetns {
  try {
    return native().openNetns('/proc/1/ns/net');
  } catch {
    return native().openNetns('/proc/self/ns/net');
  }
}

/** It is better not done. */
function refuse(why: string): CniError {
  return new CniError(CniCode.verificationFailed, `not done: ${why}; look again`);
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

/** The namespace that was looked at, not another one at its path. */
function openSame({ dev, ino, path }: PlacedLink['netns']): NativeNetns {
  let netns: NativeNetns;
  try {
    netns = native().openNetns(path);
  } catch (error) {
    throw refuse(`the network namespace ${path} cannot be opened any more (${(error as Error).message})`);
  }
  if (String(netns.dev) === dev && String(netns.ino) === ino) return netns;
  closeSync(netns.fd);
  throw refuse(`${path} is another network namespace by now`);
}

/** The link that was looked at, not another one at its index. */
async function sameLink(socket: number, { link, netns }: PlacedLink): Promise<NativeLink> {
  let now: NativeLink;
  try {
    now = await native().getLink(socket, link.index);
  } catch (error) {
    if (codeOf(error) === 'ENODEV') throw refuse(`${link.name} is not in ${netns.path} any more`);
    throw error;
  }
  const isSame = now.name === link.name && now.mac === link.mac && now.parentDevice === link.parentDevice;
  if (isSame) return now;
  throw refuse(`${link.name} (${link.mac}) in ${netns.path} is ${now.name} (${now.mac}) by now`);
}

/** Work on a link in its namespace. */
async function onLink<T>(place: PlacedLink, work: (socket: number, link: NativeLink) => Promise<T>): Promise<T> {
  const netns = openSame(place.netns);
  try {
    const socket = native().openSocket(netns.fd);
    try {
      return await work(socket, await sameLink(socket, place));
    } finally {
      closeSync(socket);
    }
  } finally {
    closeSync(netns.fd);
  }
}

/** RT_SCOPE_LINK: those from here on come by themselves. */
const OWN_SCOPE = 253;

/** A VF on the host may be the host's own: with an address, in a bridge or bond, or with VLANs or macvlans on it. */
async function checkIdle(place: PlacedLink): Promise<void> {
  await onLink(place, async (socket, { index, name, masterIndex }) => {
    const { links, addresses } = await native().snapshot(socket);
    const master = links.find((one) => masterIndex !== 0 && one.index === masterIndex);
    if (master !== undefined) throw refuse(`${name} is a part of ${master.name}`);
    const upper = links.find(({ parentIndex, parentNsid }) => parentIndex === index && parentNsid < 0);
    if (upper !== undefined) throw refuse(`${upper.name} is on top of ${name}`);
    const own = addresses.find((one) => one.index === index && one.scope < OWN_SCOPE);
    if (own !== undefined) throw refuse(`${name} has the address ${own.address}: the host itself uses it`);
  });
}

/** Who is in the namespace uses the link. */
function checkUnused({ netns, link }: PlacedLink): void {
  if (netns.isHost) return;
  const [pid] = processesIn(netns);
  if (pid === undefined) return;
  throw refuse(`a program (process ${pid}) runs in ${netns.path}, and may use ${link.name}: its pod lives`);
}

/** All that can be set is set, whatever fails. */
async function setVf({ pf, vf, settings, places }: FixAction & { kind: 'set-vf' }): Promise<void> {
  for (const place of [pf, ...places]) checkUnused(place); // a pod may have the whole PF
  for (const place of places) await checkIdle(place);
  await onLink(pf, async (socket, { index, name }) => {
    const now = (await native().getVfs(socket, index)).vfs.find((one) => one.index === vf);
    if (now === undefined) throw refuse(`${name} reports no VF ${vf} any more`);
    const failures: string[] = [];
    for (const change of vfChanges(settings, now)) {
      await native()
        .setVf(socket, index, vf, change)
        .catch((error: Error) => failures.push(`${JSON.stringify(change)}: ${error.message}`));
    }
    if (failures.length > 0) throw new CniError(CniCode.ioFailure, failures.join('; '));
  });
}

/** A VF's link is never one with VFs of its own. */
async function checkNoPf(socket: number, { index, name }: NativeLink): Promise<void> {
  const { numVfs } = await native().getVfs(socket, index);
  if ((numVfs ?? 0) > 0) throw refuse(`${name} is a physical function with ${numVfs} VFs`);
}

async function rename({ place, name }: FixAction & { kind: 'rename' }): Promise<void> {
  await onLink(place, async (socket, link) => {
    await checkNoPf(socket, link);
    await native().renameLink(socket, link.index, name);
  });
}

async function moveToHost({ place, name }: FixAction & { kind: 'move-to-host' }): Promise<void> {
  checkUnused(place);
  await onLink(place, async (socket, link) => {
    await checkNoPf(socket, link);
    const host = openHost();
    try {
      await native().moveLink(socket, link.index, host.fd, name);
    } finally {
      closeSync(host.fd);
    }
  });
}

/** Only files of sriov-cni: `<folder>/<container>-<interface>` and `<folder>/pci/<address>`. */
function removeFile(path: string, folder: string): void {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const isCache = path === resolve(folder, name) && name.includes('-');
  const isPciFile = pciAddress(name) !== '' && path === resolve(pciFilePath(folder, name));
  if (!isCache && !isPciFile) throw refuse(`${path} is no file of sriov-cni in ${folder}`);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw refuse(`${path} is gone already`);
  if (!stat.isFile()) throw refuse(`${path} is no regular file any more`);
  rmSync(path);
}

/**
 * @param sriovDir sriov-cni's folder: no other files are removed
 * @throws CniError 102 when it is not, or not surely, what was looked at; CniError 5 for settings that a driver refuses;
 *   errors of the system
 */
export async function applyFix(action: FixAction, { sriovDir }: { sriovDir: string }): Promise<void> {
  switch (action.kind) {
    case 'set-vf':
      return setVf(action);
    case 'rename':
      return rename(action);
    case 'move-to-host':
      return moveToHost(action);
    case 'remove-file':
      return removeFile(action.path, sriovDir);
  }
}
