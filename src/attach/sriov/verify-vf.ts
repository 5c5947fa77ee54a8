/** The VF of an attachment against what its configuration asks of it: for ADD before the pod starts, and for CHECK. */
import type { CniResult } from '../../cni/result.ts';
import type { NativeLink } from '../../node/native.ts';
import type { VerifyFact } from '../../pod/multus-config.ts';
import type { PlannedAttachment } from '../../pod/plan.ts';
import { pfNameOf, type VfReport, vfLabel } from '../../sriov/ask-vf.ts';
import { compareVf, type SettingCheck } from '../../sriov/compare-vf.ts';
import type { FoundVf } from '../../sriov/find-vf.ts';
import type { Findings } from '../findings.ts';
import type { Log } from '../operation.ts';
import { askedOf, THIS_NODE, usedVf, type VfQuestions, vfPlugin } from './attached-vf.ts';

/** Facts of `verify` that are about VFs. */
export const VF_FACTS = ['vlan', 'inheritedVlan', 'vf'] as const satisfies readonly VerifyFact[];

function factOf({ setting }: SettingCheck): (typeof VF_FACTS)[number] {
  if (setting === 'inheritedVlan') return setting;
  return setting === 'vlan' || setting === 'qos' || setting === 'protocol' ? 'vlan' : 'vf';
}

/** The plugin was given one VF, and another one is in the pod. */
function compareDevice(attachment: PlannedAttachment, used: FoundVf, findings: Findings): void {
  const given = vfPlugin(attachment)?.address ?? '';
  if (given === '' || given === used.address) return;
  const message = `interface "${attachment.ifName}" must be VF ${given}, which the plugin was given, it is VF ${used.address}`;
  findings.report('vf', message, 'look at the plugin');
}

function compareSettings(
  attachment: PlannedAttachment,
  link: NativeLink | undefined,
  report: VfReport,
  findings: Findings,
): void {
  const asked = askedOf(attachment);
  if (asked === undefined) return;
  const { device, pf, reported } = report;
  if (pf === undefined || reported === undefined) {
    findings.tell(VF_FACTS, `${vfLabel(report)} cannot be compared with what is asked of it: ${report.problem}`);
    return;
  }
  const effectiveMac = link?.parentDevice === device.address ? link.mac : '';
  const checks = compareVf(asked, reported, { pfDriver: pf.driver, isSwitchdev: pf.isSwitchdev, effectiveMac });
  const hint = `see "ip link show ${pfNameOf(report)}", and who else sets its VFs`;
  for (const check of checks) {
    const message = `${vfLabel(report)} ${check.message}`;
    if (check.status === 'fail' || check.status === 'warn') findings.report(factOf(check), message, hint);
    if (check.status === 'unknown') findings.tell([factOf(check)], message);
  }
}

export interface VerifyVfOptions {
  log: Log;
  /** Told of the VF once it is known, before anything is compared: whoever undoes a failure needs it. */
  onVf?: (device: FoundVf) => void;
  /** Ends the waiting for a driver. */
  signal?: AbortSignal;
  /** @default the kernel */
  questions?: VfQuestions;
}

/**
 * Nothing is asked of anybody for an attachment without a VF.
 * @param link that the attachment's plugin made, where it made one
 * @throws CniError 102 when a setting differs whose fact is enforced
 */
export async function verifyVf(
  attachment: PlannedAttachment,
  claimed: CniResult,
  link: NativeLink | undefined,
  findings: Findings,
  { log, onVf, signal, questions = THIS_NODE }: VerifyVfOptions,
): Promise<void> {
  let device: FoundVf | undefined;
  try {
    device = usedVf(attachment, claimed, link, questions, log);
  } catch (error) {
    findings.tell(VF_FACTS, `whether it uses a VF cannot be told: ${(error as Error).message}`);
  }
  if (device === undefined) return;
  onVf?.(device);
  if (!findings.isAsked(VF_FACTS)) return;
  compareDevice(attachment, device, findings);
  const report = await questions.ask(device, signal === undefined ? {} : { signal });
  compareSettings(attachment, link, report, findings);
}
