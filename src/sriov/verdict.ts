/** From many checks to one word, and to the exit code of `multus sriov verify`. */
import type { AuditReport } from './audit-report.ts';
import type { Check, CheckStatus } from './model.ts';

/** The worse, the later. */
const SEVERITY: readonly CheckStatus[] = ['skipped', 'pass', 'unknown', 'warn', 'fail'];

/** The worst of them; "skipped" of none. */
export function worstOf(checks: readonly Check[]): CheckStatus {
  return checks.reduce<CheckStatus>(
    (worst, { status }) => (SEVERITY.indexOf(status) > SEVERITY.indexOf(worst) ? status : worst),
    'skipped',
  );
}

/** Every check of a report: of its VFs, of their PFs, of the node. */
export function checksOf({ items, checks }: AuditReport): Check[] {
  return [...items.flatMap((item) => item.checks), ...checks];
}

/** Is it for people to look at? */
export function isRemarkable({ status }: Check): boolean {
  return status === 'fail' || status === 'warn' || status === 'unknown';
}

/**
 * 4 what was selected is not there; 1 something fails, or with `strict` is warned of or unknown; 3 something is unknown; 0
 * all is well. In this order: an unknown never hides a failure. (2 is wrong usage: then there is no report.)
 */
export function exitCodeOf(report: AuditReport, { strict = false } = {}): 0 | 1 | 3 | 4 {
  if (report.notFound !== '') return 4;
  const has = (status: CheckStatus): boolean => checksOf(report).some((check) => check.status === status);
  if (has('fail') || (strict && (has('warn') || has('unknown')))) return 1;
  return has('unknown') ? 3 : 0;
}
