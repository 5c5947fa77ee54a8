/** The demo's folder, which is also its lock: one demo on a machine at a time, kept or running. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Journal } from '../../src/attach/journal.ts';
import { Lab } from '../lab/lab.ts';
import { until } from '../lab/process.ts';

/** Fixed, because the manifests name it for their address ranges. */
export const DEMO_DIRECTORY = '/run/multus-demo';
const NOTE = join(DEMO_DIRECTORY, 'demo.json');

interface Kept {
  demoPid: number;
  daemonPid: number;
  labId: string;
  /** Folders of manifests that pods were attached from. */
  manifests: string[];
}

/** @throws Error that says how to end the other demo */
export function claimDirectory(): void {
  if (existsSync(DEMO_DIRECTORY)) {
    throw new Error(`${DEMO_DIRECTORY} exists: a demo runs or was kept; end it with "npm run demo -- --clean"`);
  }
  mkdirSync(DEMO_DIRECTORY, { mode: 0o700 });
}

/** Note what there is to clean, for --clean of another process. */
export function writeNote(kept: Kept): void {
  writeFileSync(NOTE, JSON.stringify(kept));
}

function isOurs(pid: number, word: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
  } catch {
    return false; // it has ended
  }
}

/** Where the pods' status was; who finds something in it keeps it. @returns those that stay */
export function dropStatusFolders(manifests: readonly string[]): string[] {
  const folders = manifests.map((folder) => join(folder, 'status')).filter((folder) => existsSync(folder));
  return folders.filter((folder) => {
    try {
      rmdirSync(folder);
      return false;
    } catch {
      return true;
    }
  });
}

/** Detach first: a user's own manifests may keep addresses outside the demo's folder. */
export async function cleanUp(lab: Lab, manifests: readonly string[]): Promise<void> {
  for (const container of new Journal(lab.stateDir).list()) await lab.cni('DEL', { container, pod: container });
  await lab.close();
  dropStatusFolders(manifests);
}

/** End a demo that was kept, or killed before it could clean up. @returns false when there is none */
export async function cleanKept(): Promise<boolean> {
  if (!existsSync(DEMO_DIRECTORY)) return false;
  if (existsSync(NOTE)) {
    const { demoPid, daemonPid, labId, manifests } = JSON.parse(readFileSync(NOTE, 'utf8')) as Kept;
    if (isOurs(demoPid, 'demo.ts')) throw new Error(`a demo is running as process ${demoPid}; interrupt it there`);
    if (isOurs(daemonPid, DEMO_DIRECTORY)) {
      process.kill(daemonPid, 'SIGTERM');
      await until('the kept daemon has ended', () => !isOurs(daemonPid, DEMO_DIRECTORY), 15_000);
    }
    await cleanUp(await Lab.reopen(DEMO_DIRECTORY, labId), manifests);
  }
  rmSync(DEMO_DIRECTORY, { recursive: true, force: true });
  return true;
}
