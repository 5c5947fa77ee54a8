/** Debian's kernels for QEMU: of a package of 100 MB the cache keeps the image and the modules that the lab loads. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cached } from '../../e2e/lab/cache.ts';
import { withNewestPackage } from '../../e2e/lab/debian-packages.ts';
import { digest, unpack } from './qemu-tools.ts';

/** A series of kernels → the suite that has it, and how its packages are named. */
const SERIES: Record<string, { suite: string; pattern: RegExp }> = {
  '6.1': { suite: 'bookworm', pattern: /^linux-image-6\.1\.\d+-\d+-amd64$/ },
  '6.12': { suite: 'trixie', pattern: /^linux-image-6\.12\.\d+\+deb\d+-amd64$/ },
};

/** What the guest loads, with parameters; what these depend on comes before them. */
const MODULES = [
  // to reach its root and to speak
  'virtio_pci',
  '9pnet_virtio',
  '9p',
  'overlay',
  'virtio_console',
  // SR-IOV
  'igb',
  'igbvf',
  'vfio-pci',
  // what delegates make; without parameters two of them make a link each
  '8021q',
  'ipvlan',
  'macvlan',
  'dummy numdummies=0',
  'vrf',
  'bonding max_bonds=0',
  'veth',
  'bridge',
] as const;

export interface Kernel {
  /** `uname -r` of it. */
  release: string;
  image: string;
  /** In the order in which they can be loaded. */
  modules: { file: string; parameters: string }[];
}

/** As the kernel has it: `vfio_pci` of `vfio-pci`. */
const plain = (name: string): string => name.replaceAll('-', '_');

const nameOf = (module: string): string => plain(module.split(' ', 1)[0] ?? '');

const parametersOf = (module: string): string => module.split(' ').slice(1).join(' ');

/** What a module says of itself (`.modinfo`: strings `key=value` that end with a zero). */
function dependencies(module: Buffer): string[] {
  const start = module.indexOf('\0depends=');
  if (start === -1) throw new Error('it has no "depends="');
  const value = module.subarray(start + 9, module.indexOf(0, start + 9)).toString();
  return value === '' ? [] : value.split(',').map(plain);
}

/** All modules of a package by name. */
function modulesIn(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const name = /([^/]+)\.ko(\.xz)?$/.exec(path)?.[1];
    if (name !== undefined) found.set(plain(name), join(folder, path));
  }
  return found;
}

/**
 * Copy what the guest loads out of a package, unpacked where it is compressed.
 * @returns names, dependencies first
 */
async function pickModules(folder: string, target: string): Promise<string[]> {
  const files = modulesIn(join(folder, 'kernel'));
  const builtIn = readFileSync(join(folder, 'modules.builtin'), 'utf8').split('\n');
  const present = new Set(builtIn.map((path) => plain(basename(path, '.ko'))));
  const picked: string[] = [];
  const pick = async (name: string): Promise<void> => {
    if (present.has(name)) return;
    present.add(name);
    const file = files.get(name);
    if (file === undefined) throw new Error(`the kernel's package has no module ${name}`);
    const packed = readFileSync(file);
    const module = file.endsWith('.ko') ? packed : await unpack(packed);
    writeFileSync(join(target, `${name}.ko`), module);
    for (const dependency of dependencies(module)) await pick(dependency);
    picked.push(name);
  };
  for (const module of MODULES) await pick(nameOf(module));
  return picked;
}

/**
 * The kernel that unpacks itself, unpacked: an emulated processor takes seconds for it.
 * Where it lies: Documentation/arch/x86/boot.rst, setup_sects, payload_offset and payload_length.
 */
async function unpackImage(image: string, target: string): Promise<void> {
  const file = readFileSync(image);
  const start = (file.readUInt8(0x1f1) + 1) * 512 + file.readUInt32LE(0x248);
  const payload = file.subarray(start, start + file.readUInt32LE(0x24c));
  // its last four bytes are its length unpacked
  writeFileSync(target, await unpack(payload.subarray(0, -4)));
}

/** Fill `folder` with `image`, `release`, `modules/` and `order`. */
async function keep(unpacked: string, folder: string): Promise<void> {
  // /lib leads to /usr/lib, or not yet
  const isMerged = existsSync(join(unpacked, 'usr', 'lib', 'modules'));
  const parent = join(unpacked, isMerged ? 'usr/lib/modules' : 'lib/modules');
  const [release = ''] = readdirSync(parent);
  mkdirSync(join(folder, 'modules'));
  const order = await pickModules(join(parent, release), join(folder, 'modules'));
  writeFileSync(join(folder, 'order'), order.join('\n'));
  writeFileSync(join(folder, 'release'), release);
  await unpackImage(join(unpacked, 'boot', `vmlinuz-${release}`), join(folder, 'image'));
}

/**
 * The newest kernel of a series that the archive had when it was first asked.
 * @param series "6.1", "6.12"
 * @throws Error when there is no such series, or with what apt says
 */
export async function debianKernel(series: string): Promise<Kernel> {
  const source = SERIES[series];
  if (source === undefined) throw new Error(`no kernel "${series}": it is one of ${Object.keys(SERIES).join(', ')}`);
  const folder = await cached(`kernel-${series}-${digest(MODULES)}`, (draft) =>
    withNewestPackage(source.suite, source.pattern, (unpacked) => keep(unpacked.folder, draft)),
  );
  const order = readFileSync(join(folder, 'order'), 'utf8').split('\n');
  const parameters = new Map(MODULES.map((module) => [nameOf(module), parametersOf(module)]));
  return {
    release: readFileSync(join(folder, 'release'), 'utf8'),
    image: join(folder, 'image'),
    modules: order.map((name) => ({
      file: join(folder, 'modules', `${name}.ko`),
      parameters: parameters.get(name) ?? '',
    })),
  };
}
