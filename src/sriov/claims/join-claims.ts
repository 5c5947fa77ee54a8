/** Several sources on the same container: what one of them knows, the others' claims get to know. */
import type { VfClaim } from '../model.ts';

type Known = Pick<VfClaim, 'containerId' | 'pod' | 'network' | 'ifName' | 'netnsPath' | 'netns' | 'isEnded'>;

/** The only one that fits; undefined when none does, or nobody can tell which. */
function only(claims: readonly VfClaim[], fits: (claim: VfClaim) => boolean): VfClaim | undefined {
  const found = claims.filter(fits);
  return found.length === 1 ? found[0] : undefined;
}

/** sriov-cni's cache and the journal have the same key. */
function withJournal(cache: VfClaim, journal: readonly VfClaim[], pods: ReadonlyMap<string, string>): VfClaim {
  const { containerId, ifName } = cache;
  const same = only(journal, (one) => one.containerId === containerId && one.ifName === ifName);
  if (same === undefined) return { ...cache, pod: pods.get(containerId) ?? '' };
  const { pod, network, netnsPath, netns, isEnded } = same;
  return { ...cache, pod, network, netnsPath, netns, isEnded };
}

/** A file that names VF and namespace is of the container whose namespace it is, else of whom the VF's only cache is of. */
function ownerOf(file: VfClaim, caches: readonly VfClaim[], journal: readonly VfClaim[]): Known | undefined {
  const { address, netnsPath } = file;
  return (
    only(journal, (one) => one.address === address && one.netnsPath === netnsPath) ??
    only(caches, (one) => one.address === address && (one.netnsPath === '' || one.netnsPath === netnsPath))
  );
}

/**
 * sriov-cni's files with pods, networks and namespaces as the journal has them, and what the files know of each other.
 * @param files claims of sources 'pci-file' and 'sriov-cache'
 * @param pods "namespace/name" by container, also of containers without VFs in the journal
 */
export function joinFiles(
  files: readonly VfClaim[],
  journal: readonly VfClaim[],
  pods: ReadonlyMap<string, string>,
): VfClaim[] {
  const caches = files
    .filter(({ source }) => source === 'sriov-cache')
    .map((cache) => withJournal(cache, journal, pods));
  const pciFiles = files.filter(({ source }) => source === 'pci-file');
  const owned = pciFiles.map((file) => {
    const owner = ownerOf(file, caches, journal);
    if (owner === undefined) return file;
    const { containerId, pod, network, ifName, isEnded } = owner;
    return { ...file, containerId, pod, network, ifName, isEnded };
  });
  const placed = caches.map((cache) => {
    if (cache.netnsPath !== '') return cache;
    const file = only(owned, (one) => one.address === cache.address && one.containerId === cache.containerId);
    return file === undefined ? cache : { ...cache, netnsPath: file.netnsPath };
  });
  return [...owned, ...placed];
}
