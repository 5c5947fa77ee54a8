/** User-mode Linux: a kernel that is a program. Its root is the host's with a layer of memory on top. */
import { join } from 'node:path';
import { type GuestOptions, runJob } from './guest.ts';
import { busybox } from './qemu-tools.ts';
import { type Kernel, UML_KERNELS, umlKernel } from './uml-kernel.ts';

const GUEST = join(import.meta.dirname, 'guest');

export const KERNELS: readonly string[] = UML_KERNELS;

export interface Prepared extends Kernel {
  name: string;
  /** For what a machine may lack: loading modules. */
  busybox: string;
}

/**
 * Everything that a guest needs, from Debian's archive or from the cache. A kernel that is not in the cache takes
 * minutes to build, at the priority of this process.
 * @param name one of `KERNELS`
 * @throws Error as `umlKernel()` does
 */
export async function prepare(name: string): Promise<Prepared> {
  return { name, ...(await umlKernel(name)), busybox: await busybox() };
}

/** The guest's memory is a file in /dev/shm; a container's own is small and not executable, hence another one. */
const WITH_MEMORY = 'mount -t tmpfs -o exec,size=100% tmpfs /dev/shm && "$@"; exit';

/** Two processors are possible only when the kernel traces its processes by seccomp, as those from 7.0 on can. */
const FAST = ['ncpus=2', 'seccomp=on'];

/** @returns the command's exit status @throws Error when there is none, with what the kernel said last */
export function runGuest(prepared: Prepared, command: string, options: GuestOptions): Promise<number> {
  const { name, program, isFast, modules, busybox } = prepared;
  return runJob(command, { MULTUS_LAB: 'uml', MULTUS_LAB_KERNEL: name }, options, (job) => [
    ...['sh', '-c', WITH_MEMORY, 'sh', program, 'mem=2G', ...(isFast ? FAST : [])],
    ...['rootfstype=hostfs', 'rootflags=/', 'ro', `init=${join(GUEST, 'uml-init.sh')}`],
    ...[`job=${job}`, `layer=${options.layer}`, `lab=${GUEST}`, `modules=${modules}`, `busybox=${busybox}`],
    ...['con=null', 'con0=null,fd:1', 'loglevel=0', `uml_dir=${job}/`, 'umid=uml'],
    // built in, they would make links of their own
    ...['dummy.numdummies=0', 'ifb.numifbs=0', 'bonding.max_bonds=0'],
  ]);
}
