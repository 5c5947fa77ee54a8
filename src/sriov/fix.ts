/** What `multus sriov verify --fix` would do: the changes that mend the checks of a report, and in which order. */
import type { AuditItem, AuditReport } from './audit-report.ts';
import type { Check, Fix, FixAction } from './model.ts';

/** A change that a program may make. */
export interface PlannedFix {
  /** For people: "enp1s0 VF 3 (0000:01:10.6)", "the node". */
  of: string;
  /** PCI address of the VF, by which sriov-cni locks it; '' when it has none. */
  address: string;
  /** What it mends. */
  check: Check;
  fix: Fix & { action: FixAction };
}

/** A device comes home before it is renamed and set. */
const ORDER: readonly FixAction['kind'][] = ['move-to-host', 'rename', 'set-vf', 'remove-file'];

/** Two changes are the same when this is: what is changed, and into what. */
export function keyOf(action: FixAction): string {
  switch (action.kind) {
    case 'set-vf': {
      const { netns, link } = action.pf;
      return JSON.stringify([action.kind, netns.dev, netns.ino, link.index, action.vf, action.settings]);
    }
    case 'rename':
    case 'move-to-host': {
      const { netns, link } = action.place;
      return JSON.stringify([action.kind, netns.dev, netns.ino, link.index, link.mac, action.name]);
    }
    case 'remove-file':
      return JSON.stringify([action.kind, action.path]);
  }
}

function nameOf({ pf, vf }: AuditItem): string {
  return `${pf.name} VF ${vf.index}${vf.device === undefined ? '' : ` (${vf.device.address})`}`;
}

/** Of what fails or is doubtful. */
function isToBeMended({ status }: Check): boolean {
  return status === 'fail' || status === 'warn';
}

function planned(checks: readonly Check[], of: string, address: string): PlannedFix[] {
  return checks.filter(isToBeMended).flatMap((check) => {
    const { fix } = check;
    return fix?.action === undefined ? [] : [{ of, address, check, fix: { ...fix, action: fix.action } }];
  });
}

/** The files tell whose a VF was, and how it was before: they go when there is nothing else to mend of it. */
function withoutEarlyRemovals(fixes: readonly PlannedFix[]): PlannedFix[] {
  const isRemoval = ({ fix }: PlannedFix): boolean => fix.action.kind === 'remove-file';
  const unmended = new Set(fixes.filter((one) => !isRemoval(one)).map(({ of }) => of));
  return fixes.filter((one) => !isRemoval(one) || !unmended.has(one.of));
}

/** Every change that would mend something at present, each once, in the order in which they are to be made. */
export function fixesOf({ items, checks }: AuditReport): PlannedFix[] {
  const all = [
    ...items.flatMap((item) => planned(item.checks, nameOf(item), item.vf.device?.address ?? '')),
    ...checks.flatMap((one) => planned([one], one.pf === '' ? 'the node' : `PF ${one.pf}`, '')),
  ];
  const byKey = new Map(all.map((one) => [keyOf(one.fix.action), one]));
  const rank = ({ fix }: PlannedFix): number => ORDER.indexOf(fix.action.kind);
  return withoutEarlyRemovals([...byKey.values()]).sort((a, b) => rank(a) - rank(b));
}

/** What only a person may do: commands for VFs that pods have, each once. */
export function advicesOf({ items, checks }: AuditReport): { of: string; command: string }[] {
  const found = [
    ...items.flatMap((item) => item.checks.filter(isToBeMended).map(({ fix }) => ({ of: nameOf(item), fix }))),
    ...checks.filter(isToBeMended).map(({ pf, fix }) => ({ of: pf === '' ? 'the node' : `PF ${pf}`, fix })),
  ];
  const commands = found.flatMap(({ of, fix }) =>
    fix === undefined || fix.action !== undefined ? [] : [{ of, command: fix.command }],
  );
  return [...new Map(commands.map((one) => [one.command, one])).values()];
}
