/** `multus sriov verify --fix`: shows what would mend the node, asks, and does it, one change after the other. */
import { createInterface } from 'node:readline/promises';
import { CniCode, CniError } from '../../cni/errors.ts';
import { systemText } from '../../node/system-reason.ts';
import { applyFix } from '../../sriov/apply-fix.ts';
import type { AuditReport } from '../../sriov/audit-report.ts';
import { advicesOf, fixesOf, keyOf, type PlannedFix } from '../../sriov/fix.ts';
import { withVfLock } from '../../sriov/vf-lock.ts';
import { UsageError } from './verify-selection.ts';

export interface FixOptions {
  /** Do it without a question. */
  yes?: boolean;
  /** Only show it. */
  dryRun?: boolean;
}

export interface FixRun extends FixOptions {
  /** What was found. */
  report: AuditReport;
  /**
   * Look anew, at the same VFs.
   * @param isQuick what is wrong at the first glance is enough
   */
  look: (isQuick: boolean) => Promise<AuditReport>;
  /** sriov-cni's folder. */
  sriovDir: string;
  print: (text: string) => void;
  /** @default asks on the terminal */
  ask?: (question: string) => Promise<string>;
  /** @default applyFix */
  apply?: typeof applyFix;
}

export interface FixOutcome {
  /** The node as it is now. */
  report: AuditReport;
  done: number;
  /** Changes that were tried, and are needed all the same. */
  left: number;
}

/** @throws UsageError when nobody can be asked */
export function checkFixOptions({ yes = false, dryRun = false }: FixOptions, isTerminal: boolean): void {
  if (yes || dryRun || isTerminal) return;
  const remedy = 'add --yes to make the changes, or --dry-run to see them';
  throw new UsageError(`option '--fix' cannot ask before it changes anything: this is not a terminal; ${remedy}`);
}

async function askOnTerminal(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}

function changes(count: number): string {
  return count === 1 ? '1 change' : `${count} changes`;
}

function listed(fixes: readonly PlannedFix[]): string {
  return fixes.map(({ of, check, fix }) => `  ${fix.command}\n      ${of} ${check.message}\n`).join('');
}

/** What is left for people. */
function advice(report: AuditReport): string {
  const advices = advicesOf(report);
  if (advices.length === 0) return '';
  const lines = advices.map(({ of, command }) => `  ${command}\n      ${of}\n`).join('');
  return `For you to decide, since a pod or a virtual machine has the VF, or may have it:\n${lines}`;
}

/** Make one change, if looking again while sriov-cni is kept out still proposes it. */
async function mend(planned: PlannedFix, run: FixRun): Promise<void> {
  const key = keyOf(planned.fix.action);
  await withVfLock({ folder: run.sriovDir, address: planned.address }, async () => {
    const again = fixesOf(await run.look(true)).find(({ fix }) => keyOf(fix.action) === key);
    if (again === undefined) {
      const why = 'it is not, or not surely, what it was when it was looked at, and may be in use by now';
      throw new CniError(CniCode.verificationFailed, `not done: ${why}`);
    }
    await (run.apply ?? applyFix)(again.fix.action, run);
  });
}

async function mendAll(fixes: readonly PlannedFix[], run: FixRun): Promise<number> {
  let done = 0;
  for (const planned of fixes) {
    const { command } = planned.fix;
    try {
      await mend(planned, run);
      done += 1;
      run.print(`done: ${command}\n`);
    } catch (error) {
      run.print(`LEFT: ${command}\n      ${systemText(error as Error)}\n`);
    }
  }
  return done;
}

async function isAgreed(count: number, { yes = false, ask = askOnTerminal }: FixRun): Promise<boolean> {
  if (yes) return true;
  const answer = await ask(`Apply ${count === 1 ? 'this change' : `these ${count} changes`}? [y/N] `);
  return /^y(es)?$/i.test(answer.trim());
}

/**
 * Make the changes that a report proposes, then those that the node needs afterwards (a VF that came home is reset next),
 * until there are none that were not tried.
 * @throws what `look` throws
 */
export async function runFixes(run: FixRun): Promise<FixOutcome> {
  let { report } = run;
  const tried = new Set<string>();
  let done = 0;
  const isTried = ({ fix }: PlannedFix): boolean => tried.has(keyOf(fix.action));
  const outcome = (): FixOutcome => {
    run.print(advice(report));
    return { report, done, left: fixesOf(report).filter(isTried).length };
  };
  for (;;) {
    const fixes = fixesOf(report).filter((planned) => !isTried(planned));
    if (fixes.length === 0) {
      if (tried.size === 0) run.print('Nothing here can be mended by --fix.\n');
      return outcome();
    }
    run.print(`${changes(fixes.length)} would mend what is wrong:\n${listed(fixes)}`);
    if (run.dryRun === true) return outcome();
    if (!(await isAgreed(fixes.length, run))) {
      run.print(done === 0 ? 'Nothing was changed.\n' : 'Nothing more was changed.\n');
      return outcome();
    }
    for (const { fix } of fixes) tried.add(keyOf(fix.action));
    done += await mendAll(fixes, run);
    report = await run.look(false);
  }
}
