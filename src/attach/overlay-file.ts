/**
 * `<socketDir>/overlay.json`: the daemon writes there what counts for every request of the node, the standalone program
 * and the shim (its `binDir`) read it. Both ways into the program see one configuration then; with a daemon-wide `cniDir`,
 * say, a DEL without the daemon would otherwise look for its journal in another directory.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CniCode, CniError } from '../cni/errors.ts';
import { decodeUtf8, RawObject } from '../cni/raw-json.ts';
import { makeFolder } from '../node/make-folder.ts';
import type { Overlay } from '../pod/overlay.ts';
import { DEFAULT_SOCKET_DIR } from '../wire/http.ts';

const FILE_NAME = 'overlay.json';

/** Keep the overlay on disk, whole, beyond the daemon's end; an empty one leaves no file. @throws system errors */
export function writeOverlay(socketDir: string, overlay: Overlay): void {
  const path = join(socketDir, FILE_NAME);
  if (Object.keys(overlay).length === 0) {
    rmSync(path, { force: true });
    return;
  }
  makeFolder(socketDir, 0o700);
  const draft = join(socketDir, `.${FILE_NAME}.tmp`);
  rmSync(draft, { force: true });
  const fd = openSync(draft, 'wx', 0o600);
  try {
    writeFileSync(fd, RawObject.parse('{}', path).with(overlay).text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, path);
}

/**
 * The overlay for a request with this configuration, by its `daemonSocketDir`; nothing when there is none.
 * @throws CniError 5 when it cannot be read, 6 when it is not a JSON object
 */
export function readOverlay(config: RawObject): Overlay {
  const named = config.value('daemonSocketDir');
  const path = join(typeof named === 'string' && named !== '' ? named : DEFAULT_SOCKET_DIR, FILE_NAME);
  const what = `the daemon's configuration for this node, ${path}`;
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return {};
    throw new CniError(CniCode.ioFailure, `Cannot read ${what}: ${(error as Error).message}`, { cause: error });
  }
  const overlay = RawObject.parse(decodeUtf8(bytes, what), what);
  return Object.fromEntries(overlay.keys().map((key) => [key, overlay.raw(key) ?? 'null']));
}
