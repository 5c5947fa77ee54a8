/** Is the address that a VF sends with the one that its PF gave it, and nobody else's? */
import { isSameNetns, lastKnown } from '../claims-of.ts';
import { vlanOn } from '../compare-vf.ts';
import type { Check, PfState, VfState } from '../model.ts';
import { type Audited, check } from './check.ts';

const NO_MAC = /^(00(:00)*)?$/;

/** Its VFs have GUIDs: the MAC addresses that the driver reports are the PF's own. */
function isInfiniBand({ reported }: VfState): boolean {
  return (reported?.nodeGuid ?? null) !== null || (reported?.mac ?? '').split(':').length > 6;
}

/** The PF's word on the address, '' when it leaves that to the VF, the driver does not tell, or there are GUIDs. */
export function adminMac(vf: VfState): string {
  const mac = vf.reported?.mac ?? '';
  return NO_MAC.test(mac) || isInfiniBand(vf) ? '' : mac;
}

/** Of its network device, wherever that is; '' without one. */
export function effectiveMac({ places }: VfState): string {
  return places[0]?.link.mac ?? '';
}

/** @returns "effective-mac": of a VF that a container has */
export function effectiveMacCheck({ vf, isIdle }: Audited): Check {
  const admin = adminMac(vf);
  const effective = effectiveMac(vf);
  if (isIdle || admin === '' || effective === '') {
    return check('effective-mac', 'skipped', 'has no two addresses to be compared');
  }
  const known = { expected: admin, actual: effective, source: 'its PF' };
  if (admin === effective) return check('effective-mac', 'pass', `sends with the MAC ${admin} of its PF`, known);
  const message = `must send with the MAC ${admin} that its PF gave it, its network device has ${effective}`;
  if (vf.reported?.spoofCheck === false) {
    return check('effective-mac', 'warn', `${message}; nothing is dropped, spoof check is off`, known);
  }
  return check('effective-mac', 'fail', `${message}; what it sends is dropped while spoof check is on`, known);
}

/** Under which addresses the switch of the PF knows a VF. */
function addressesOf(vf: VfState): string[] {
  return isInfiniBand(vf) ? [] : [...new Set([adminMac(vf), effectiveMac(vf)])].filter((mac) => mac !== '');
}

/** VFs of one PF by "MAC VLAN". */
export type Neighbours = ReadonlyMap<string, readonly VfState[]>;

function keysOf(vf: VfState, pfDriver: string): string[] {
  const vlan = vf.reported === undefined ? 0 : (vlanOn(vf.reported, pfDriver) ?? 0);
  return addressesOf(vf).map((mac) => `${mac} ${vlan}`);
}

export function neighboursOf({ vfs, device }: PfState): Neighbours {
  const found = new Map<string, VfState[]>();
  for (const vf of vfs) {
    for (const key of keysOf(vf, device?.driver ?? '')) found.set(key, [...(found.get(key) ?? []), vf]);
  }
  return found;
}

/** @returns "duplicate-mac": another VF of the PF with the same address in the same VLAN takes its traffic */
export function duplicateCheck({ vf, pf, isIdle, holders }: Audited, neighbours: Neighbours): Check {
  const keys = keysOf(vf, pf.device?.driver ?? '');
  if (keys.length === 0) return check('duplicate-mac', 'skipped', 'has no MAC address');
  const others = keys.flatMap((key) => (neighbours.get(key) ?? []).filter(({ index }) => index !== vf.index));
  if (others.length === 0) return check('duplicate-mac', 'pass', 'has a MAC of its own');
  const indexes = [...new Set(others.map(({ index }) => `VF ${index}`))].join(', ');
  const pod = lastKnown(holders, 'pod');
  const suffix = pod === '' ? '' : `: ${pod} may not be reached`;
  const message = `has the same MAC and VLAN as ${indexes} of its PF (${keys.join(', ')})${suffix}`;
  const isShared = others.every(({ places }) =>
    places.some(({ netns }) => vf.places.some((own) => isSameNetns(own.netns, netns))),
  );
  return check('duplicate-mac', isIdle || isShared ? 'warn' : 'fail', message, { expected: 'none', actual: indexes });
}
