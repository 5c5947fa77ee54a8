/** Tests in a lab of their own, through either way into the program: with a daemon, and without one. */
import { basename } from 'node:path';
import { test } from 'uvu';
import type { Door } from '../../src/attach/locks.ts';
import { isRoot, Lab } from './lab.ts';
import { PATIENCE } from './process.ts';

/** In user-mode Linux, where a process costs ten times as much, one: what is asked of another kernel is the same. */
export const DOORS: readonly Door[] = process.env['MULTUS_LAB'] === 'uml' ? ['daemon'] : ['daemon', 'standalone'];

/** Longer than any deadline inside a test: what still runs then hangs, and must not keep its lab. */
const TEST_LIMIT_MS = 60_000;

let isSkipped = false;

/** Say so once for the file. */
function skipFile(): void {
  if (isSkipped) return;
  isSkipped = true;
  console.log(`SKIPPED: ${basename(process.argv[1] ?? '')}: needs root`);
  test.skip('needs root');
}

async function withLimit(work: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the test did not end within ${limitMs} ms`)), limitMs);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/**
 * A test with a lab that nobody else uses; it is closed whatever the test does.
 * @param create makes the lab: one with a host of its own by default
 */
export function inLab(
  name: string,
  body: (lab: Lab) => Promise<void>,
  limitMs = TEST_LIMIT_MS,
  create: () => Promise<Lab> = () => Lab.create(),
): void {
  if (!isRoot) {
    skipFile();
    return;
  }
  test(name, async () => {
    const lab = await create();
    try {
      await withLimit(body(lab), limitMs * PATIENCE);
    } catch (error) {
      if (lab.daemonLog !== '') console.error(`--- log of multusd in "${name}"\n${lab.daemonLog}---`);
      throw error;
    } finally {
      await lab.close();
    }
  });
}

/** The same test with a daemon and without one. */
export function eachDoor(
  name: string,
  body: (lab: Lab, door: Door) => Promise<void>,
  create: () => Promise<Lab> = () => Lab.create(),
): void {
  for (const door of DOORS) {
    const withDoor = async (lab: Lab): Promise<void> => {
      if (door === 'daemon') await lab.startDaemon();
      await body(lab, door);
    };
    inLab(`${name} (${door})`, withDoor, TEST_LIMIT_MS, create);
  }
}
