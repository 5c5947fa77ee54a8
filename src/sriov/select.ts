/** Which VFs an operator means, and what to say when there are none. */
import { quote } from '../cni/quote.ts';
import type { AuditItem, Selection } from './audit-report.ts';
import { isNameOfPf, isSameNetns, saysWhoHasIt } from './claims-of.ts';
import type { Inventory, PfState, VfClaim } from './model.ts';

/** Networks are called "name" or "namespace/name". */
function isNetwork(wanted: string, { network }: VfClaim): boolean {
  return network === wanted || network.endsWith(`/${wanted}`);
}

function isOfPod({ pod, network }: { pod: string; network?: string }, claim: VfClaim): boolean {
  return claim.pod === pod && saysWhoHasIt(claim) && (network === undefined || isNetwork(network, claim));
}

/** Is it this VF, by where it is or by where somebody says that it is? */
function isInNetns(
  { vf, claims }: AuditItem,
  netns: { dev: string; ino: string },
  ifName: string | undefined,
): boolean {
  const isThere = vf.places.some(
    (place) => isSameNetns(place.netns, netns) && (ifName === undefined || place.link.name === ifName),
  );
  const isClaimed = claims.some(
    (claim) =>
      claim.netns !== undefined && isSameNetns(claim.netns, netns) && (ifName === undefined || claim.ifName === ifName),
  );
  return isThere || isClaimed;
}

/** Does the selection mean this VF? */
export function isSelected(item: AuditItem, selection: Selection): boolean {
  const { pf, vf, claims } = item;
  switch (selection.kind) {
    case 'node':
      return true;
    case 'pod':
      return claims.some((claim) => isOfPod(selection, claim));
    case 'netns':
      return selection.netns !== undefined && isInNetns(item, selection.netns, selection.ifName);
    case 'pf':
      return isNameOfPf(selection.pf, pf) && (selection.vf === undefined || selection.vf === vf.index);
    case 'pci':
      return vf.device?.address === selection.address;
  }
}

/** Does it mean a VF by this claim, wherever that VF is? */
export function isMeant(claim: VfClaim, pfs: readonly PfState[], selection: Selection): boolean {
  switch (selection.kind) {
    case 'node':
      return true;
    case 'pod':
      return isOfPod(selection, claim);
    case 'netns': {
      const { netns, ifName } = selection;
      if (netns === undefined || claim.netns === undefined || !isSameNetns(claim.netns, netns)) return false;
      return ifName === undefined || claim.ifName === ifName;
    }
    case 'pf': {
      const pf = pfs.find((one) => isNameOfPf(selection.pf, one));
      return pf !== undefined && isNameOfPf(claim.pf, pf) && (selection.vf === undefined || selection.vf === claim.vf);
    }
    case 'pci':
      return claim.address === selection.address;
  }
}

function namesOf(pfs: readonly PfState[]): string {
  return pfs.length === 0 ? 'this node has no PF with VFs' : `PFs here: ${pfs.map(({ name }) => name).join(', ')}`;
}

/** Why nothing was selected: what was looked for, and what there is instead. */
export function notFound(selection: Selection, { pfs, problems }: Inventory, claims: readonly VfClaim[]): string {
  const unseen = problems.length === 0 ? '' : `; but not all could be looked at: ${problems.join('; ')}`;
  switch (selection.kind) {
    case 'node':
      return '';
    case 'pod': {
      const { pod, network } = selection;
      const networks = claims.filter((claim) => isOfPod({ pod }, claim)).map((claim) => claim.network);
      if (networks.length === 0) return `no VF of pod ${quote(pod)} is known on this node${unseen}`;
      return `pod ${quote(pod)} has no VF of network ${quote(network ?? '')}, only of ${[...new Set(networks)].join(', ')}${unseen}`;
    }
    case 'netns': {
      const { path, netns, ifName } = selection;
      if (netns === undefined) return `${path} leads to no network namespace`;
      return `no VF ${ifName === undefined ? '' : `called ${quote(ifName)} `}is in ${path}${unseen}`;
    }
    case 'pf': {
      const pf = pfs.find((one) => isNameOfPf(selection.pf, one));
      if (pf === undefined) return `no PF with VFs is called ${quote(selection.pf)}; ${namesOf(pfs)}${unseen}`;
      return selection.vf === undefined ? '' : `PF ${pf.name} has ${pf.numVfs} VFs, and no VF ${selection.vf}`;
    }
    case 'pci':
      return `no VF is at ${selection.address}; ${namesOf(pfs)}${unseen}`;
  }
}
