// Makes the root folder of the image from dist/: node deploy/image/rootfs.mjs FOLDER
// Node, the libraries that it is linked with, the programs, and nothing else: no shell, no package manager.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = join(resolve(dirname(fileURLToPath(import.meta.url)), '..', '..'), 'dist');

/** Where the programs are in the image. The manifests name it. */
const PROGRAMS = 'opt/multus-native';

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

function makeRootfs(root) {
  rmSync(root, { recursive: true, force: true });
  for (const folder of ['etc', 'proc', 'run', 'sys', 'dev', 'tmp', 'usr/bin', 'var', PROGRAMS]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  // Runtimes name a pod's namespace /var/run/netns/...: the same as /run/netns/..., as on every distribution.
  symlinkSync('../run', join(root, 'var/run'));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/nonexistent\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');

  cpSync(process.execPath, join(root, 'usr/bin/node'));
  for (const name of readdirSync(dist)) {
    if (!name.endsWith('.map')) cpSync(join(dist, name), join(root, PROGRAMS, name));
  }
  const linked = [process.execPath, join(dist, 'multus_native.node')];
  for (const library of new Set(linked.flatMap(librariesOf))) copyInto(root, library);
}

const target = process.argv[2];
if (target === undefined || process.argv.length > 3) {
  console.error(`usage: node ${basename(process.argv[1])} FOLDER`);
  process.exit(2);
}
makeRootfs(resolve(target));
