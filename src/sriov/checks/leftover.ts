/** Does a VF that no container has still have what the last one was given? The next one may inherit it. */
import { VF_SETTINGS, type VfSettings } from '../../pod/vf-settings.ts';
import { isHome, isSameNetns, sourceOf } from '../claims-of.ts';
import { setVf } from '../mend.ts';
import type { Check } from '../model.ts';
import { type Audited, check } from './check.ts';
import { adminMac, effectiveMac } from './mac.ts';
import { checkId, settingsOn } from './settings.ts';

/** As drivers begin; spoof check is on with some, off with others. */
const AS_NEW: Readonly<VfSettings> = {
  vlan: 0,
  qos: 0,
  protocol: '802.1q',
  trust: false,
  linkState: 'auto',
  minTxRate: 0,
  maxTxRate: 0,
};

const NO_MAC = '00:00:00:00:00:00';

/**
 * An address that the PF has for a VF is no leftover when it is the VF's own: drivers report that after the VF has been used
 * once. Where there is no network device to compare with, only what was there before tells.
 */
function isOwnMac({ vf }: Audited, before: string | undefined): boolean {
  const admin = adminMac(vf);
  const effective = effectiveMac(vf);
  if (admin === '' || admin === effective) return true;
  return effective === '' && before === undefined;
}

/** What is not as it was. @param original as it was before the last container, undefined: nobody wrote that down */
function leftovers(audited: Audited, original: VfSettings | undefined): VfSettings {
  const { vf, pf, expectation } = audited;
  const actual = settingsOn(vf, pf.device?.driver ?? '');
  const before: VfSettings = { ...AS_NEW, ...(original && { mac: NO_MAC, ...original }) };
  if (isOwnMac(audited, before.mac)) delete before.mac;
  else before.mac ??= NO_MAC;
  if (actual.vlan === 0) {
    delete before.qos; // they mean nothing without a VLAN
    delete before.protocol;
  }
  const left = VF_SETTINGS.filter((setting) => {
    const isAskedFor = expectation.settings[setting] !== undefined;
    return (
      !isAskedFor &&
      before[setting] !== undefined &&
      actual[setting] !== undefined &&
      before[setting] !== actual[setting]
    );
  });
  return Object.fromEntries(left.map((setting) => [setting, before[setting]]));
}

/** What is one request to the kernel is set as a whole. */
function whole(left: VfSettings, original: VfSettings | undefined, actual: VfSettings): VfSettings {
  const { vlan, qos, protocol, minTxRate, maxTxRate } = left;
  const isVlan = vlan !== undefined || qos !== undefined || protocol !== undefined;
  const isRate = minTxRate !== undefined || maxTxRate !== undefined;
  const before = { ...AS_NEW, ...original };
  return {
    ...left,
    ...(isVlan ? { vlan: before.vlan ?? 0, qos: before.qos ?? 0, protocol: before.protocol ?? '802.1q' } : {}),
    ...(isRate ? { minTxRate: minTxRate ?? actual.minTxRate ?? 0, maxTxRate: maxTxRate ?? actual.maxTxRate ?? 0 } : {}),
  };
}

function text(settings: VfSettings, keys: readonly string[]): string {
  return keys.map((key) => `${checkId(key)} ${String(settings[key as keyof VfSettings])}`).join(', ');
}

/** What of the host has the VF's interface: a bond, a bridge, or what is on top of it; '' nothing. */
function usedBy({ vf: { places }, inventory }: Audited): string {
  const users = places.flatMap(({ netns, link }) => {
    const { links = [] } = inventory.namespaces.find((one) => isSameNetns(one.netns, netns)) ?? {};
    return links.filter(
      ({ index, parentIndex, parentNsid }) =>
        (link.masterIndex !== 0 && index === link.masterIndex) || (parentIndex === link.index && parentNsid < 0),
    );
  });
  return users.map(({ name }) => name).join(', ');
}

/** @param actual that of what is left */
function messageOf({ vf: { device, places } }: Audited, actual: string, vlan: number | undefined): string {
  if (device !== undefined && places.length === 0) {
    const driver = device.driver === '' ? 'it has no driver' : `its driver is ${device.driver}`;
    return `is in no container, but has ${actual}: left over, unless a virtual machine or a program has it (${driver})`;
  }
  const inherits = vlan === undefined || vlan === 0 ? '' : '; a container that asks for no VLAN would be in this one';
  return `is idle, but has ${actual} from before${inherits}`;
}

/** @returns "leftover": of a VF at home that neither a container nor the host has */
export function leftoverCheck(audited: Audited): Check {
  const { vf, pf, claims, isIdle } = audited;
  const isAtHome = vf.places.every((place) => isHome(place, pf));
  if (!isIdle || !isAtHome || vf.reported === undefined) {
    return check('leftover', 'skipped', 'is not idle, or its settings are not known');
  }
  const user = usedBy(audited);
  if (user !== '') return check('leftover', 'skipped', `is used by the host itself: ${user}`);
  const former = claims.findLast(({ original }) => original !== undefined);
  const original = former?.original?.settings;
  const left = leftovers(audited, original);
  const keys = Object.keys(left);
  const actual = settingsOn(vf, pf.device?.driver ?? '');
  if (keys.length === 0) return check('leftover', 'pass', 'is as a new one');
  const known = {
    expected: text(left, keys),
    actual: text(actual, keys),
    source: former === undefined ? 'as drivers begin' : sourceOf(former),
    fix: setVf(pf, vf, whole(left, original, actual), true),
  };
  const message = messageOf(audited, known.actual, left.vlan === undefined ? undefined : actual.vlan);
  return check('leftover', former === undefined ? 'warn' : 'fail', message, known);
}
