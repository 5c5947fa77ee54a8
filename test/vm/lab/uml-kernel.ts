/** Kernels for user-mode Linux: one built from Debian's newest source, one of Debian's own. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { cached } from '../../e2e/lab/cache.ts';
import { type DebianPackage, debianPackages, withNewestPackage } from '../../e2e/lab/debian-packages.ts';
import { must, run } from '../../lab/process.ts';

const SOURCE = { suite: 'trixie-backports', name: 'linux-source-7.2', version: '7.2.12-1~bpo13+1' };
const CONFIG = join(import.meta.dirname, 'uml.config');
/** What kernels are built with, besides gcc and make; programs of the oldest Debian run on all later ones. */
const TOOLS = { suite: 'bookworm', names: ['flex', 'bison', 'm4', 'libsigsegv2', 'bc', 'libreadline8', 'xz-utils'] };

/** Most of the source, of which no user-mode kernel is made. What is left has all that a configuration refers to. */
const UNUSED = [
  'drivers/gpu',
  'drivers/media',
  'drivers/net/ethernet',
  'drivers/net/wireless',
  'drivers/staging',
  'sound',
];

export interface Kernel {
  /** The kernel's program. */
  program: string;
  /** Whether it can have more than one processor, which is also how its processes are traced. */
  isFast: boolean;
  /** Where its modules are, as `/lib/modules` has them; '' when all is built in. */
  modules: string;
}

/** What finds tools in a folder. */
function toolVariables(root: string): Record<string, string> {
  return {
    PATH: [process.env['PATH'], join(root, 'usr', 'bin')].join(delimiter),
    LD_LIBRARY_PATH: ['usr/lib', 'lib'].map((one) => join(root, one, 'x86_64-linux-gnu')).join(delimiter),
    BISON_PKGDATADIR: join(root, 'usr', 'share', 'bison'),
    M4: join(root, 'usr', 'bin', 'm4'),
  };
}

/** Build the source of a package. @param target gets `linux`, the kernel, and `config`, all that was chosen */
async function build(unpacked: string, target: string): Promise<void> {
  const packages = await debianPackages(TOOLS.suite, ...TOOLS.names);
  // one folder for all of them: a package's own has its version in its name, which may have the colons of a PATH
  const tools = join(unpacked, 'tools');
  mkdirSync(tools);
  for (const { folder } of packages) await must('cp', '-a', `${folder}/.`, tools);
  const env = { ...process.env, ...toolVariables(tools), KCONFIG_ALLCONFIG: CONFIG };
  const archive = readdirSync(join(unpacked, 'usr', 'src')).find((name) => name.endsWith('.tar.xz')) ?? '';
  const tree = join(unpacked, 'tree');
  const excluded = UNUSED.map((one) => `--exclude='*/${one}/*.[ch]'`).join(' ');
  const make = `make -s ARCH=um -j${availableParallelism()}`;
  const steps = [
    // idle or not, a session has its share of the processors: see "autogroup" in sched(7)
    'if chrt -p $$ | grep -q SCHED_IDLE; then echo 19 >/proc/$$/autogroup || true; fi',
    `mkdir ${tree}`,
    `tar -x -f usr/src/${archive} -C ${tree} --strip-components=1 ${excluded}`,
    `cd ${tree}`,
    `${make} allnoconfig`,
    `${make} linux`,
    `strip -s -o ${target}/linux linux`,
    `cp .config ${target}/config`,
  ];
  const { code, stdout, stderr } = await run('sh', ['-ec', steps.join('\n')], { cwd: unpacked, env });
  if (code !== 0) throw new Error(`the kernel was not built: ${(stderr || stdout).trim().slice(-2000)}`);
}

/** Of the source that the tests are known with; of the suite's newest once the archive has it no more. */
async function newest(): Promise<Kernel> {
  const { suite, name, version } = SOURCE;
  const digest = createHash('sha256').update(version).update(readFileSync(CONFIG)).digest('hex').slice(0, 16);
  const make = async (source: DebianPackage, draft: string): Promise<void> => {
    const other = source.version === version ? '' : `, since ${suite} has no ${version} any more`;
    console.error(
      `building a kernel of Debian's source ${source.version}${other}: this takes minutes, and is done once`,
    );
    await build(source.folder, draft);
  };
  const folder = await cached(`uml-${digest}`, (draft) =>
    withNewestPackage(suite, /^linux-source-\d+\.\d+$/, (source) => make(source, draft), `${name}=${version}`),
  );
  return { program: join(folder, 'linux'), isFast: true, modules: '' };
}

async function debians(suite: string): Promise<Kernel> {
  const [found] = await debianPackages(suite, 'user-mode-linux');
  const root = found?.folder ?? '';
  return { program: join(root, 'usr/bin/linux.uml'), isFast: false, modules: join(root, 'usr/lib/uml/modules') };
}

const KERNELS: Record<string, () => Promise<Kernel>> = { '7.x': newest, '6.1': () => debians('bookworm') };

/** Names for `umlKernel()`. */
export const UML_KERNELS = Object.keys(KERNELS);

/**
 * A kernel, from the cache if it has it.
 * @param name one of `UML_KERNELS`
 * @throws Error on other machines than x86-64, or with what apt or the compiler says
 */
export async function umlKernel(name: string): Promise<Kernel> {
  if (process.arch !== 'x64') throw new Error(`user-mode Linux is made for x86-64, this machine is ${process.arch}`);
  const get = KERNELS[name];
  if (get === undefined) throw new Error(`no kernel "${name}": it is one of ${UML_KERNELS.join(', ')}`);
  return get();
}
