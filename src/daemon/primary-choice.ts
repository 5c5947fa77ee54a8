/** Which file of a folder is the primary configuration: the node's own network configuration, which we wrap. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';

/**
 * How long the primary may be away before that means anything. Cilium, for one, removes its file when its agent stops
 * and writes it when the next one is up; a node that is not ready in between takes its pods out of all services.
 */
export const GRACE_MS = 60_000;

const EXTENSIONS = ['.conf', '.conflist'];
const OWN_PREFIX = '00-multus';

/** The path of the primary, or why there is none. */
export type Found = { path: string } | { path: undefined; reason: string };

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false; // gone meanwhile, or a link that leads nowhere
  }
}

/** As a runtime would choose without us, and as Multus does: the first by name. */
function firstByName(folder: string): Found {
  try {
    const names = readdirSync(folder).sort();
    const name = names.find(
      (one) => EXTENSIONS.includes(extname(one)) && !one.startsWith(OWN_PREFIX) && isFile(join(folder, one)),
    );
    if (name !== undefined) return { path: join(folder, name) };
    const others = names.length === 0 ? 'it is empty' : `it has ${names.slice(0, 10).join(', ')}`;
    return { path: undefined, reason: `there is no .conf or .conflist file in ${folder} besides ours; ${others}` };
  } catch (error) {
    return { path: undefined, reason: `cannot read folder ${folder}: ${(error as Error).message}` };
  }
}

function named(folder: string, name: string): Found {
  const path = join(folder, name);
  return isFile(path) ? { path } : { path: undefined, reason: `"multusMasterCNI" ${path} is not there` };
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

/** Follows the primary of one folder: another one takes its place when it is before it by name, or it stays away. */
export class PrimaryChoice {
  private readonly folder: string;
  private readonly master: string;
  /** '' until there was one. */
  private path: string;
  private awaySince: number | undefined;

  /**
   * @param master the name of its file; '' = the first by name
   * @param remembered the primary of the daemon before this one; '' when there was none
   */
  constructor(folder: string, master: string, remembered: string) {
    this.folder = folder;
    this.master = master;
    this.path = dirname(remembered) === folder ? remembered : '';
  }

  /** @param now milliseconds of a clock that only goes forward */
  find(now: number): Found {
    if (this.master !== '') return named(this.folder, this.master);
    const found = firstByName(this.folder);
    if (this.path !== '' && found.path !== this.path && !isBefore(found.path, this.path)) {
      this.awaySince ??= now;
      if (now - this.awaySince < GRACE_MS) return { path: undefined, reason: this.awayReason(found.path) };
    }
    if (found.path !== undefined) {
      this.path = found.path;
      this.awaySince = undefined;
    }
    return found;
  }

  private awayReason(next: string | undefined): string {
    const follow = next === undefined ? '' : `; ${basename(next)} takes its place when it stays away`;
    return `the primary configuration ${this.path} is gone${follow}`;
  }
}

function isBefore(path: string | undefined, other: string): boolean {
  return path !== undefined && basename(path) < basename(other);
}
