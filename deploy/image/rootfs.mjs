// Makes the root folder of the image: node deploy/image/rootfs.mjs PROGRAMS FOLDER
// The programs (of deploy/build-sea.mjs), the libraries that they are linked with, and nothing else: no shell, no package
// manager, no Node beside the one in the executable.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** Where the programs are in the image. The manifests name it. */
const PLACE = 'opt/multus-native';

/** Paths of the shared libraries of a program, the loader included: "libm.so.6 => /lib/... (0x...)", "/lib64/ld-... (0x...)". */
function librariesOf(program) {
  const lines = execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n');
  const missing = lines.find((line) => line.includes('not found'));
  if (missing !== undefined) throw new Error(`${program} needs a library that is not here: ${missing.trim()}`);
  return lines.map((line) => /(\/\S+) \(0x/.exec(line)?.[1]).filter((path) => path !== undefined);
}

/** Under the same path, with links followed. */
function copyInto(root, path) {
  const target = join(root, path);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(realpathSync(path), target);
}

function makeRootfs(programs, root) {
  rmSync(root, { recursive: true, force: true });
  for (const folder of ['etc', 'proc', 'run', 'sys', 'dev', 'tmp', 'var']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  // Runtimes name a pod's namespace /var/run/netns/...: the same as /run/netns/..., as on every distribution.
  symlinkSync('../run', join(root, 'var/run'));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/nonexistent\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');

  cpSync(programs, join(root, PLACE), { recursive: true, verbatimSymlinks: true });
  const linked = ['multus-standalone', 'multus_native.node'].map((name) => join(programs, name));
  for (const library of new Set(linked.flatMap(librariesOf))) copyInto(root, library);
}

const [programs, target] = process.argv.slice(2);
if (target === undefined || process.argv.length > 4) {
  console.error(`usage: node ${basename(process.argv[1])} PROGRAMS FOLDER`);
  process.exit(2);
}
makeRootfs(resolve(programs), resolve(target));
