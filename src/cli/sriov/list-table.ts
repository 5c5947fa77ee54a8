/** The tables of `multus sriov list`. */
import type { Inventory, PfState, VfClaim, VfState } from '../../sriov/model.ts';
import { formatTable } from '../table.ts';
import { countCell, NOTHING, netnsCell, UNKNOWN } from './cells.ts';
import { vfCells, vfHeadings } from './vf-columns.ts';

/** The claims by which a container has a VF. */
export type HoldersOf = (pf: PfState, vf: VfState) => readonly VfClaim[];

const HEADINGS = ['PF', 'PCI', 'DRIVER', 'NETNS', 'MAC', 'VFS', 'MODE'];
const WIDE = ['STATE', 'MTU', 'MASTER'];

/** Name of the bond or bridge that a PF is in. */
function masterOf({ place }: PfState, { namespaces }: Inventory): string {
  if (place === undefined || place.link.masterIndex === 0) return NOTHING;
  const { links = [] } = namespaces.find(({ netns }) => netns === place.netns) ?? {};
  return links.find(({ index }) => index === place.link.masterIndex)?.name ?? UNKNOWN;
}

function pfCells(pf: PfState, inventory: Inventory, isWide: boolean): string[] {
  const { device, place } = pf;
  const cells = [
    pf.name,
    device?.address ?? NOTHING,
    device?.driver || NOTHING,
    place === undefined ? UNKNOWN : netnsCell(place.netns),
    place?.link.mac || NOTHING,
    countCell(pf),
    place === undefined ? UNKNOWN : pf.isSwitchdev ? 'switchdev' : 'legacy',
  ];
  if (!isWide) return cells;
  const state = place === undefined ? UNKNOWN : place.link.up ? 'up' : 'down';
  return [...cells, state, String(place?.link.mtu ?? UNKNOWN), masterOf(pf, inventory)];
}

/** @returns a table of PFs, and one of their VFs where they have any */
export function listTables(inventory: Inventory, holdersOf: HoldersOf, isWide: boolean): string {
  const pfRows = inventory.pfs.map((pf) => pfCells(pf, inventory, isWide));
  const ofPfs = formatTable(isWide ? [...HEADINGS, ...WIDE] : HEADINGS, pfRows);
  const rowsOf = (pf: PfState) => pf.vfs.map((vf) => vfCells(pf, vf, holdersOf(pf, vf), isWide));
  const vfRows = inventory.pfs.flatMap(rowsOf);
  return vfRows.length === 0 ? ofPfs : `${ofPfs}\n${formatTable(vfHeadings(isWide), vfRows)}`;
}
