/** Is the VF as it was asked for, by what its PF's driver reports? */
import type { NativeLink } from '../../node/native.ts';
import { VF_SETTINGS, type VfSettings } from '../../pod/vf-settings.ts';
import { compareVf, protocolOn, type SettingCheck, vlanOn } from '../compare-vf.ts';
import { setVf } from '../mend.ts';
import type { Check, Fix, PfState, VfState } from '../model.ts';
import { type Audited, check } from './check.ts';

/** What is asked of a VF, as the kernel has it; what the driver does not report is left out. */
export function settingsOn({ reported }: VfState, pfDriver: string): VfSettings {
  if (reported === undefined) return {};
  const { qos, mac, spoofCheck, trust, linkState, minTxRate, maxTxRate } = reported;
  const vlan = vlanOn(reported, pfDriver);
  const protocol = protocolOn(reported);
  return {
    ...(vlan === undefined ? {} : { vlan }),
    ...(qos === null ? {} : { qos: vlan === 0 ? 0 : qos }),
    ...(vlan !== undefined && (protocol === '802.1q' || protocol === '802.1ad') ? { protocol } : {}),
    ...(mac === null ? {} : { mac }),
    ...(spoofCheck === null ? {} : { spoofCheck }),
    ...(trust === null ? {} : { trust }),
    ...(linkState === null ? {} : { linkState: (['auto', 'enable', 'disable'] as const)[linkState] ?? 'auto' }),
    ...(minTxRate === null ? {} : { minTxRate }),
    ...(maxTxRate === null ? {} : { maxTxRate }),
  };
}

/** "spoof-check" of "spoofCheck": how checks are called. */
export function checkId(setting: string): string {
  return setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The settings that are one request to the kernel, which would lose those that it does not name. */
function together(setting: SettingCheck['setting'], expected: VfSettings, actual: VfSettings): VfSettings {
  switch (setting) {
    case 'inheritedVlan':
      return { vlan: 0 };
    case 'vlan':
    case 'qos':
    case 'protocol': {
      const { vlan = actual.vlan, qos, protocol } = expected;
      return {
        ...(vlan === undefined ? {} : { vlan }),
        ...(qos === undefined ? {} : { qos }),
        ...(protocol === undefined ? {} : { protocol }),
      };
    }
    case 'minTxRate':
    case 'maxTxRate':
      return {
        minTxRate: expected.minTxRate ?? actual.minTxRate ?? 0,
        maxTxRate: expected.maxTxRate ?? actual.maxTxRate ?? 0,
      };
    default:
      return { [setting]: expected[setting] };
  }
}

function fixOf({ pf, vf, expectation, isIdle }: Audited, setting: SettingCheck['setting']): Fix | undefined {
  const actual = settingsOn(vf, pf.device?.driver ?? '');
  return setVf(pf, vf, together(setting, expectation.settings, actual), isIdle);
}

/** Whose word was changed after the VF had been set up by another? */
function remark(audited: Audited, { setting, status }: SettingCheck): string {
  const { cached, settings, sources } = audited.expectation;
  if (status !== 'fail' || setting === 'inheritedVlan' || cached?.[setting] === undefined) return '';
  const actual = settingsOn(audited.vf, audited.pf.device?.driver ?? '')[setting];
  if (cached[setting] === settings[setting] || cached[setting] !== actual) return '';
  return `; that is what sriov-cni set, and ${sources[setting] ?? 'somebody'} says otherwise now`;
}

/** Where the VLAN of a VF is when its PF has an embedded switch; '' when no interface is seen to be its representor. */
export function representorOf({ place }: PfState, { index }: VfState, { namespaces }: Audited['inventory']): string {
  const port = new RegExp(`^pf\\d+vf${index}$`); // with "c1" before it, it is of another host's PF
  const links = namespaces.flatMap((one) => one.links);
  // Two PFs that are bonded in hardware have one switch.
  const isOfPf = ({ switchId, parentDevice }: NativeLink): boolean =>
    switchId === place?.link.switchId && parentDevice === place.link.parentDevice;
  return links.find((link) => port.test(link.portName) && isOfPf(link))?.name ?? '';
}

function switchdevRemark({ pf, vf, inventory }: Audited, setting: SettingCheck['setting']): string {
  if (!pf.isSwitchdev || setting !== 'vlan') return '';
  const name = representorOf(pf, vf, inventory);
  return name === '' ? '' : ` (it is ${name})`;
}

/**
 * @returns "vlan", "qos", "protocol", "mac", "spoof-check", "trust", "link-state", "min-tx-rate", "max-tx-rate" of what was
 * asked for, and "inherited-vlan" where a configuration asks for no VLAN
 */
export function settingChecks(audited: Audited): Check[] {
  const { pf, vf, expectation, isIdle } = audited;
  const { settings, sources, configuration } = expectation;
  const isAsked = VF_SETTINGS.some((setting) => settings[setting] !== undefined);
  if (vf.reported === undefined || (configuration === '' && !isAsked)) return [];
  const effectiveMac = vf.places[0]?.link.mac ?? '';
  const compared = compareVf(settings, vf.reported, {
    pfDriver: pf.device?.driver ?? '',
    isSwitchdev: pf.isSwitchdev,
    effectiveMac,
  });
  return compared
    .filter(({ setting }) => setting !== 'inheritedVlan' || (configuration !== '' && !isIdle))
    .map((one) => {
      const { setting, status, expected, actual } = one;
      const source = (setting === 'inheritedVlan' ? undefined : sources[setting]) ?? configuration;
      const message = one.message + remark(audited, one) + switchdevRemark(audited, setting);
      const fix = status === 'fail' || status === 'warn' ? fixOf(audited, setting) : undefined;
      return check(checkId(setting), status, message, { expected, actual, source, fix });
    });
}

/** @returns "cached-settings": what sriov-cni wrote down at ADD is still what is asked for */
export function cachedCheck({ expectation: { cached, settings, configuration } }: Audited): Check {
  if (cached === undefined) return check('cached-settings', 'skipped', 'has no settings in a cache of sriov-cni');
  const changed = VF_SETTINGS.filter((setting) => cached[setting] !== settings[setting]);
  if (changed.length === 0) return check('cached-settings', 'pass', 'is asked for what sriov-cni wrote down');
  const text = (of: VfSettings): string =>
    changed.map((setting) => `${checkId(setting)} ${String(of[setting] ?? 'not asked for')}`).join(', ');
  const message = `was set up with ${text(cached)}; asked for is now ${text(settings)}: that counts from the next ADD on`;
  return check('cached-settings', 'warn', message, {
    expected: text(settings),
    actual: text(cached),
    source: configuration,
  });
}
