/** `multus sriov list -o json`: all that the tables show; what is not known, or is not there, is null. */
import { lastKnown } from '../../sriov/claims-of.ts';
import type { Inventory, PlacedLink, VfClaim } from '../../sriov/model.ts';
import type { HoldersOf } from './list-table.ts';

function placeJson({ netns, link }: PlacedLink) {
  const { ino, path, isHost } = netns;
  const { index, name, altNames, mac, permanentMac, mtu, up, portName, switchId } = link;
  return { netns: { inode: ino, path, isHost }, index, name, altNames, mac, permanentMac, mtu, up, portName, switchId };
}

function holderJson(holders: readonly VfClaim[]) {
  if (holders.length === 0) return null;
  const pod = lastKnown(holders, 'pod');
  const [containerId, network] = [lastKnown(holders, 'containerId'), lastKnown(holders, 'network')];
  return { pod, containerId, network, ifName: lastKnown(holders, 'ifName'), by: holders.map(({ origin }) => origin) };
}

/** @returns text with a newline behind it */
export function listJson(
  { hostname, kernel, pfs }: Inventory,
  holdersOf: HoldersOf,
  problems: readonly string[],
): string {
  const functions = pfs.map((pf) => ({
    name: pf.name,
    pci: pf.device?.address ?? null,
    driver: pf.device?.driver ?? null,
    totalVfs: pf.device?.totalVfs ?? null,
    numVfs: pf.numVfs,
    mode: pf.place === undefined ? null : pf.isSwitchdev ? 'switchdev' : 'legacy',
    place: pf.place === undefined ? null : placeJson(pf.place),
    list: pf.list ?? null,
    problem: pf.problem,
    vfs: pf.vfs.map((vf) => ({
      index: vf.index,
      pci: vf.device?.address ?? null,
      driver: vf.device?.driver ?? null,
      places: vf.places.map(placeJson),
      reported: vf.reported ?? null,
      holder: holderJson(holdersOf(pf, vf)),
    })),
  }));
  return `${JSON.stringify({ node: hostname, kernel, pfs: functions, problems }, null, 2)}\n`;
}
