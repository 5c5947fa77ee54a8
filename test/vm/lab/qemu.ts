/**
 * QEMU's emulated igb, a network card with SR-IOV (one PF of 7 VFs), under Debian's kernels: PCI devices, drivers and
 * sysfs as a node has them. The guest's root is the host's with a layer of memory on top. Its processor is emulated
 * (nine times slower than the host's): KVM is not everywhere where tests run.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type GuestOptions, runJob } from './guest.ts';
import { folder, link, packInitrd, program } from './initrd.ts';
import { debianKernel, type Kernel } from './qemu-kernel.ts';
import { busybox, qemuProgram } from './qemu-tools.ts';

const GUEST = join(import.meta.dirname, 'guest');
export const KERNELS = ['6.1', '6.12'] as const;

export interface Prepared {
  kernel: string;
  /** The program, with its first arguments. */
  qemu: string[];
  image: string;
  initrd: Buffer;
}

function initrdOf(kernel: Kernel, shell: string): Buffer {
  const order = kernel.modules.map(({ file, parameters }) => `${basename(file, '.ko')} ${parameters}\n`).join('');
  return packInitrd([
    ...['bin', 'proc', 'sys', 'dev', 'modules', 'memory', 'host', 'root'].map(folder),
    program('bin/busybox', readFileSync(shell)),
    ...['sh', 'mount', 'insmod', 'mkdir', 'switch_root'].map((name) => link(`bin/${name}`, 'busybox')),
    ...kernel.modules.map(({ file }) => program(`modules/${basename(file)}`, readFileSync(file))),
    program('modules/order', Buffer.from(order)),
    program('init', readFileSync(join(GUEST, 'qemu-init.sh'))),
  ]);
}

/**
 * Everything that a guest needs, from Debian's archive or from the cache.
 * @param series of the kernel: one of `KERNELS`
 * @throws Error on other machines than x86-64, or with what apt says
 */
export async function prepare(series: string): Promise<Prepared> {
  if (process.arch !== 'x64') throw new Error(`igb is emulated for x86-64 programs, this machine is ${process.arch}`);
  const kernel = await debianKernel(series);
  const image = kernel.image;
  return { kernel: kernel.release, qemu: await qemuProgram(), image, initrd: initrdOf(kernel, await busybox()) };
}

/** A machine without anything that costs time at its start: no display, no USB, no firmware of devices. */
const MACHINE = [
  ...['-machine', 'q35,vmport=off,smm=off,hpet=off,usb=off,graphics=off'],
  // one processor: two emulated ones wait for each other
  ...['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max', '-smp', '1', '-m', '2G'],
  // vfio-pci wants it
  ...['-device', 'intel-iommu'],
  ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-monitor', 'none'],
];

/**
 * Nothing that looks for what an emulated machine does not have; "quiet" leaves errors. The clock is one that QEMU
 * keeps: the processor's is measured at the start, wrongly when the host is busy, and then every deadline is wrong.
 */
const PARAMETERS =
  'console=ttyS0 quiet panic=-1 clocksource=acpi_pm mitigations=off no_timer_check random.trust_cpu=on audit=0 ' +
  'selinux=0 apparmor=0 nokaslr intel_iommu=on iommu=pt';

/** A folder of the host for the guest. */
const share = (tag: string, path: string, ...more: string[]): string[] => [
  ...['-fsdev', ['local', `id=${tag}`, `path=${path}`, 'security_model=none', ...more].join(',')],
  ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag},romfile=`],
];

/** Card 0 is 0000:01:00.0. */
const card = (number: number): string[] => [
  ...['-device', `pcie-root-port,id=port${number},slot=${number + 1}`],
  ...['-device', `igb,bus=port${number},mac=52:54:00:aa:bb:0${number + 1},romfile=`],
];

/** QEMU opens its outputs by name; that wants pipes, and ours are sockets. */
const WITH_PIPES = '{ { "$@" | cat >&3; } 2>&1 | cat >&2; } 3>&1';

/** @returns the command's exit status @throws Error when there is none: with what the kernel said last, or at the time limit */
export function runGuest(prepared: Prepared, command: string, options: GuestOptions): Promise<number> {
  const { qemu, image, kernel, initrd } = prepared;
  return runJob(command, { MULTUS_LAB: 'igb', MULTUS_LAB_KERNEL: kernel }, options, (job) => {
    writeFileSync(join(job, 'initrd'), initrd);
    return [
      ...['sh', '-c', WITH_PIPES, 'sh'],
      ...[...qemu, ...MACHINE],
      ...['-kernel', image, '-initrd', join(job, 'initrd')],
      ...['-append', `${PARAMETERS} job=${job} lab=${GUEST}`],
      ...share('root', '/', 'readonly=on', 'multidevs=remap'),
      ...share('job', job),
      ...share('layer', options.layer, 'readonly=on'),
      ...['-serial', 'file:/dev/stderr', '-device', 'virtio-serial-pci', '-chardev', 'file,id=output,path=/dev/stdout'],
      ...['-device', 'virtserialport,chardev=output,name=output'],
      ...card(0),
    ];
  });
}
