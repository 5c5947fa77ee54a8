// What building and testing need from the operating system, and how to get it on Debian and Ubuntu.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runQuietly } from './run-quietly.mjs';

const PATH = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
const CNI_PATH = [process.env.CNI_BIN_DIR, '/opt/cni/bin', '/usr/lib/cni'].filter(Boolean);

// `build` is what a compile needs, `test` is everything; `dirs` are searched for all of `files`, each in any of them.
const PACKAGES = [
  { name: 'g++', stage: 'build', files: ['g++'], dirs: PATH, why: 'compiles native/' },
  { name: 'make', stage: 'build', files: ['make'], dirs: PATH, why: 'node-gyp drives it' },
  { name: 'python3', stage: 'build', files: ['python3'], dirs: PATH, why: 'node-gyp runs on it' },
  { name: 'iproute2', stage: 'test', files: ['ip'], dirs: PATH, why: 'tests make network namespaces' },
  { name: 'iputils-ping', stage: 'test', files: ['ping'], dirs: PATH, why: 'tests send packets' },
  {
    name: 'containernetworking-plugins',
    stage: 'test',
    files: ['bridge', 'host-local', 'loopback', 'macvlan', 'portmap', 'static', 'tuning'],
    dirs: CNI_PATH,
    why: 'tests delegate to them',
  },
];

function isPresent({ files, dirs }) {
  return files.every((file) => dirs.some((dir) => existsSync(join(dir, file))));
}

/** The packages that `stage` ('build' or 'test') needs and the machine lacks. */
export function missingPackages(stage) {
  return PACKAGES.filter((one) => stage === 'test' || one.stage === 'build').filter((one) => !isPresent(one));
}

function aptInstall(names) {
  // Another apt on the machine is waited for instead of failing on its lock.
  const args = ['install', '--yes', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...names];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    runQuietly('apt-get', args, { env });
  } catch {
    // Package lists are absent (fresh container image) or out of date: only then is an update worth its time.
    runQuietly('apt-get', ['update', '-o', 'DPkg::Lock::Timeout=300'], { env });
    runQuietly('apt-get', args, { env });
  }
}

/** Install packages by apt; throws with what to install by hand where that is not possible. */
export function installPackages(packages) {
  const names = packages.map((one) => one.name);
  const byHand = `apt-get install ${names.join(' ')}`;
  if (!existsSync('/usr/bin/apt-get')) {
    const files = packages.flatMap((one) => one.files).join(', ');
    throw new Error(
      `There is no apt-get here. Install what provides ${files} (on Debian: ${byHand}); ` +
        `CNI plugins are looked for in ${CNI_PATH.join(', ')} (set CNI_BIN_DIR for another folder).`,
    );
  }
  if (process.getuid() !== 0) throw new Error(`Not root, cannot install them. Run: sudo ${byHand}`);
  aptInstall(names);
  const still = packages.filter((one) => !isPresent(one)).map((one) => one.name);
  if (still.length > 0) throw new Error(`apt-get installed ${still.join(', ')}, but the files are not where expected`);
}
