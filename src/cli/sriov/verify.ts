/** `multus sriov verify`: are this node's VFs as they were asked for? */
import { setTimeout as sleep } from 'node:timers/promises';
import { audit, withProblems } from '../../sriov/audit.ts';
import type { AuditReport, Selection } from '../../sriov/audit-report.ts';
import { type InventoryOptions, takeInventory } from '../../sriov/inventory.ts';
import { locateClaims } from '../../sriov/locate-claims.ts';
import { checksOf, exitCodeOf } from '../../sriov/verdict.ts';
import { type ClaimOptions, collectClaims } from './claims.ts';
import { verifyJson } from './verify-json.ts';
import { verifyTable } from './verify-table.ts';

export interface VerifyOptions extends ClaimOptions {
  output: 'table' | 'wide' | 'json';
  /** Warnings and unknowns count as failures. */
  strict?: boolean;
  /** How often to look again while something fails or is unknown. */
  retry: number;
}

/** Drivers leave VFs out for some milliseconds, and an ADD or DEL may be under way. */
const RETRY_MS = 100;
const WATCH_MS = 2000;

async function lookOnce(selection: Selection, options: ClaimOptions, where: InventoryOptions): Promise<AuditReport> {
  const { claims, problems } = await collectClaims(options);
  const inventory = await takeInventory(where);
  const unlocated: string[] = [];
  const located = locateClaims(claims, inventory, unlocated);
  return withProblems(audit(inventory, located, selection), [...problems, ...unlocated]);
}

function isSettled(report: AuditReport, strict: boolean): boolean {
  return !checksOf(report).some(
    ({ status }) => status === 'fail' || status === 'unknown' || (strict && status === 'warn'),
  );
}

/**
 * Look, and look again while something fails or is unknown, or with `strict` is warned of: only what stays so is told.
 * @throws CniError of collectClaims; Error of the system when there is no /proc
 */
export async function takeReport(
  selection: Selection,
  options: ClaimOptions & Pick<VerifyOptions, 'retry' | 'strict'>,
  where: InventoryOptions = {},
): Promise<AuditReport> {
  for (let left = options.retry; ; left--) {
    const report = await lookOnce(selection, options, where);
    if (left <= 0 || isSettled(report, options.strict ?? false)) return report;
    await sleep(RETRY_MS);
  }
}

/** The report as it was asked for, and the exit code. */
export function printed(
  report: AuditReport,
  { output, strict = false }: Pick<VerifyOptions, 'output' | 'strict'>,
  isTerminal = false,
  isOneOfMany = false,
): { output: string; exitCode: number } {
  const exitCode = exitCodeOf(report, { strict });
  if (output === 'json') return { output: verifyJson(report, exitCode, isOneOfMany), exitCode };
  return { output: verifyTable(report, output === 'wide', isTerminal), exitCode };
}

/**
 * Look every two seconds until the signal; a report is told when it is not as the one before (JSON: one on each line).
 * @param say is told what to print
 * @returns the exit code of the last report
 */
export async function watch(
  selection: Selection,
  options: VerifyOptions,
  say: (output: string) => void,
  signal: AbortSignal,
  isTerminal = false,
  everyMs = WATCH_MS,
): Promise<number> {
  for (let last = ''; ; ) {
    const { output, exitCode } = printed(await takeReport(selection, options), options, isTerminal, true);
    if (output !== last) {
      say(options.output === 'json' ? output : `${new Date().toISOString()}\n${output}\n`);
      last = output;
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return exitCode;
  }
}
