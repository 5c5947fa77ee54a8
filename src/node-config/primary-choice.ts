/**
 * Which file of a folder is the primary configuration: the node's own network configuration, which we wrap.
 *
 * The first by name that could be it, as a runtime would choose without us; but what has been the primary for SETTLE_MS
 * is remembered, and stays it as long as it is there. A file that comes before it later (a left-over, another program's)
 * must not move the pods of a node to another network. Until then an earlier one is followed at once: when a node is set
 * up, its network's agents write their files one after the other.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { quote } from '../cni/quote.ts';
import {
  type Candidate,
  CILIUM_SUFFIX,
  type FolderContent,
  isFile,
  loadIfUsable,
  readPrimaryFolder,
} from './primary-candidates.ts';
import { type Identity, identityOf, type RememberedPrimary, recognise } from './primary-memory.ts';

/**
 * How long the primary may be away before that means anything. Cilium, for one, removes its file when its agent stops
 * and writes it when the next one is up; a node that is not ready in between takes its pods out of all services.
 */
export const GRACE_MS = 60_000;

/** How long a primary has to be one before it is remembered. */
export const SETTLE_MS = 60_000;

export const CILIUM_REMEDY = 'set cni.exclusive=false in the configuration of Cilium';

/** The path of the primary, and what an operator should know of the choice; or why there is none. */
export type Found = { path: string; remarks: string[] } | { path: undefined; reason: string };

export interface PrimaryOptions {
  /** Name of its file when it is named ("multusMasterCNI"); '' = to be chosen. */
  master: string;
  /** The `type` under which the runtime knows us. */
  ownType: string;
  /** What was remembered of another run. */
  remembered?: RememberedPrimary | undefined;
  /** Path of the primary that the file in place wraps, which nobody may have remembered. '' when there is none. */
  wrapped?: string;
}

/** The primary that a generated file at `path` wraps; '' when there is no such file, or it is not a generated one. */
export function wrappedPrimary(path: string): string {
  try {
    const { clusterNetwork } = JSON.parse(readFileSync(path, 'utf8'));
    return typeof clusterNetwork === 'string' ? clusterNetwork : '';
  } catch {
    return '';
  }
}

function renamedHint(path: string): string {
  if (!existsSync(path + CILIUM_SUFFIX)) return '';
  return `: Cilium renamed it to ${basename(path)}${CILIUM_SUFFIX}; ${CILIUM_REMEDY}, and rename it back`;
}

function noneReason(folder: string, { others, renamed }: FolderContent): string {
  const none = `there is no .conf or .conflist file in ${folder} that could be the node's network`;
  const hint = renamed.length === 0 ? [] : [`Cilium renamed ${renamed.join(', ')}: ${CILIUM_REMEDY}`];
  const notes = [...others.slice(0, 10), ...hint];
  if (notes.length === 0) return none;
  return `${none}; ${notes.join('; ')}${others.length === 0 ? '' : '; "multusMasterCNI" can name one of them'}`;
}

/** Follows the primary of one folder. */
export class PrimaryChoice {
  private readonly folder: string;
  private readonly options: PrimaryOptions;
  private remembered: Identity | undefined;
  /** The one in use; undefined until there was one. */
  private current: Identity | undefined;
  private chosenAt: number | undefined;
  private awaySince: number | undefined;

  constructor(folder: string, options: PrimaryOptions) {
    const { remembered, wrapped = '' } = options;
    this.folder = folder;
    this.options = options;
    this.remembered = remembered?.folder === folder ? remembered : undefined;
    const left = dirname(wrapped) === folder ? { file: basename(wrapped), name: '', types: [] } : undefined;
    this.current = this.remembered ?? left;
  }

  /** What is to be remembered; undefined until there is something. */
  get memory(): RememberedPrimary | undefined {
    return this.remembered === undefined ? undefined : { folder: this.folder, ...this.remembered };
  }

  /** @param now milliseconds of a clock that only goes forward */
  find(now: number): Found {
    if (this.options.master !== '') return this.named(this.options.master, now);
    let content: FolderContent;
    try {
      content = readPrimaryFolder(this.folder, this.options.ownType);
    } catch (error) {
      return { path: undefined, reason: `cannot read folder ${this.folder}: ${(error as Error).message}` };
    }
    const known = this.remembered === undefined ? undefined : recognise(this.remembered, content.candidates);
    if (known !== undefined) return this.take(known, content, now);
    const first = content.candidates[0];
    if (this.isAway(first, content, now)) return { path: undefined, reason: this.awayReason(first) };
    if (first === undefined) return { path: undefined, reason: noneReason(this.folder, content) };
    return this.take(first, content, now);
  }

  private named(file: string, now: number): Found {
    const path = join(this.folder, file);
    if (!isFile(path)) return { path: undefined, reason: `"multusMasterCNI" ${path} is not there${renamedHint(path)}` };
    const one = { file, network: loadIfUsable(path) };
    return this.take(one, { candidates: [one] }, now);
  }

  /** Is the one in use gone, and its time to come back not over? */
  private isAway(first: Candidate | undefined, { candidates }: FolderContent, now: number): boolean {
    if (this.current === undefined || recognise(this.current, candidates) !== undefined) return false;
    const isFollowed = this.remembered === undefined && first !== undefined && first.file < this.current.file;
    if (isFollowed) return false;
    this.awaySince ??= now;
    return now - this.awaySince < GRACE_MS;
  }

  private take(found: Candidate, { candidates }: Pick<FolderContent, 'candidates'>, now: number): Found {
    const { file, network } = found;
    const path = join(this.folder, file);
    this.awaySince = undefined;
    // What cannot be used is not chosen, but nor is another one in its place: it may be half written.
    if (network === undefined) return { path, remarks: [] };
    const before = this.remembered;
    if (this.current?.file !== file) this.chosenAt = now;
    this.chosenAt ??= now;
    this.current = identityOf(file, network);
    const isKnown = before !== undefined && recognise(before, candidates) === found;
    const isSettled = isKnown || this.options.master !== '' || now - this.chosenAt >= SETTLE_MS;
    if (isSettled) this.remembered = this.current;
    const passedOver = candidates.slice(0, candidates.indexOf(found)).map((one) => passedOverRemark(one.file, file));
    return { path, remarks: [...changeRemark(before, this.current), ...passedOver] };
  }

  private awayReason(first: Candidate | undefined): string {
    const path = join(this.folder, this.current?.file ?? '');
    const next = first === undefined ? '' : `; ${first.file} takes its place when it stays away`;
    return `the primary configuration ${path} is gone${renamedHint(path)}${next}`;
  }
}

function passedOverRemark(file: string, primary: string): string {
  return `${file} comes before ${primary}, which stays the primary; to change that, name it in "multusMasterCNI"`;
}

/** A node's pods get another network from now on: nobody must have to find that out. */
function changeRemark(before: Identity | undefined, after: Identity): string[] {
  if (before === undefined || (before.file === after.file && before.name === after.name)) return [];
  const text = ({ file, name }: Identity): string => `${file} (network ${quote(name)})`;
  return [`the primary configuration was ${text(before)} and is ${text(after)} now`];
}
