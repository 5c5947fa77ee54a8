/**
 * After a delegate's ADD: find the link that it made, give it the requested name if the delegate used another one,
 * and compare what it claims with the kernel.
 */
import { claimsInterface, isInSandbox, podInterfaceIndex } from '../cni/pod-interface.ts';
import type { CniInterface, CniResult } from '../cni/result.ts';
import type { NativeLink, NativeSnapshot } from '../node/native.ts';
import type { Netns } from '../node/netns.ts';
import type { VerifyModes } from '../pod/multus-config.ts';
import type { PlannedAttachment } from '../pod/plan.ts';
import { Findings } from './findings.ts';
import type { DelegateLink } from './journal-record.ts';
import { isUserspaceVf } from './sriov/attached-vf.ts';
import { type VerifyVfOptions, verifyVf } from './sriov/verify-vf.ts';
import { type Claim, compareClaim } from './verify.ts';

export interface SettledLink {
  /** The result with the interface's name, MAC and MTU as the kernel has them. */
  result: CniResult;
  /** Differences where the mode is `warn`, and what was mended. */
  warnings: string[];
  /** The pod's links, where they were looked at. */
  links: NativeLink[] | undefined;
}

function withFields(result: CniResult, position: number, fields: Partial<CniInterface>): CniResult {
  return { ...result, interfaces: result.interfaces.map((one, i) => (i === position ? { ...one, ...fields } : one)) };
}

/** What the plugin reports of its interface, with the kernel's values; what it does not report is not added. */
function asInKernel(result: CniResult, position: number, link: NativeLink): CniResult {
  const { mac, mtu } = result.interfaces[position] ?? {};
  return withFields(result, position, {
    ...(mac === undefined || link.mac === '' ? {} : { mac: link.mac }),
    ...(mtu === undefined ? {} : { mtu: link.mtu }),
  });
}

/** A plugin may make several interfaces. Only the attachment's own one must be there; of the others is told. */
function missingFurther(result: CniResult, own: number, { links }: NativeSnapshot): string[] {
  const further = result.interfaces.filter((one, i) => i !== own && isInSandbox(one));
  return further
    .filter(({ name }) => !links.some((link) => link.name === name))
    .map(({ name }) => `interface "${name}", which the plugin reports as well, is not in the pod`);
}

function linkNames(links: readonly NativeLink[], before: ReadonlySet<number> | undefined): string {
  if (before === undefined) return `links in the pod are: ${links.map(({ name }) => name).join(', ')}`;
  const added = links.filter((link) => !before.has(link.index)).map((link) => link.name);
  return added.length > 0 ? `new links in the pod are: ${added.join(', ')}` : 'no new link is in the pod';
}

/** Rename the link that the delegate reports under another name. */
async function renameToRequested(
  netns: Netns,
  attachment: PlannedAttachment,
  link: NativeLink,
  findings: Findings,
): Promise<NativeSnapshot> {
  const { ifName } = attachment;
  try {
    await netns.rename(link.index, ifName);
  } catch (error) {
    findings.report(
      'name',
      `interface "${link.name}" must be named "${ifName}" and cannot be renamed: ${(error as Error).message}`,
      'see why the name is taken with "ip link" in the pod',
    );
    return netns.snapshot();
  }
  findings.warnings.push(`the plugin named the interface "${link.name}" instead of "${ifName}"; it was renamed`);
  // A kernel that takes the link down for it drops routes: compare what is there now.
  return netns.snapshot();
}

export interface SettleOptions extends VerifyVfOptions {
  /** Indices of the links that the pod had before the delegate ran; undefined when it ran long ago. */
  before: ReadonlySet<number> | undefined;
  modes: VerifyModes;
  /** Told of the link once it is found, before anything is compared: whoever undoes a failure needs it. */
  onLink?: (link: DelegateLink) => void;
}

interface Settled {
  result: CniResult;
  link: NativeLink | undefined;
  /** What was looked at last. */
  snapshot: NativeSnapshot | undefined;
}

/** Find the link, mend its name, compare it. @throws CniError 102 */
async function settle(
  netns: Netns,
  attachment: PlannedAttachment,
  claimed: CniResult,
  findings: Findings,
  { before, modes, onLink, questions }: SettleOptions,
): Promise<Settled> {
  const { ifName } = attachment;
  if (!claimsInterface(claimed, ifName)) return { result: claimed, link: undefined, snapshot: undefined };

  let snapshot = await netns.snapshot();
  const position = podInterfaceIndex(claimed, ifName);
  const reportedName = claimed.interfaces[position]?.name ?? ifName;
  let link = snapshot.links.find(({ name }) => name === ifName);
  // Only a new link is the delegate's: a result that names another network's interface must not get that one renamed.
  const reported = snapshot.links.find(({ name }) => name === reportedName);
  const isNew = reported !== undefined && before !== undefined && !before.has(reported.index);
  const misnamed = link === undefined && isNew ? reported : undefined;
  let delegateName = ifName;
  if (misnamed !== undefined && modes.name !== 'off') {
    delegateName = misnamed.name;
    snapshot = await renameToRequested(netns, attachment, misnamed, findings);
    link = snapshot.links.find(({ index }) => index === misnamed.index);
  }
  link ??= misnamed;
  if (link === undefined) {
    // What a program drives (DPDK) has no link; sriov-cni reports one all the same.
    if (isUserspaceVf(attachment, questions)) return { result: claimed, link, snapshot };
    const earlier = reported === undefined || before === undefined ? '' : ', which was there before';
    const alias = reportedName === ifName ? '' : ` (reported as "${reportedName}"${earlier})`;
    findings.report(
      'link',
      `interface "${ifName}"${alias} must be in the pod, it is not; ${linkNames(snapshot.links, before)}`,
      'look at the plugin and its configuration',
    );
    return { result: claimed, link, snapshot };
  }
  onLink?.({ index: link.index, mac: link.mac, delegateName });
  const named = withFields(claimed, position, { name: link.name });
  const { requestedMac, requestedIps } = attachment;
  const claim: Claim = { ifName: link.name, result: named, requestedMac, requestedIps };
  for (const { fact, message } of compareClaim(claim, link, snapshot)) {
    findings.report(fact, message, 'look at the plugin, or at what changed the link after it');
  }
  findings.warnings.push(...missingFurther(claimed, position, snapshot));
  return { result: asInKernel(named, position, link), link, snapshot };
}

/** @throws CniError 102 when a fact with mode `enforce` differs */
export async function settleLink(
  netns: Netns,
  attachment: PlannedAttachment,
  claimed: CniResult,
  options: SettleOptions,
): Promise<SettledLink> {
  const findings = new Findings(options.modes, attachment);
  const { result, link, snapshot } = await settle(netns, attachment, claimed, findings, options);
  await verifyVf(attachment, claimed, link, findings, options);
  return { result, warnings: findings.warnings, links: snapshot?.links };
}
