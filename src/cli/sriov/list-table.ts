/** The tables of `multus sriov list`. */
import type { Inventory, PfState, VfClaim, VfState } from '../../sriov/model.ts';
import { formatTable } from '../table.ts';
import {
  adminMacCell,
  countCell,
  NOTHING,
  netnsCell,
  placesCell,
  rssCell,
  SETTINGS,
  settingCells,
  UNKNOWN,
} from './cells.ts';

/** Last word of those by whose word a container has the VF. */
export interface User {
  pod: string;
  containerId: string;
  network: string;
}

export type UserOf = (pf: PfState, vf: VfState) => User | undefined;

const PF_HEADINGS = ['PF', 'PCI', 'DRIVER', 'NETNS', 'MAC', 'VFS', 'MODE'];
const PF_WIDE = ['STATE', 'MTU', 'MASTER'];

function pfRow(pf: PfState, { namespaces }: Inventory): string[] {
  const { device, place } = pf;
  const links = namespaces.find(({ netns }) => netns === place?.netns)?.links ?? [];
  const master = links.find(({ index }) => index === place?.link.masterIndex);
  return [
    pf.name,
    device?.address ?? NOTHING,
    device?.driver || NOTHING,
    place === undefined ? UNKNOWN : netnsCell(place.netns),
    place?.link.mac || NOTHING,
    countCell(pf),
    pf.isSwitchdev ? 'switchdev' : 'legacy',
    place === undefined ? UNKNOWN : place.link.up ? 'up' : 'down',
    String(place?.link.mtu ?? UNKNOWN),
    master?.name ?? NOTHING,
  ];
}

const VF_HEADINGS = ['PF', 'VF', 'PCI', 'DRIVER', 'NETNS', 'POD', 'IFNAME', 'ADMIN-MAC', 'MAC', ...SETTINGS];
const VF_WIDE = ['RSS', 'STATE', 'MTU', 'CONTAINER', 'NETWORK', 'INODE', 'PATH'];

function vfRow(pf: PfState, vf: VfState, user: User | undefined): string[] {
  const { device, places, reported } = vf;
  return [
    pf.name,
    String(vf.index),
    device?.address ?? NOTHING,
    device?.driver || NOTHING,
    placesCell(places, ({ netns }) => netnsCell(netns)),
    user?.pod || NOTHING,
    placesCell(places, ({ link }) => link.name),
    adminMacCell(reported),
    placesCell(places, ({ link }) => link.mac),
    ...settingCells(reported),
    rssCell(reported),
    placesCell(places, ({ link }) => (link.up ? 'up' : 'down')),
    placesCell(places, ({ link }) => String(link.mtu)),
    user?.containerId.slice(0, 13) || NOTHING,
    user?.network || NOTHING,
    placesCell(places, ({ netns }) => netns.ino),
    placesCell(places, ({ netns }) => netns.path),
  ];
}

/** @returns a table of PFs, and one of their VFs where they have any */
export function listTables(inventory: Inventory, userOf: UserOf, isWide: boolean): string {
  const { pfs } = inventory;
  const more = (columns: readonly string[], wide: readonly string[]) => [...columns, ...(isWide ? wide : [])];
  const pfRows = pfs.map((pf) => pfRow(pf, inventory));
  const vfRows = pfs.flatMap((pf) => pf.vfs.map((vf) => vfRow(pf, vf, userOf(pf, vf))));
  const ofPfs = formatTable(more(PF_HEADINGS, PF_WIDE), pfRows);
  return vfRows.length === 0 ? ofPfs : `${ofPfs}\n${formatTable(more(VF_HEADINGS, VF_WIDE), vfRows)}`;
}

/** The last claim that knows it counts. */
export function userByClaims(claims: readonly VfClaim[]): User | undefined {
  if (claims.length === 0) return undefined;
  const last = (key: keyof User): string => claims.findLast((claim) => claim[key] !== '')?.[key] ?? '';
  return { pod: last('pod'), containerId: last('containerId'), network: last('network') };
}
