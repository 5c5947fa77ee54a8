/** The file that says what counts for the whole node, read from where it lies. */
import { readFileSync } from 'node:fs';
import { decodeUtf8, RawObject } from '../cni/raw-json.ts';
import { systemReason } from '../node/system-reason.ts';
import { type DaemonConfig, DEFAULT_DAEMON_CONFIG, parseDaemonConfig } from '../pod/daemon-config.ts';
import { StartError } from './start-error.ts';

/**
 * The daemon's file.
 * @param named on the command line: then it must be there; else the usual one is read when it is
 * @returns undefined when there is none
 * @throws CniError 6 or 7, StartError 1
 */
export function readDaemonConfig(named: string | undefined, usual = DEFAULT_DAEMON_CONFIG): DaemonConfig | undefined {
  const path = named ?? usual;
  const what = `daemon configuration ${path}`;
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (named === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StartError(1, `Cannot read ${what}: ${systemReason(error)}`);
  }
  return parseDaemonConfig(RawObject.parse(decodeUtf8(bytes, what), what), what);
}
