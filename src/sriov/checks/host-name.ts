/** What a VF's network device is called on the host: its own name, which it gets back from a container. */
import { isHome } from '../claims-of.ts';
import { rename } from '../mend.ts';
import type { Check, PfState, PlacedLink, VfClaim, VfState } from '../model.ts';
import { type Audited, check } from './check.ts';

/** As it was when it was taken from the host; '' when nobody wrote that down. */
function knownName(claims: readonly VfClaim[]): string {
  return claims.findLast(({ original }) => (original?.hostName ?? '') !== '')?.original?.hostName ?? '';
}

/** The name that the VF had on the host, or one to call it by where nobody knows. */
export function hostNameOf({ claims, pf, vf }: Pick<Audited, 'claims' | 'pf' | 'vf'>): string {
  return knownName(claims) || `${pf.name.slice(0, 10)}v${vf.index}`;
}

/** A name that the kernel or a meta plugin gave, as no interface of a VF is called on a host. */
const STRAY_NAME = /^(dev|net)\d+$/;

function strayName({ claims, vf, pf }: Audited, place: PlacedLink): string | undefined {
  const { name } = place.link;
  const known = knownName(claims);
  if (known !== '') return name === known || place.link.altNames.includes(known) ? undefined : known;
  if (STRAY_NAME.test(name) || claims.some(({ ifName }) => ifName === name)) return hostNameOf({ claims, vf, pf });
  return undefined;
}

/** Somebody else on the host who is called what the VF has to be called when it comes back. */
function namesake(name: string, { namespaces }: Audited['inventory'], { places }: VfState): string | undefined {
  const host = namespaces.find(({ netns }) => netns.isHost);
  const own = (index: number): boolean => places.some(({ netns, link }) => netns.isHost && link.index === index);
  const other = host?.links.find((link) => !own(link.index) && (link.name === name || link.altNames.includes(name)));
  return other?.name;
}

function homeName(audited: Audited, place: PlacedLink, pf: PfState): Check {
  const { name } = place.link;
  const expected = strayName(audited, place);
  if (expected === undefined) return check('host-name', 'pass', `is called ${name} on the host`, { actual: name });
  const isFree = namesake(expected, audited.inventory, audited.vf) === undefined;
  const fix = isFree && place.netns.isHost ? rename(place, expected, true) : undefined;
  const message = `came back from a container under a wrong name: it is called ${name}, and should be ${expected}`;
  return check('host-name', 'warn', message, { expected, actual: name, source: `PF ${pf.name}`, fix });
}

/** @returns "host-name": a VF at home has a host's name; the one of a VF in a container is free for when it comes back */
export function hostNameCheck(audited: Audited): Check {
  const { vf, pf, isIdle, claims, inventory } = audited;
  const [place] = vf.places;
  if (place === undefined) return check('host-name', 'skipped', 'has no network device');
  if (isIdle) {
    return isHome(place, pf) ? homeName(audited, place, pf) : check('host-name', 'skipped', 'is not on the host');
  }
  const hostName = knownName(claims);
  if (hostName === '') return check('host-name', 'skipped', 'has a name on the host that nobody wrote down');
  const other = namesake(hostName, inventory, vf);
  if (other === undefined) return check('host-name', 'pass', `has its name ${hostName} on the host free`);
  const message = `was ${hostName} on the host, where ${other} is now called so: it cannot get its name back`;
  return check('host-name', 'warn', message, { expected: `${hostName} free`, actual: `taken by ${other}` });
}
