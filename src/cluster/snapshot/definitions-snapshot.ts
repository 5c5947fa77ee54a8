/**
 * The network attachment definitions of the cluster as they were last seen, on the node's disk: pods start after a reboot
 * although no API server answers yet, and beside a daemon that does not run.
 *
 * Two lines: a header with format, time and checksum, and the definitions.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../node/make-folder.ts';
import { writeWholeFile } from '../../node/whole-file.ts';
import { field, listAt, textAt } from '../object-fields.ts';
import { objectKey } from '../record-objects.ts';
import type { DefinitionRecord } from '../source.ts';

const FORMAT = 1;

/** Names of containers begin with a letter or a digit: the journal has no such file. */
export function snapshotPath(cniDir: string): string {
  return join(cniDir, '.definitions.json');
}

/** `problem`: there is one, and it cannot be used. */
export type Snapshot =
  | { outcome: 'found'; takenAt: string; definitions: ReadonlyMap<string, DefinitionRecord> }
  | { outcome: 'none' }
  | { outcome: 'problem'; reason: string };

function sum(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** @throws CniError 5; the file is then as it was */
export async function writeSnapshot(cniDir: string, definitions: Iterable<DefinitionRecord>): Promise<void> {
  const body = JSON.stringify([...definitions]);
  const header = JSON.stringify({ format: FORMAT, takenAt: new Date().toISOString(), sha256: sum(body) });
  makeFolder(cniDir, 0o700);
  await writeWholeFile(snapshotPath(cniDir), `${header}\n${body}\n`, 0o600);
}

/** @throws Error or TypeError */
function parseSnapshot(text: string): Snapshot {
  const [first = '', body = ''] = text.split('\n');
  const header: unknown = JSON.parse(first);
  const format = field(header, 'format');
  if (format !== FORMAT) throw new Error(`its format is ${String(format)}, this version reads ${FORMAT}`);
  if (field(header, 'sha256') !== sum(body)) throw new Error('its checksum does not fit its content');
  const list = listAt({ list: JSON.parse(body) }, 'list', 'definitions') as DefinitionRecord[];
  const entries = list.map((one): [string, DefinitionRecord] => [objectKey(one.namespace, one.name), one]);
  return { outcome: 'found', takenAt: textAt(header, 'takenAt', 'takenAt'), definitions: new Map(entries) };
}

/** What is in a state directory. Never throws. */
export function readSnapshot(cniDir: string): Snapshot {
  const path = snapshotPath(cniDir);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { outcome: 'none' };
    return { outcome: 'problem', reason: `cannot read ${path}: ${(error as Error).message}` };
  }
  try {
    return parseSnapshot(text);
  } catch (error) {
    return { outcome: 'problem', reason: `cannot use ${path}: ${(error as Error).message}` };
  }
}
