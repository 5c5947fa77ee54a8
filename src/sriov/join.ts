/** Puts together what sysfs has of PFs and VFs, and what the network namespaces have. */
import type { NativeVfList } from '../node/native.ts';
import type { PfDevice, PfState, PlacedLink, VfState } from './model.ts';
import type { NetnsSurvey } from './survey.ts';
import { isPartition, isRepresentor, isUplink } from './uplink.ts';

/** A device's link. */
interface DeviceLink extends PlacedLink {
  /** undefined: it was not asked. */
  answer: NativeVfList | Error | undefined;
}

function linksByDevice(surveys: readonly NetnsSurvey[]): Map<string, DeviceLink[]> {
  const byDevice = new Map<string, DeviceLink[]>();
  for (const { netns, links, devices, answers } of surveys) {
    for (const link of links) {
      const address = devices.get(link.index);
      if (address === undefined) continue;
      const of = byDevice.get(address) ?? [];
      byDevice.set(address, of);
      of.push({ netns, link, answer: answers.get(link.index) });
    }
  }
  return byDevice;
}

/** Its first port, in the host's namespace when it is there: a device with two ports has VFs on both. */
function uplinkOf(links: readonly DeviceLink[]): DeviceLink | undefined {
  const [first] = links
    .filter(({ link }) => isUplink(link))
    .sort((a, b) => Number(b.netns.isHost) - Number(a.netns.isHost) || a.link.index - b.link.index);
  return first;
}

const place = ({ netns, link }: DeviceLink): PlacedLink => ({ netns, link });

function vfStates(device: PfDevice, list: NativeVfList | undefined, byDevice: Map<string, DeviceLink[]>): VfState[] {
  const devices = new Map(device.vfs.map((vf) => [vf.index, vf]));
  const reported = new Map((list?.vfs ?? []).map((vf) => [vf.index, vf]));
  const counted = Array.from({ length: device.numVfs }, (_, index) => index);
  const indices = [...new Set([...counted, ...devices.keys(), ...reported.keys()])].sort((a, b) => a - b);
  return indices.map((index) => {
    const vf = devices.get(index);
    const links = (byDevice.get(vf?.address ?? '') ?? []).filter(({ link }) => !isPartition(link));
    return { index, device: vf, reported: reported.get(index), places: links.map(place) };
  });
}

function pfState(device: PfDevice, byDevice: Map<string, DeviceLink[]>): PfState {
  const links = byDevice.get(device.address) ?? [];
  const uplink = uplinkOf(links);
  const answer = uplink?.answer;
  const list = answer instanceof Error ? undefined : answer;
  const noLink = 'no network namespace that can be looked into has its network device';
  return {
    name: uplink?.link.name ?? device.address,
    device,
    place: uplink === undefined ? undefined : place(uplink),
    numVfs: device.numVfs,
    list: list && { numVfs: list.numVfs, queryable: list.queryable, truncated: list.truncated },
    problem: uplink === undefined ? noLink : answer instanceof Error ? answer.message : '',
    isSwitchdev: links.some(({ link }) => isRepresentor(link.portName)),
    vfs: vfStates(device, list, byDevice),
  };
}

const isMac = (mac: string | null | undefined): mac is string => /[1-9a-f]/.test(mac ?? '');

/**
 * Where the kernel does not tell a link's device (before 5.14), and it is in another namespace than our sysfs shows: by
 * its permanent MAC, where the PF gave that one to one VF only.
 */
function placeByMac(pfs: readonly PfState[], surveys: readonly NetnsSurvey[]): void {
  const homeless = new Map<string, VfState[]>();
  for (const vf of pfs.flatMap(({ vfs }) => vfs)) {
    const mac = vf.reported?.mac;
    if (isMac(mac)) homeless.set(mac, [...(homeless.get(mac) ?? []), vf]);
  }
  for (const { netns, links, devices } of surveys) {
    for (const link of links) {
      if (devices.has(link.index) || link.kind !== '') continue;
      const [vf, ...others] = homeless.get(link.permanentMac) ?? [];
      if (vf !== undefined && others.length === 0 && vf.places.length === 0) vf.places.push({ netns, link });
    }
  }
}

/** @returns in the order of `devices` */
export function joinDevices(devices: readonly PfDevice[], surveys: readonly NetnsSurvey[]): PfState[] {
  const byDevice = linksByDevice(surveys);
  const pfs = devices.map((device) => pfState(device, byDevice));
  placeByMac(pfs, surveys);
  return pfs;
}
