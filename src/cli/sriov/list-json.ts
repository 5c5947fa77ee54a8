/** `multus sriov list --json`: all that the tables show, and where it is unknown, null. */
import type { Inventory, PlacedLink } from '../../sriov/model.ts';
import type { UserOf } from './list-table.ts';

function placeJson({ netns, link }: PlacedLink) {
  const { ino, path, isHost } = netns;
  const { index, name, altNames, mac, permanentMac, mtu, up, portName, switchId } = link;
  return { netns: { inode: ino, path, isHost }, index, name, altNames, mac, permanentMac, mtu, up, portName, switchId };
}

/** @returns text with a newline behind it */
export function listJson({ hostname, kernel, pfs, problems }: Inventory, userOf: UserOf): string {
  const functions = pfs.map((pf) => ({
    name: pf.name,
    pci: pf.device?.address ?? null,
    driver: pf.device?.driver ?? null,
    totalVfs: pf.device?.totalVfs ?? null,
    numVfs: pf.numVfs,
    mode: pf.isSwitchdev ? 'switchdev' : 'legacy',
    place: pf.place === undefined ? null : placeJson(pf.place),
    reported: pf.list ?? null,
    problem: pf.problem,
    vfs: pf.vfs.map((vf) => ({
      index: vf.index,
      pci: vf.device?.address ?? null,
      driver: vf.device?.driver ?? null,
      reported: vf.reported ?? null,
      places: vf.places.map(placeJson),
      user: userOf(pf, vf) ?? null,
    })),
  }));
  return `${JSON.stringify({ hostname, kernel, pfs: functions, problems }, null, 2)}\n`;
}
