// Content hashes and stamps: how the tools know that an output still belongs to its sources.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

function* filesUnder(root, path) {
  const full = join(root, path);
  if (!existsSync(full)) return;
  if (!statSync(full).isDirectory()) {
    yield path;
    return;
  }
  for (const name of readdirSync(full).sort()) yield* filesUnder(root, join(path, name));
}

/**
 * Hash over the names and contents of files and whole folders below `root`, and over `facts` (versions, flags).
 * A path that does not exist counts as empty, so that a bare clone can be asked too.
 */
export function fingerprint(root, paths, facts = []) {
  const hash = createHash('sha256');
  for (const path of paths.flatMap((path) => [...filesUnder(root, path)])) {
    const bytes = readFileSync(join(root, path));
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  for (const fact of facts) hash.update(`\0${fact}`);
  return hash.digest('hex');
}

/** What a stamp file says, '' when there is none. */
export function readStamp(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
