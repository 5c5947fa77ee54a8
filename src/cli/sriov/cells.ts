/** How an inventory's values appear in a table: `-` is nothing, `?` is what the driver did not report. */
import { basename } from 'node:path';
import type { NativeVf } from '../../node/native.ts';
import type { LiveNetns, PfState, PlacedLink } from '../../sriov/model.ts';

export const NOTHING = '-';
export const UNKNOWN = '?';

/** What is not there, or is not known, has a sign of its own. */
function cell<T>(value: T | null | undefined, show: (known: T) => string): string {
  return value === null || value === undefined ? UNKNOWN : show(value) || NOTHING;
}

/** "host", the name in /run/netns, or a process that is in it: "pid 4711". */
export function netnsCell({ isHost, path }: LiveNetns): string {
  if (isHost) return 'host';
  const pid = /\/(\d+)\/ns\/net$/.exec(path)?.[1];
  return pid === undefined ? basename(path) : `pid ${pid}`;
}

/** One for each of a function's network devices: mostly one. */
export function placesCell(places: readonly PlacedLink[], show: (place: PlacedLink) => string): string {
  return [...new Set(places.map(show))].join(',') || NOTHING;
}

/** "4/7": has 4, can have 7. */
export function countCell({ numVfs, device }: PfState): string {
  return device?.totalVfs === undefined ? String(numVfs) : `${numVfs}/${device.totalVfs}`;
}

const onOff = (value: boolean): string => (value ? 'on' : 'off');
const number = (value: number): string => (value === 0 ? '' : String(value));

/** Set on the PF; all zeros where it was not. InfiniBand's VFs have GUIDs, and the PF's own MAC. */
export function adminMacCell(vf: NativeVf | undefined): string {
  return cell(vf?.portGuid ?? vf?.mac, (mac) => (/[1-9a-f]/.test(mac) ? mac : ''));
}

/** 0 is what some drivers say for want of another (mlx5). */
function protocolCell(vf: NativeVf | undefined): string {
  if (vf?.vlan === 0) return NOTHING;
  const names = new Map([
    [0, '802.1q'],
    [0x8100, '802.1q'],
    [0x88a8, '802.1ad'],
  ]);
  return cell(vf?.vlanProtocol, (protocol) => names.get(protocol) ?? `0x${protocol.toString(16)}`);
}

/** In Mbit/s: "100" at most, "50-100" with a share of its own; "50-" has no upper limit. */
function rateCell(vf: NativeVf | undefined): string {
  const min = vf?.minTxRate ?? 0;
  return cell(vf?.maxTxRate, (max) => (min === 0 ? number(max) : `${min}-${number(max)}`));
}

const LINK_STATES = ['auto', 'enable', 'disable'];

/** Headings of `settingCells`. */
export const SETTINGS = ['VLAN', 'QOS', 'PROTO', 'SPOOF', 'TRUST', 'LINK', 'RATE'];

/** A VF's settings as its PF's driver reports them; undefined: it left this VF out. */
export function settingCells(vf: NativeVf | undefined): string[] {
  return [
    cell(vf?.vlan, number),
    cell(vf?.qos, number),
    protocolCell(vf),
    cell(vf?.spoofCheck, onOff),
    cell(vf?.trust, onOff),
    cell(vf?.linkState, (state) => LINK_STATES[state] ?? String(state)),
    rateCell(vf),
  ];
}

export function rssCell(vf: NativeVf | undefined): string {
  return cell(vf?.rssQuery, onOff);
}
