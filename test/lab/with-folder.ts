/** Folders that end with their use. */
import { mkdtempSync, rmSync } from 'node:fs';

const folders = new Set<string>();

/** Whoever still writes into it is being ended, hence the retries. */
const remove = (folder: string): void =>
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });

process.on('exit', () => folders.forEach(remove));

/**
 * A new folder, removed however `use` ends, `process.exit()` included. Who has renamed it keeps it.
 * @param prefix of its path
 */
export async function withFolder<T>(prefix: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(prefix);
  folders.add(folder);
  try {
    return await use(folder);
  } finally {
    folders.delete(folder);
    remove(folder);
  }
}
