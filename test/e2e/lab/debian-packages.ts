/** Debian packages of any suite, unpacked into the cache: the machine's own packages and apt's lists stay as they are. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { must, run } from '../../lab/process.ts';
import { withFolder } from '../../lab/with-folder.ts';
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
  const lists = join(scratch, 'lists');
  mkdirSync(join(lists, 'partial'), { recursive: true });
  // a machine of a bare image has no lists, or old ones: then by ones of our own
  const own = `apt-get -qq -o Dir::State::Lists=${lists} -o APT::Sandbox::User=root`;
  const download = 'download debian-archive-keyring';
  const get = `apt-get -qq ${download} || { ${own} update && ${own} ${download}; }`;
  await must('sh', '-c', `cd ${scratch} && { ${get}; } && dpkg -x *.deb keys`);
  return join(scratch, 'keys', KEYRING);
}

/** An apt of its own that knows one suite and no installed packages. */
interface Apt {
  /** Where it downloads to. */
  folder: string;
  options: string[];
}

async function makeApt(suite: string, scratch: string): Promise<Apt> {
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
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  await must('apt-get', '-qq', ...options, 'update');
  return { folder: join(scratch, 'cache', 'archives'), options };
}

function withApt<T>(suite: string, use: (apt: Apt) => Promise<T>): Promise<T> {
  return withFolder(join(tmpdir(), 'multus-apt-'), async (scratch) => use(await makeApt(suite, scratch)));
}

/** @param name also `name=version` @returns the package's file */
async function download({ folder, options }: Apt, name: string): Promise<string> {
  // apt-get puts the file where it is run
  await must('env', '-C', folder, 'apt-get', '-qq', ...options, 'download', name);
  const file = readdirSync(folder).find((one) => one.startsWith(`${name.replace(/=.*/, '')}_`) && one.endsWith('.deb'));
  if (file === undefined) throw new Error(`apt-get downloaded no ${name}`);
  return join(folder, file);
}

const versionOf = (file: string): string => decodeURIComponent(basename(file).split('_')[1] ?? '');

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
  if (missing.length > 0) {
    await withApt(suite, async (apt) => {
      for (const name of missing) {
        const file = await download(apt, name);
        await cached(join(folder, `${name}_${versionOf(file)}`), async (draft) => {
          await must('dpkg', '-x', file, draft);
        });
      }
    });
  }
  return names.map((name) => {
    const found = find(folder, name);
    if (found === undefined) throw new Error(`${name} of ${suite} is not in ${join(CACHE, folder)}`);
    return found;
  });
}

/**
 * Packages and all that they depend on, in one folder: with a libc of their own they run on any distribution.
 * @param use what to do with the folder; it is removed afterwards
 * @throws Error with what apt says
 */
export async function withDebianClosure<T>(
  suite: string,
  names: readonly string[],
  use: (folder: string) => Promise<T>,
): Promise<T> {
  return withApt(suite, async (apt) => {
    const install = ['install', '--yes', '--download-only', '--no-install-recommends', ...names];
    await must('apt-get', '-qq', ...apt.options, ...install);
    const files = readdirSync(apt.folder).filter((one) => one.endsWith('.deb'));
    const folder = join(apt.folder, 'unpacked');
    for (const file of files) await must('dpkg', '-x', join(apt.folder, file), folder);
    return use(folder);
  });
}

/** @throws Error when the suite has no package whose name is like that */
async function newestName(suite: string, { options }: Apt, pattern: RegExp): Promise<string> {
  const names = (await must('apt-cache', ...options, 'pkgnames')).split('\n').filter((one) => pattern.test(one));
  const name = names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
  if (name === undefined) throw new Error(`${suite} has no package like ${pattern}`);
  return name;
}

/**
 * The newest of a suite's packages whose names differ by their versions, as those of kernels do.
 * @param pattern of the name
 * @param use what to do with it; it is removed afterwards
 * @param pinned `name=version`, taken instead while the suite has it
 * @throws Error with what apt says, or when no name is like that
 */
export async function withNewestPackage<T>(
  suite: string,
  pattern: RegExp,
  use: (unpacked: DebianPackage) => Promise<T>,
  pinned = '',
): Promise<T> {
  return withApt(suite, async (apt) => {
    const hasPinned = pinned !== '' && (await run('apt-cache', [...apt.options, 'show', pinned])).code === 0;
    const [name = ''] = (hasPinned ? pinned : await newestName(suite, apt, pattern)).split('=');
    const file = await download(apt, hasPinned ? pinned : name);
    const folder = join(apt.folder, 'unpacked');
    await must('dpkg', '-x', file, folder);
    return use({ name, version: versionOf(file), folder });
  });
}
