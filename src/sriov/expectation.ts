/** What a VF is to be like, from all who say something of it. */
import { VF_SETTINGS, type VfSettings } from '../pod/vf-settings.ts';
import type { Expectation } from './audit-report.ts';
import { sourceOf } from './claims-of.ts';
import type { VfClaim } from './model.ts';

/** The same claim of settings, or undefined when it makes none. */
type Wish = VfClaim & { settings: VfSettings };

function isWish(claim: VfClaim): claim is Wish {
  return claim.settings !== undefined;
}

/**
 * The configuration that counts is the last one (a definition overrules what was sent at ADD, --conf both): whole, so that
 * what it is silent on is asked for by nobody. --expect changes single settings of it.
 * @param claims in rising order of authority: those in force, and those for all that are selected
 */
export function expectationOf(claims: readonly VfClaim[]): Expectation {
  const wishes = claims.filter(isWish);
  const whole = wishes.findLast(({ source }) => source !== 'expect');
  const expectation: Expectation = {
    settings: {},
    sources: {},
    configuration: whole === undefined ? '' : sourceOf(whole),
    cached: wishes.findLast(({ source }) => source === 'sriov-cache')?.settings,
  };
  for (const wish of wishes.filter((one) => one === whole || one.source === 'expect')) {
    Object.assign(expectation.settings, wish.settings);
    for (const setting of VF_SETTINGS) {
      if (wish.settings[setting] !== undefined) expectation.sources[setting] = sourceOf(wish);
    }
  }
  return expectation;
}
