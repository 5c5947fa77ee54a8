/** QEMU, and what unpacks kernels: programs of Debian's that run on any distribution. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cached } from '../../e2e/lab/cache.ts';
import { debianPackages, withDebianClosure } from '../../e2e/lab/debian-packages.ts';
import { must } from '../../lab/process.ts';

/** Its QEMU has igb (since 8.0). */
const SUITE = 'trixie';
const PACKAGES = ['qemu-system-x86', 'xz-utils', 'zstd'];
const PROGRAMS = ['qemu-system-x86_64', 'xz', 'zstd'];
const LOADER = 'ld-linux-x86-64.so.2';
const FIRMWARE = ['seabios/bios-256k.bin', 'qemu/kvmvapic.bin', 'qemu/linuxboot_dma.bin', 'qemu/pvh.bin'];

/** What a folder of the cache holds is told from its list. */
export const digest = (list: readonly string[]): string =>
  createHash('sha256').update(list.join('\n')).digest('hex').slice(0, 16);

/** Of 170 MB, the programs with the libraries that they are linked with. */
async function keep(unpacked: string, target: string): Promise<void> {
  const libraries = join(unpacked, 'usr', 'lib', 'x86_64-linux-gnu');
  const programs = PROGRAMS.map((name) => join(unpacked, 'usr', 'bin', name));
  const files = new Set([...programs, join(libraries, LOADER)]);
  for (const one of programs) {
    // "libz.so.1 => /usr/lib/libz.so.1 (0x00007f...)"
    const list = await must(join(libraries, LOADER), '--library-path', libraries, '--list', one);
    for (const [, library = ''] of list.matchAll(/=> (\S+)/g)) files.add(library);
  }
  for (const file of files) copyFileSync(file, join(target, basename(file)));
  mkdirSync(join(target, 'firmware'));
  for (const file of FIRMWARE)
    copyFileSync(join(unpacked, 'usr', 'share', file), join(target, 'firmware', basename(file)));
}

const tools = (): Promise<string> =>
  cached(`lab-tools-${SUITE}-${digest([...PACKAGES, ...PROGRAMS, ...FIRMWARE])}`, (draft) =>
    withDebianClosure(SUITE, PACKAGES, (unpacked) => keep(unpacked, draft)),
  );

/** How to start a program: by its own libc's loader, with its own libraries. */
const start = (folder: string, name: string): string[] => [
  ...[join(folder, LOADER), '--library-path', folder],
  join(folder, name),
];

/** @returns the program and its first arguments */
export async function qemuProgram(): Promise<string[]> {
  const folder = await tools();
  return [...start(folder, 'qemu-system-x86_64'), '-L', join(folder, 'firmware')];
}

/** Unpack what a kernel or a module is packed with. @throws Error when it is not one of the two ways that Debian uses */
export async function unpack(packed: Buffer): Promise<Buffer> {
  const name = packed.subarray(0, 4).toString('hex') === '28b52ffd' ? 'zstd' : 'xz';
  const [program = '', ...args] = start(await tools(), name);
  const { status, stdout, stderr } = spawnSync(program, [...args, '-dc'], { input: packed, maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`${name} cannot unpack it: ${stderr}`);
  return stdout;
}

/** A static busybox: the guest's first programs. */
export async function busybox(): Promise<string> {
  const [found] = await debianPackages(SUITE, 'busybox-static');
  return join(found?.folder ?? '', 'usr', 'bin', 'busybox');
}
