/** What is shown of one VF wherever VFs are listed. */
import { lastKnown } from '../../sriov/claims-of.ts';
import type { PfState, VfClaim, VfState } from '../../sriov/model.ts';
import { adminMacCell, NOTHING, netnsCell, placesCell, rssCell, SETTINGS, settingCells } from './cells.ts';

const HEADINGS = ['PF', 'VF', 'PCI', 'DRIVER', 'NETNS', 'POD', 'IFNAME', 'ADMIN-MAC', 'MAC', ...SETTINGS];
const WIDE = ['RSS', 'STATE', 'MTU', 'CONTAINER', 'NETWORK', 'INODE', 'PATH'];

export function vfHeadings(isWide: boolean): string[] {
  return isWide ? [...HEADINGS, ...WIDE] : HEADINGS;
}

/** @param holders claims by which a container has it */
export function vfCells(pf: PfState, vf: VfState, holders: readonly VfClaim[], isWide: boolean): string[] {
  const { device, places, reported } = vf;
  const cells = [
    pf.name,
    String(vf.index),
    device?.address ?? NOTHING,
    device?.driver || NOTHING,
    placesCell(places, ({ netns }) => netnsCell(netns)),
    lastKnown(holders, 'pod') || NOTHING,
    placesCell(places, ({ link }) => link.name),
    adminMacCell(reported),
    placesCell(places, ({ link }) => link.mac),
    ...settingCells(reported),
  ];
  if (!isWide) return cells;
  return [
    ...cells,
    rssCell(reported),
    placesCell(places, ({ link }) => (link.up ? 'up' : 'down')),
    placesCell(places, ({ link }) => String(link.mtu)),
    lastKnown(holders, 'containerId').slice(0, 13) || NOTHING,
    lastKnown(holders, 'network') || NOTHING,
    placesCell(places, ({ netns }) => netns.ino),
    placesCell(places, ({ netns }) => netns.path),
  ];
}
