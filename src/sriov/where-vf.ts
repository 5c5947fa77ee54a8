/** Where a VF's network device is. */
import type { NativeLink } from '../node/native.ts';
import { inNetns } from './in-netns.ts';
import type { PlacedLink } from './model.ts';
import { findNamespaces, type NamespaceOptions } from './namespaces.ts';

/**
 * Look for it in every network namespace, ours first.
 * @param address of the VF
 * @returns undefined when it is in none that can be looked into
 */
export async function whereIsVf(address: string, options: NamespaceOptions = {}): Promise<PlacedLink | undefined> {
  for (const netns of findNamespaces(options).namespaces) {
    const links: NativeLink[] | undefined = await inNetns(netns, (ask) => ask.links()).catch(() => undefined);
    const link = links?.find(({ parentDevice }) => parentDevice === address);
    if (link !== undefined) return { netns, link };
  }
  return undefined;
}
