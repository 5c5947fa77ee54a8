/** Which container of the journal is the one in which a pod runs now, and may its networks be changed? */
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { requireSettled } from '../../attach/hotplug/hotplug-record.ts';
import { Journal } from '../../attach/journal.ts';
import { hasRuntimeAdd, type JournalRecord } from '../../attach/journal-record.ts';
import { isNetnsGone } from '../../attach/record-netns.ts';
import { parseArgs } from '../../cni/args.ts';
import { bootId } from '../../node/boot-id.ts';
import { podIdentity } from '../../pod/identity.ts';

export interface PodContainer {
  record: JournalRecord;
  cniDir: string;
}

/** What is remembered of a file of the journal. */
interface Seen {
  stamp: string;
  /** '' for what is no record of ours. */
  pod: string;
  createdAt: string;
}

function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat?.isFile() === true ? `${stat.ino} ${stat.mtimeNs} ${stat.size}` : '';
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith('.'));
  } catch {
    return []; // not made yet
  }
}

/** Our own record of a container; undefined when there is none that can be used. */
function readRecord(cniDir: string, containerId: string): JournalRecord | undefined {
  try {
    return new Journal(cniDir).read(containerId);
  } catch {
    return undefined; // another program's, or damaged: DEL and the reconciler tell
  }
}

/** Why nothing of a container may be changed now; undefined when it may. */
function reasonToWait(record: JournalRecord, uid: string): string | undefined {
  const recorded = podIdentity(parseArgs(record.attachments[0]?.args ?? ''))?.uid ?? '';
  if (uid !== '' && recorded !== '' && uid !== recorded) {
    return `it is of pod UID ${recorded}, the pod has UID ${uid} now`; // a static pod's mirror has one of its own
  }
  if (record.bootId !== bootId() || isNetnsGone(record)) return 'its network namespace is gone';
  if (!hasRuntimeAdd(record)) return 'another program attached it';
  if (record.attachments.some(({ asked }) => asked === undefined)) {
    return 'an earlier version attached it, or another program, and nobody can tell which networks the pod had asked for';
  }
  try {
    requireSettled(record);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A file of the journal, of whichever program. */
interface Listed extends Seen {
  cniDir: string;
  containerId: string;
}

/** The clock of files stands still for some milliseconds: what was changed just now may have been changed once more. */
const STILL_MS = 100;

export class PodContainers {
  private readonly directories: () => Iterable<string>;
  private readonly seen = new Map<string, Seen>();
  private readonly listed = new Map<string, { stamp: string; list: Listed[] }>();

  /** @param directories state directories that are looked after */
  constructor(directories: () => Iterable<string>) {
    this.directories = directories;
  }

  /**
   * A pod's newest container.
   * @param pod `namespace/name`
   * @param uid the pod's; '' when the cluster has none
   * @returns why it is left alone, where that is so
   */
  find(pod: string, uid: string): PodContainer | string {
    const all = [...this.directories()].flatMap((cniDir) => this.list(cniDir));
    const [newest] = all.filter((one) => one.pod === pod).sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    const record = newest && readRecord(newest.cniDir, newest.containerId);
    if (newest === undefined || record === undefined) {
      return 'the journal has no container of it: it was not attached yet, or by another program';
    }
    const reason = reasonToWait(record, uid);
    return reason === undefined ? { record, cniDir: newest.cniDir } : `container ${record.containerId}: ${reason}`;
  }

  /** Each file of the journal is written anew under its name, which changes the folder: there are hundreds of them. */
  private list(cniDir: string): Listed[] {
    const stat = statSync(cniDir, { bigint: true, throwIfNoEntry: false });
    const stamp = `${stat?.ino} ${stat?.mtimeNs}`;
    const before = this.listed.get(cniDir);
    if (before?.stamp === stamp) return before.list;
    const list = namesIn(cniDir).map((containerId) => ({ ...this.look(cniDir, containerId), cniDir, containerId }));
    const names = new Set(list.map(({ containerId }) => join(cniDir, containerId)));
    for (const path of this.seen.keys()) if (dirname(path) === cniDir && !names.has(path)) this.seen.delete(path);
    const isStill = stat !== undefined && Date.now() - Number(stat.mtimeMs) > STILL_MS;
    if (isStill) this.listed.set(cniDir, { stamp, list });
    return list;
  }

  /** A file that is as it was is not read again. */
  private look(cniDir: string, containerId: string): Seen {
    const path = join(cniDir, containerId);
    const stamp = stampOf(path);
    const known = this.seen.get(path);
    if (known?.stamp === stamp) return known;
    const record = stamp === '' ? undefined : readRecord(cniDir, containerId);
    const seen = { stamp, pod: record?.pod ?? '', createdAt: record?.createdAt ?? '' };
    this.seen.set(path, seen);
    return seen;
  }
}
