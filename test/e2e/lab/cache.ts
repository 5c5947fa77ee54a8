/** What is slow to get is kept between runs, under the checksum or the version of what it is; all works without it. */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { withFolder } from '../../lab/with-folder.ts';

/** As .ci/run has it. */
export const CACHE = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'multus-native');

/**
 * A folder of the cache.
 * @param name its path in the cache
 * @param make fills the folder it is given; whoever is last of several processes finds the work done
 * @returns the folder's path
 */
export async function cached(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(CACHE, name);
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  await withFolder(`${folder}.draft-`, async (draft) => {
    await make(draft);
    try {
      renameSync(draft, folder);
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  });
  return folder;
}
