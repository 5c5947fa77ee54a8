/** `multus sriov verify` in a guest: the built program, as an operator runs it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { type Finished, run } from '../../lab/process.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** @param words after "multus sriov verify" */
export function verify(...words: string[]): Promise<Finished> {
  return run(process.execPath, [join(ROOT, 'dist', 'multus-cli'), 'sriov', 'verify', '--offline', ...words]);
}

// biome-ignore lint/suspicious/noExplicitAny: tests reach into the report, which the schema has checked
export type Report = any;

/** The same as JSON, which is as its schema says. */
export async function verifyJson(...words: string[]): Promise<{ report: Report; code: number | null }> {
  const { stdout, stderr, code } = await verify(...words, '-o', 'json');
  assert.is(stderr, '');
  const schema = JSON.parse(readFileSync(join(ROOT, 'docs', 'sriov-verify.schema.json'), 'utf8'));
  const validate = new Ajv2020({ allowUnionTypes: true }).compile(schema);
  const report = JSON.parse(stdout);
  assert.ok(validate(report), JSON.stringify(validate.errors));
  return { report, code };
}

/** "2 fail vlan" for everything that is not as it should be, by the index of the VF; "- ..." for PF and node. */
export function remarks({ items, checks }: Report): string[] {
  const isRemarkable = ({ status }: Report): boolean => ['fail', 'warn', 'unknown'].includes(status);
  const ofItem = ({ vf, checks: ofVf }: Report): string[] =>
    ofVf.filter(isRemarkable).map(({ status, id }: Report) => `${vf} ${status} ${id}`);
  return [
    ...items.flatMap(ofItem),
    ...checks.filter(isRemarkable).map(({ status, id }: Report) => `- ${status} ${id}`),
  ];
}
