/** `multus ps`: what the journal says is attached on this node, and what could not be detached. */
import { existsSync } from 'node:fs';
import { adopt } from '../attach/foreign/adopt.ts';
import { ForeignRecord } from '../attach/foreign/foreign-state.ts';
import { Journal } from '../attach/journal.ts';
import type { JournalAttachment, JournalRecord } from '../attach/journal-record.ts';
import { NO_NETNS } from '../attach/record-netns.ts';
import { parseResult } from '../cni/result.ts';
import { formatTable } from './table.ts';

export interface PsOptions {
  cniDir: string;
  json?: boolean;
}

/** A file, or a part of one, that cannot be read, beside those that can. */
interface Unreadable {
  containerId: string;
  problem: string;
}

function age(createdAt: string): string {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(createdAt)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}

function addressesOf({ result, network, cniVersion }: JournalAttachment): string {
  if (result === '') return '-';
  try {
    return (
      parseResult(result, network, cniVersion)
        .ips.map(({ address }) => address)
        .join(' ') || '-'
    );
  } catch {
    return '-'; // it could not be read, which is why the attachment is being undone
  }
}

/** A record, and who made it when that was not us. */
interface Listed {
  record: JournalRecord;
  attachedBy?: string;
}

function stateOf(attachment: JournalAttachment, { record, attachedBy }: Listed): string {
  const { state } = attachment;
  if (attachedBy !== undefined) return `${attachment.result === '' ? 'unknown' : state} (by ${attachedBy})`;
  return record.complete || state === 'detaching' ? state : `${state} (unfinished ADD)`;
}

function rowsOf(listed: Listed): string[][] {
  const { record } = listed;
  return record.attachments.map((attachment) => [
    record.containerId.slice(0, 13),
    record.pod || '-',
    attachment.network,
    attachment.ifName,
    stateOf(attachment, listed),
    addressesOf(attachment),
    attachment.link?.mac || '-',
    age(record.createdAt),
    [...attachment.warnings, ...(attachment.lastError === '' ? [] : [attachment.lastError])].join('; ') || '-',
  ]);
}

/** @returns what to print, and the exit code: 1 when a file could not be read */
export function ps(options: PsOptions): { output: string; errors: string; exitCode: number } {
  const journal = new Journal(options.cniDir);
  const records: Listed[] = [];
  const unreadable: Unreadable[] = [];
  for (const containerId of journal.list()) {
    try {
      const found = journal.find(containerId);
      if (found instanceof ForeignRecord) {
        const { record, lost } = adopt(found, undefined, { netns: NO_NETNS });
        records.push({ record, attachedBy: found.program });
        unreadable.push(...lost.map((problem) => ({ containerId, problem })));
      } else if (found !== undefined) {
        records.push({ record: found });
      }
    } catch (error) {
      unreadable.push({ containerId, problem: (error as Error).message });
    }
  }
  const headings = ['CONTAINER', 'POD', 'NETWORK', 'IFNAME', 'STATE', 'ADDRESSES', 'MAC', 'AGE', 'REMARKS'];
  const exitCode = unreadable.length > 0 ? 1 : 0;
  if (options.json === true) {
    const containers = records.map(({ record, ...attachedBy }) => ({ ...record, ...attachedBy }));
    return { output: `${JSON.stringify({ containers, unreadable }, null, 2)}\n`, errors: '', exitCode };
  }
  const output = records.length === 0 ? '' : formatTable(headings, records.flatMap(rowsOf));
  const where = existsSync(options.cniDir) ? options.cniDir : `${options.cniDir} does not exist`;
  const nothing = records.length + unreadable.length === 0 ? `Nothing is attached (${where}).\n` : '';
  return { output, errors: nothing + unreadable.map(({ problem }) => `${problem}\n`).join(''), exitCode };
}
