/** Debian packages of any suite, unpacked into the cache: the machine's own packages and apt's lists stay as they are. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '../../lab/process.ts';
import { CACHE, cached } from './cache.ts';

const ARCHIVE = 'http://deb.debian.org/debian';
const KEYRING = 'usr/share/keyrings/debian-archive-keyring.gpg';

export interface DebianPackage {
  name: string;
  /** Debian's: `1.6.20~ds1-1+deb12u3`. */
  version: string;
  /** What would be `/` after its installation. */
  folder: string;
}

/** Where it has Debian's archive's keys: Ubuntu has them in a package. */
async function keyring(scratch: string): Promise<string> {
  const installed = join('/', KEYRING);
  if (existsSync(installed)) return installed;
  await must('sh', '-c', `cd ${scratch} && apt-get -q download debian-archive-keyring && dpkg -x *.deb keys`);
  return join(scratch, 'keys', KEYRING);
}

/** An apt of its own, that knows one suite. @returns apt's options */
async function aptOf(suite: string, scratch: string): Promise<string[]> {
  for (const folder of ['state/lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(scratch, folder), { recursive: true });
  }
  const sources = join(scratch, 'sources.list');
  const status = join(scratch, 'status');
  writeFileSync(sources, `deb [signed-by=${await keyring(scratch)}] ${ARCHIVE} ${suite} main\n`);
  writeFileSync(status, '');
  const settings = {
    'Dir::Etc::SourceList': sources,
    'Dir::Etc::SourceParts': '-',
    'Dir::State': join(scratch, 'state'),
    'Dir::State::Status': status,
    'Dir::Cache': join(scratch, 'cache'),
    'Acquire::Languages': 'none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
    'APT::Sandbox::User': 'root',
    'Acquire::Retries': '3',
  };
  return Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
}

async function download(suite: string, names: readonly string[], folder: string): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'multus-apt-'));
  try {
    const options = await aptOf(suite, scratch);
    await must('apt-get', '-qq', ...options, 'update');
    for (const name of names) {
      // apt-get puts the file where it is run
      await must('env', '-C', scratch, 'apt-get', '-qq', ...options, 'download', name);
      const file = readdirSync(scratch).find((one) => one.startsWith(`${name}_`) && one.endsWith('.deb'));
      if (file === undefined) throw new Error(`apt-get downloaded no ${name} of ${suite}`);
      const version = decodeURIComponent(file.split('_')[1] ?? '');
      await cached(join(folder, `${name}_${version}`), async (draft) => {
        await must('dpkg', '-x', join(scratch, file), draft);
      });
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function find(folder: string, name: string): DebianPackage | undefined {
  const path = join(CACHE, folder);
  const names = existsSync(path) ? readdirSync(path) : [];
  const found = names.filter((one) => one.startsWith(`${name}_`) && !one.includes('.draft-')).sort();
  const last = found.at(-1);
  return last === undefined ? undefined : { name, version: last.slice(name.length + 1), folder: join(path, last) };
}

/**
 * Packages of a suite: what the cache has, else what the archive has now. `sid` moves with time; remove the folder
 * `debian-sid-*` of the cache to move along.
 * @throws Error with what apt says
 */
export async function debianPackages(suite: string, ...names: string[]): Promise<DebianPackage[]> {
  const folder = `debian-${suite}-${process.arch}`;
  const missing = names.filter((name) => find(folder, name) === undefined);
  if (missing.length > 0) await download(suite, missing, folder);
  return names.map((name) => {
    const found = find(folder, name);
    if (found === undefined) throw new Error(`${name} of ${suite} is not in ${join(CACHE, folder)}`);
    return found;
  });
}
