/** How good is what is known: did the driver report each VF, and does the PF's list hold together? */
import type { NodeCheck } from '../audit-report.ts';
import type { Check, PfState } from '../model.ts';
import { type Audited, check } from './check.ts';

/** @returns "reported": the driver left this VF out, as some do while they are busy */
export function reportedCheck({ pf, vf }: Audited): Check {
  if (vf.reported !== undefined) return check('reported', 'pass', 'is in the list of its PF');
  if (problemOf(pf) !== undefined) {
    return check('reported', 'skipped', 'has settings that are not known: its PF does not tell of any VF');
  }
  const message = 'has settings that are not known: its driver left it out of the list, as some do while they are busy';
  return check('reported', 'unknown', message, { expected: 'in the list', actual: 'left out' });
}

/** Why nothing at all is known of the VFs' settings. */
function problemOf({ list, problem, numVfs, device }: PfState): (Partial<Check> & { message: string }) | undefined {
  if (list === undefined)
    return { message: `could not be asked for its VFs: ${problem || 'it has no network device'}` };
  if (!list.queryable && numVfs > 0) {
    const message = `has ${numVfs} VFs, but its driver ${device?.driver ?? ''} does not report their settings`;
    return { message, expected: 'a list of VFs', actual: 'none' };
  }
  if (list.truncated) {
    const message = `has a list of ${numVfs} VFs that the kernel cut: its length does not fit 16 bits, and it cannot be put right`;
    return { message, expected: `${numVfs} VFs`, actual: 'truncated' };
  }
  return undefined;
}

/** @returns "vf-list" of a PF */
export function listCheck(pf: PfState): NodeCheck {
  const { name, device, list, vfs, numVfs } = pf;
  if (numVfs === 0 && (list?.numVfs ?? 0) === 0) return { pf: name, ...check('vf-list', 'skipped', 'has no VFs') };
  const problem = problemOf(pf);
  if (problem !== undefined) return { pf: name, ...check('vf-list', 'unknown', problem.message, problem) };
  const told = list?.numVfs ?? null;
  const onBus = device?.numVfs;
  if (told !== null && onBus !== undefined && told !== onBus) {
    const message = `has ${onBus} VFs by the bus, but reports ${told}: they are being made or removed, or its driver is at odds`;
    return { pf: name, ...check('vf-list', 'fail', message, { expected: String(onBus), actual: String(told) }) };
  }
  const reported = vfs.filter((vf) => vf.reported !== undefined).length;
  return { pf: name, ...check('vf-list', 'pass', `reports ${reported} VFs`, { actual: String(reported) }) };
}
