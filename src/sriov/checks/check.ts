/** How a check is written down. */
import type { AuditItem } from '../audit-report.ts';
import type { Check, CheckStatus, Inventory } from '../model.ts';

/** A VF with all that is known of it, before there is a verdict. */
export interface Audited extends Omit<AuditItem, 'checks'> {
  inventory: Inventory;
  /** No container has it. */
  isIdle: boolean;
}

/**
 * @param message a sentence without its subject, which is the VF: "must have VLAN 210, it has 211"
 * @param more expected, actual, source and fix, where there are any
 */
export function check(id: string, status: CheckStatus, message: string, more: Partial<Check> = {}): Check {
  return { id, status, expected: '', actual: '', source: '', message, fix: undefined, ...more };
}
