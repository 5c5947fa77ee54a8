/** Do the files of those who give VFs to containers agree with each other, and with the kernel? */
import { isSameNetns, saysWhoHasIt, sourceOf } from '../claims-of.ts';
import { moveToHost, removeFile } from '../mend.ts';
import type { Check, VfClaim } from '../model.ts';
import { type Audited, check } from './check.ts';
import { hostNameOf } from './host-name.ts';

/** What keeps sriov-cni from giving a VF out. */
function pciFileProblem(audited: Audited, file: VfClaim): Check | undefined {
  const { vf, claims, isIdle } = audited;
  const { netns, netnsPath, origin } = file;
  const known = { actual: netnsPath, source: sourceOf(file) };
  if (netns === undefined) {
    // sriov-cni only looks whether a namespace is there, and process IDs are given anew.
    const unless = netnsPath.startsWith('/proc/') ? ', unless the process ID is another program’s by now' : '';
    const message = `is allocated to the namespace ${netnsPath}, which is gone; the next ADD writes the file anew${unless}`;
    return check('pci-file', 'warn', message, { ...known, expected: 'no file', fix: removeFile(origin, isIdle) });
  }
  const found = vf.places.map((place) => place.netns);
  const elsewhere = found.length > 0 && !found.some((place) => isSameNetns(place, netns));
  if (elsewhere) {
    const paths = found.map(({ path }) => path).join(', ');
    const message = `is in ${paths}, but allocated to ${netnsPath}, which lives: sriov-cni refuses to give it out`;
    return check('pci-file', 'fail', message, { ...known, expected: paths, fix: removeFile(origin, isIdle) });
  }
  if (claims.some(({ source }) => source === 'sriov-cache')) return undefined;
  const message =
    'is allocated by sriov-cni, but no cache says to whom: no DEL will take it back, ' +
    'only the end of its namespace, and that with the settings that it has';
  const place = vf.places.find((one) => isSameNetns(one.netns, netns));
  const fix = place && moveToHost(place, hostNameOf(audited), true); // which refuses while a program is in the namespace
  return check('pci-file', 'fail', message, { ...known, expected: 'a cache', fix });
}

/** @returns "pci-file": sriov-cni's file that names the VF's namespace */
export function pciFileCheck(audited: Audited): Check {
  const file = audited.claims.find(({ source }) => source === 'pci-file');
  if (file === undefined) return check('pci-file', 'skipped', 'has no file of sriov-cni that names its namespace');
  const known = { expected: file.netnsPath, actual: file.netnsPath, source: sourceOf(file) };
  return (
    pciFileProblem(audited, file) ?? check('pci-file', 'pass', `is allocated to the namespace in which it is`, known)
  );
}

/** @returns "cache-file": sriov-cni's file of what it has to give back */
export function cacheFileCheck({ claims, holders }: Audited): Check {
  const caches = claims.filter(({ source }) => source === 'sriov-cache');
  const [first] = caches;
  if (first === undefined) return check('cache-file', 'skipped', 'has no cache of sriov-cni');
  const stale = caches.find((cache) => !holders.includes(cache));
  if (stale === undefined) return check('cache-file', 'pass', 'is what its cache says', { source: sourceOf(first) });
  const message = `has a cache of container ${stale.containerId}, which has it no longer: no DEL has come`;
  // The daemon's DEL is still to come then, and without the cache the plugin would not give the address back.
  const isOurs = claims.some(({ source, containerId }) => source === 'journal' && containerId === stale.containerId);
  return check('cache-file', 'warn', message, { source: sourceOf(stale), fix: removeFile(stale.origin, !isOurs) });
}

/** @returns "double-claim": one VF, several containers */
export function doubleClaimCheck({ holders }: Audited): Check {
  const byContainer = new Map<string, VfClaim>();
  for (const holder of holders.filter(saysWhoHasIt)) {
    if (holder.containerId !== '') byContainer.set(holder.containerId, holder);
  }
  if (byContainer.size < 2) return check('double-claim', 'pass', 'is in one container at most');
  const owners = [...byContainer].map(([id, { pod, origin }]) => `${pod || id} (${origin})`).join(' and ');
  const message = `is claimed by several containers: ${owners}`;
  return check('double-claim', 'fail', message, { expected: 'one container', actual: owners });
}
