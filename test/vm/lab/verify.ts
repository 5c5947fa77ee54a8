/**
 * `multus sriov verify` in a guest. In this process, for the most part: a program takes seconds to start on the processor
 * that QEMU emulates.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { printed, takeReport, type VerifyOptions } from '../../../src/cli/sriov/verify.ts';
import { type SelectionOptions, selectionOf } from '../../../src/cli/sriov/verify-selection.ts';
import { type Finished, run } from '../../lab/process.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** The built program, as an operator runs it. @param words after "multus sriov verify" */
export function verifyProgram(...words: string[]): Promise<Finished> {
  return run(process.execPath, [join(ROOT, 'dist', 'multus-cli'), 'sriov', 'verify', '--offline', ...words]);
}

// biome-ignore lint/suspicious/noExplicitAny: tests reach into the report, which the schema has checked
export type ReportJson = any;

export interface Verified {
  table: string;
  report: ReportJson;
  exitCode: number;
}

const schema = JSON.parse(readFileSync(join(ROOT, 'docs', 'sriov-verify.schema.json'), 'utf8'));
const validate = new Ajv2020({ allowUnionTypes: true }).compile(schema);

/** @returns the report as the command prints it; as JSON it is as its schema says */
export async function verify(
  selection: SelectionOptions,
  options: Pick<VerifyOptions, 'cniDir'> & Partial<VerifyOptions>,
): Promise<Verified> {
  const report = await takeReport(selectionOf(selection), { retry: 0, offline: true, ...options });
  const { output: table, exitCode } = printed(report, { ...options, output: 'table' });
  const json = JSON.parse(printed(report, { ...options, output: 'json' }).output);
  assert.ok(validate(json), JSON.stringify(validate.errors));
  return { table, report: json, exitCode };
}

/** "2 fail vlan" for everything that is not as it should be, by the index of the VF; "- ..." for PF and node. */
export function remarks({ report: { items, checks } }: Verified): string[] {
  const isRemarkable = ({ status }: ReportJson): boolean => ['fail', 'warn', 'unknown'].includes(status);
  const linesOf = (name: string, all: ReportJson[]): string[] =>
    all.filter(isRemarkable).map(({ status, id }) => `${name} ${status} ${id}`);
  return [...items.flatMap((item: ReportJson) => linesOf(String(item.vf), item.checks)), ...linesOf('-', checks)];
}
