/** `multus sriov verify`, the pure part: what the kernel has against what was asked for. */
import type { AuditItem, AuditReport, NodeCheck, Selection } from './audit-report.ts';
import { type Audited, check } from './checks/check.ts';
import { driverCheck, existsCheck } from './checks/device.ts';
import { cacheFileCheck, doubleClaimCheck, pciFileCheck } from './checks/files.ts';
import { hostNameCheck } from './checks/host-name.ts';
import { leftoverCheck } from './checks/leftover.ts';
import { listCheck, reportedCheck } from './checks/list.ts';
import { duplicateCheck, effectiveMacCheck, type Neighbours, neighboursOf } from './checks/mac.ts';
import { carrierCheck, mtuCheck, netdevCheck } from './checks/netdev.ts';
import { cachedCheck, settingChecks } from './checks/settings.ts';
import { claimsOn, hasVf, holdersOf, isForAll, isNameOfPf, saysWhoHasIt, sourceOf } from './claims-of.ts';
import { expectationOf } from './expectation.ts';
import { removeFile } from './mend.ts';
import type { Check, Inventory, PfState, VfClaim, VfState } from './model.ts';
import { isMeant, isSelected, notFound } from './select.ts';

/** Of one VF, in the order in which they are shown. */
function checksOn(audited: Audited, neighbours: Neighbours): Check[] {
  return [
    existsCheck(audited),
    driverCheck(audited),
    reportedCheck(audited),
    netdevCheck(audited),
    carrierCheck(audited),
    hostNameCheck(audited),
    ...settingChecks(audited),
    cachedCheck(audited),
    effectiveMacCheck(audited),
    duplicateCheck(audited, neighbours),
    mtuCheck(audited),
    leftoverCheck(audited),
    doubleClaimCheck(audited),
    pciFileCheck(audited),
    cacheFileCheck(audited),
  ];
}

function itemOf(
  inventory: Inventory,
  pf: PfState,
  vf: VfState,
  claims: readonly VfClaim[],
  neighbours: Neighbours,
): AuditItem {
  const own = claimsOn(pf, vf, claims);
  const holders = holdersOf(pf, vf, own);
  const expectation = expectationOf(own.filter((claim) => holders.includes(claim) || !saysWhoHasIt(claim)));
  const item = { pf, vf, claims: own, holders, expectation };
  return { ...item, checks: checksOn({ ...item, inventory, isIdle: holders.length === 0 }, neighbours) };
}

/** A claim on a VF that no PF has: the VF was removed under its container, or the file is of before. */
function orphanCheck(claim: VfClaim): NodeCheck {
  const { address, pf, vf, netns, netnsPath, pod, containerId, ifName } = claim;
  const who = pod || containerId || netnsPath || 'a container';
  const what = address !== '' ? address : vf !== undefined ? `${vf} of ${pf}` : `called ${ifName} in ${netnsPath}`;
  const isGone = claim.isEnded || (netnsPath !== '' && netns === undefined);
  const message = `must have the VF ${what}: ${who} has it by ${sourceOf(claim)}${isGone ? '; that one is gone, too' : ''}`;
  const isFile = claim.source === 'pci-file' || claim.source === 'sriov-cache';
  return {
    pf,
    ...check('claim-without-vf', isGone ? 'warn' : 'fail', message, {
      expected: what,
      actual: 'none',
      source: sourceOf(claim),
      fix: isFile ? removeFile(claim.origin, isGone) : undefined,
    }),
  };
}

/** A journal also knows of devices that are no VFs: only those that were asked to be like a VF count. */
function isOfVf({ source, settings }: VfClaim): boolean {
  return source === 'pci-file' || source === 'sriov-cache' || settings !== undefined;
}

/**
 * Compare. Checks that speak of several VFs (duplicate addresses) see all of the node, whatever is selected.
 * @param claims located (see `locateClaims`): `netns` is there when the namespace lives
 */
export function audit(inventory: Inventory, claims: readonly VfClaim[], selection: Selection): AuditReport {
  const { hostname: node, kernel, pfs } = inventory;
  const all = pfs.flatMap((pf) => {
    const neighbours = neighboursOf(pf);
    return pf.vfs.map((vf) => itemOf(inventory, pf, vf, claims, neighbours));
  });
  const items = all.filter((item) => isSelected(item, selection));
  const orphans = claims
    .filter((claim) => saysWhoHasIt(claim) && !isForAll(claim) && isOfVf(claim))
    .filter((claim) => !hasVf(claim, inventory) && isMeant(claim, pfs, selection));
  const isLookedAt = (pf: PfState): boolean => {
    if (selection.kind === 'node') return true;
    const isNamed = selection.kind === 'pf' && selection.vf === undefined && isNameOfPf(selection.pf, pf);
    return isNamed || items.some((item) => item.pf === pf);
  };
  const lists = pfs.filter(isLookedAt).map(listCheck);
  const unseen = selection.kind === 'node' ? inventory.problems : [];
  const namespaces = unseen.map((problem) => ({ pf: '', ...check('namespaces', 'unknown', problem) }));
  return {
    node,
    kernel,
    notFound: items.length + orphans.length > 0 ? '' : notFound(selection, inventory, claims),
    items,
    checks: [...lists, ...orphans.map(orphanCheck), ...namespaces],
  };
}

/** The report, with what could not be read of those who say who has a VF and what was asked. */
export function withProblems(report: AuditReport, problems: readonly string[]): AuditReport {
  const sources = problems.map((problem) => ({ pf: '', ...check('sources', 'unknown', problem) }));
  return { ...report, checks: [...report.checks, ...sources] };
}
