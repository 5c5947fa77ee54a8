/** What `multus sriov verify` prints for people: the VFs, a line for each thing that is not as it should be, the sum. */
import type { AuditItem, AuditReport } from '../../sriov/audit-report.ts';
import type { Check, CheckStatus } from '../../sriov/model.ts';
import { checksOf, isRemarkable, worstOf } from '../../sriov/verdict.ts';
import { formatTable } from '../table.ts';
import { NOTHING } from './cells.ts';
import { vfCells, vfHeadings } from './vf-columns.ts';

function headingsOf(isWide: boolean): string[] {
  return [...vfHeadings(isWide), ...(isWide ? ['ASKED-BY'] : []), 'STATUS'];
}

function rowOf({ pf, vf, holders, expectation, checks }: AuditItem, isWide: boolean): string[] {
  const asked = isWide ? [expectation.configuration || NOTHING] : [];
  return [...vfCells(pf, vf, holders, isWide), ...asked, worstOf(checks)];
}

function reasonRow(pf: string, vf: string, { id, status, message, source, fix }: Check): string[] {
  const whose = source === '' ? '' : ` [${source}]`;
  const mend = fix === undefined ? '' : `; mend: ${fix.command}`;
  return [status, pf || NOTHING, vf || NOTHING, id, `${message}${whose}${mend}`];
}

function reasons({ items, checks }: AuditReport): string[][] {
  return [
    ...items.flatMap(({ pf, vf, checks: ofVf }) =>
      ofVf.filter(isRemarkable).map((check) => reasonRow(pf.name, String(vf.index), check)),
    ),
    ...checks.filter(isRemarkable).map((check) => reasonRow(check.pf, '', check)),
  ];
}

const SHOWN: readonly CheckStatus[] = ['pass', 'fail', 'warn', 'unknown'];

function counted(statuses: readonly CheckStatus[]): string {
  const counts = SHOWN.map((status) => [statuses.filter((one) => one === status).length, status] as const);
  return counts
    .filter(([count], at) => count > 0 || at < 2)
    .map((pair) => pair.join(' '))
    .join(', ');
}

function sum(report: AuditReport): string {
  const { items, notFound, node, kernel } = report;
  if (notFound !== '') return `Not found: ${notFound}.\n`;
  if (items.length === 0 && report.checks.length === 0)
    return `No VF is on ${node} (Linux ${kernel}): nothing to verify. "multus sriov list" shows the PFs.\n`;
  const vfs = items.length === 1 ? '1 VF' : `${items.length} VFs`;
  const checks = checksOf(report).map(({ status }) => status);
  const ofVfs = items.map((item) => worstOf(item.checks));
  return `${vfs} on ${node} (Linux ${kernel}): ${counted(ofVfs)}. Checks: ${counted(checks)}.\n`;
}

const COLOURS = { pass: 32, fail: 31, warn: 33, unknown: 35, skipped: 0 } as const;

/** Colour the words of one column: the last of the first table, the first of the second. */
function coloured(table: string, word: RegExp): string {
  return table.replace(word, (status) => `\u001b[${COLOURS[status as CheckStatus]}m${status}\u001b[0m`);
}

/** @param isColoured for a terminal */
export function verifyTable(report: AuditReport, isWide = false, isColoured = false): string {
  const headings = headingsOf(isWide);
  const vfs = formatTable(
    headings,
    report.items.map((item) => rowOf(item, isWide)),
  );
  const rows = reasons(report);
  const why = formatTable(['STATUS', 'PF', 'VF', 'CHECK', 'REASON'], rows);
  const parts = [
    ...(report.items.length === 0 ? [] : [isColoured ? coloured(vfs, /(pass|fail|warn|unknown)$/gm) : vfs]),
    ...(rows.length === 0 ? [] : [isColoured ? coloured(why, /^(fail|warn|unknown)\b/gm) : why]),
    sum(report),
  ];
  return parts.join('\n');
}
