/** Which of the namespaces that claims name still live. */
import { statSync } from 'node:fs';
import { isSameNetns } from './claims-of.ts';
import type { Inventory, VfClaim } from './model.ts';

/** Every namespace's file is on this file system. */
const OWN_NETNS = '/proc/self/ns/net';

/** The namespace that a path leads to, undefined when that is none, any more. @throws what stat has but "not there" */
function netnsAt(path: string): { dev: string; ino: string } | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined || stat.dev !== statSync(OWN_NETNS, { bigint: true }).dev) return undefined;
  return { dev: String(stat.dev), ino: String(stat.ino) };
}

/**
 * Give every claim that names a namespace its identity when that lives, and none when it is gone. A path that leads to
 * another namespace than the one that was written down is of a container that is gone; so is one that leads to the host's:
 * no container has that, but /proc/PID of a container that ended may be a program's of the host by now.
 * @param problems gets a sentence for a path that could not be looked at: the claim counts as of a living namespace then
 * @param find tests
 */
export function locateClaims(
  claims: readonly VfClaim[],
  inventory: Inventory,
  problems: string[],
  find: typeof netnsAt = netnsAt,
): VfClaim[] {
  const hosts = inventory.namespaces.filter((one) => one.netns.isHost);
  const isHost = (netns: { dev: string; ino: string }): boolean => hosts.some((one) => isSameNetns(one.netns, netns));
  return claims.map((claim) => {
    const { netns, netnsPath } = claim;
    if (netns !== undefined && inventory.namespaces.some((one) => isSameNetns(one.netns, netns))) return claim;
    if (netnsPath === '') return { ...claim, netns: undefined };
    try {
      const found = find(netnsPath);
      const isSame = found !== undefined && (netns === undefined ? !isHost(found) : isSameNetns(found, netns));
      return { ...claim, netns: isSame ? found : undefined };
    } catch (error) {
      problems.push(
        `Cannot look at the network namespace ${netnsPath} of ${claim.origin}: ${(error as Error).message}`,
      );
      return { ...claim, netns: netns ?? { dev: '', ino: '' } };
    }
  });
}
