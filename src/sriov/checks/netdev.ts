/** Is the VF's network device where it has to be, under its name, and does it carry traffic? */
import { expectedNetns, isHome, isSameNetns, lastKnown, sourceOf } from '../claims-of.ts';
import { moveToHost, rename } from '../mend.ts';
import type { Check, PlacedLink } from '../model.ts';
import { isUserSpaceDriver } from '../user-space-driver.ts';
import { type Audited, check } from './check.ts';
import { hostNameOf } from './host-name.ts';

/** IFF_LOWER_UP. */
const CARRIER = 0x10000;

/** "net1 in /run/netns/a". */
function where({ netns, link }: PlacedLink): string {
  return `${link.name} in ${netns.isHost ? "the host's namespace" : netns.path}`;
}

function all(places: readonly PlacedLink[]): string {
  return places.map(where).join(', ');
}

/** Where nothing was found: is that certain, and is it bad? */
function nowhere({ inventory, vf, isIdle }: Audited): Check {
  const { device } = vf;
  if (device === undefined) return check('netdev', 'skipped', 'has no network device: its bus has none of VFs');
  if (isUserSpaceDriver(device.driver)) {
    return check('netdev', 'skipped', `has no network device: its driver is ${device.driver}`);
  }
  if (device.driver === '') return check('netdev', 'skipped', 'has no network device: it has no driver');
  const actual = { expected: 'a network device', actual: 'none found' };
  if (inventory.problems.length > 0) {
    const message = `has a network device that was not found, in a namespace that could not be looked into: ${inventory.problems[0]}`;
    return check('netdev', 'unknown', message, actual);
  }
  const message = `has no network device in any namespace, though its driver is ${device.driver}`;
  return check('netdev', isIdle ? 'warn' : 'fail', message, actual);
}

/** No container has it: then it is at home. */
function idle(audited: Audited): Check {
  const { vf, pf, claims } = audited;
  const away = vf.places.filter((place) => !isHome(place, pf));
  const [first] = away;
  if (first === undefined) return check('netdev', 'pass', `is ${all(vf.places)}`, { actual: all(vf.places) });
  const gone = claims.filter(({ isEnded, netnsPath, netns }) => isEnded || (netnsPath !== '' && netns === undefined));
  const home = "the host's namespace";
  if (gone.length > 0) {
    const message = `must be back in ${home}: its container is gone, it is ${all(away)}`;
    const fix = moveToHost(first, hostNameOf(audited), true);
    return check('netdev', 'fail', message, {
      expected: home,
      actual: all(away),
      source: gone.map(sourceOf).join(', '),
      fix,
    });
  }
  const message = `is ${all(away)}, and nobody wrote down which container has it`;
  const fix = moveToHost(first, hostNameOf(audited), false);
  return check('netdev', 'warn', message, { expected: home, actual: all(away), fix });
}

/** A container has it: then it is in that one's namespace, and nowhere else, under the name that was asked for. */
function held({ vf, holders, inventory }: Audited): Check {
  const { places } = vf;
  const target = expectedNetns(holders, inventory);
  const ifName = lastKnown(holders, 'ifName');
  const source = holders.map(sourceOf).join(', ');
  const actual = all(places);
  if (target === undefined) {
    return check('netdev', 'pass', `is ${actual}: a container has it, no file says in which namespace`, {
      actual,
      source,
    });
  }
  const { netns, path } = target;
  const expected = ifName === '' ? path : `${ifName} in ${path}`;
  const inside = places.filter((place) => netns !== undefined && isSameNetns(place.netns, netns));
  const outside = places.filter((place) => !inside.includes(place));
  if (outside.length > 0) {
    return check('netdev', 'fail', `must be ${expected}, it is ${actual}`, { expected, actual, source });
  }
  const [first] = inside;
  if (first === undefined || ifName === '' || inside.some(({ link }) => link.name === ifName)) {
    return check('netdev', 'pass', `is ${actual} as written down`, { expected, actual, source });
  }
  const fix = rename(first, ifName, false);
  return check('netdev', 'fail', `must be ${expected}, it is there as ${first.link.name}`, {
    expected,
    actual,
    source,
    fix,
  });
}

/** @returns "netdev" */
export function netdevCheck(audited: Audited): Check {
  if (audited.vf.places.length === 0) return nowhere(audited);
  return audited.isIdle ? idle(audited) : held(audited);
}

function stateOf({ link }: PlacedLink): string {
  if (!link.up) return 'down';
  return (link.flags & CARRIER) === 0 ? 'up, without carrier' : 'up, with carrier';
}

/** @returns "carrier": of a VF that a container has */
export function carrierCheck({ vf: { places }, pf, isIdle }: Audited): Check {
  if (isIdle || places.length === 0) return check('carrier', 'skipped', 'is in no container');
  const bad = places.find((place) => !place.link.up || (place.link.flags & CARRIER) === 0);
  const expected = 'up, with carrier';
  if (bad === undefined) return check('carrier', 'pass', `is ${expected}`, { expected, actual: expected });
  const why = pf.place !== undefined && !pf.place.link.up ? `; its PF ${pf.name} is down` : '';
  const message = `must be up and have a carrier, ${where(bad)} is ${stateOf(bad)}${why}`;
  return check('carrier', 'warn', message, { expected, actual: stateOf(bad) });
}

/** @returns "mtu": a PF drops what is larger than its own */
export function mtuCheck({ vf: { places }, pf, isIdle }: Audited): Check {
  const { place } = pf;
  if (place === undefined || places.length === 0) return check('mtu', 'skipped', 'has no MTU to be compared');
  const largest = Math.max(...places.map(({ link }) => link.mtu));
  const known = { expected: `at most ${place.link.mtu}`, actual: String(largest), source: `PF ${pf.name}` };
  if (largest <= place.link.mtu) return check('mtu', 'pass', `has an MTU of ${largest}`, known);
  const message = `must have no larger MTU than its PF, which has ${place.link.mtu}, it has ${largest}`;
  return check('mtu', isIdle ? 'warn' : 'fail', message, known);
}
