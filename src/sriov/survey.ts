/** What the kernel says in every network namespace: links, which device each belongs to, and the VFs of PFs. */
import type { NativeLink, NativeVfList } from '../node/native.ts';
import { systemReason } from '../node/system-reason.ts';
import { inNetns } from './in-netns.ts';
import type { LiveNetns, PfDevice } from './model.ts';
import type { FoundNetns } from './namespaces.ts';
import { netdevsOf, pciParent } from './pci.ts';
import { isUplink } from './uplink.ts';

/** What one namespace has. */
export interface NetnsSurvey {
  netns: LiveNetns;
  links: NativeLink[];
  /** Address of the device of a link, by the link's index; links without a device are not in it. */
  devices: Map<number, string>;
  /** What links that can be a PF's own said of its VFs, or why they could not, by the link's index. */
  answers: Map<number, NativeVfList | Error>;
}

/** As many namespaces are asked at once: the addon's threads are as many. */
const AT_ONCE = 4;

/**
 * Linux before 5.14 does not tell a link's device: its sysfs does, for the namespace that it was mounted in.
 * @returns address by the link's name
 */
function devicesByName(pfs: readonly PfDevice[], sysfs: string): Map<string, string> {
  const addresses = pfs.flatMap(({ address, vfs }) => [address, ...vfs.map((vf) => vf.address)]);
  return new Map(addresses.flatMap((address) => netdevsOf(address, sysfs).map((name) => [name, address] as const)));
}

function devicesOf(links: readonly NativeLink[], pfs: readonly PfDevice[], sysfs: string, isOurs: boolean) {
  const tells = links.some(({ parentDevice }) => parentDevice !== '');
  const byName = isOurs && !tells ? devicesByName(pfs, sysfs) : new Map<string, string>();
  const devices = new Map<number, string>();
  for (const { index, name, parentDevice, parentBus } of links) {
    const address = parentDevice === '' ? byName.get(name) : pciParent(parentDevice, parentBus, sysfs);
    if (address !== undefined) devices.set(index, address);
  }
  return devices;
}

/**
 * Look into namespaces.
 * @param found ours first
 * @returns `surveys` of those that live; `problems`: which may not be looked into, and why
 */
export async function surveyNamespaces(
  found: readonly FoundNetns[],
  pfs: readonly PfDevice[],
  sysfs: string,
): Promise<{ surveys: NetnsSurvey[]; problems: string[] }> {
  const pfAddresses = new Set(pfs.map(({ address }) => address));
  const problems: string[] = [];

  const survey = async (one: FoundNetns, isOurs: boolean): Promise<NetnsSurvey | undefined> => {
    const { paths: _, ...netns } = one;
    try {
      return await inNetns(one, async (questions) => {
        const links = await questions.links();
        const devices = devicesOf(links, pfs, sysfs, isOurs);
        const answers: NetnsSurvey['answers'] = new Map();
        for (const link of links) {
          if (!pfAddresses.has(devices.get(link.index) ?? '') || !isUplink(link)) continue;
          answers.set(link.index, await questions.vfs(link.index).catch((error: Error) => error));
        }
        return { netns, links, devices, answers };
      });
    } catch (error) {
      problems.push(`Cannot look into network namespace ${one.path} (inode ${one.ino}): ${systemReason(error)}`);
      return undefined;
    }
  };

  const surveys: (NetnsSurvey | undefined)[] = [];
  const waiting = found.entries();
  const work = async (): Promise<void> => {
    for (const [i, one] of waiting) surveys[i] = await survey(one, i === 0);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { surveys: surveys.filter((one) => one !== undefined), problems };
}
