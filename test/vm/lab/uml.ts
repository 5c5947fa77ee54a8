/** User-mode Linux: a kernel that is a program. Its root is the host's with a layer of memory on top. */
import { join } from 'node:path';
import { type GuestOptions, runJob } from './guest.ts';

export const KERNELS = ['7.x', '6.1'] as const;

const GUEST = join(import.meta.dirname, 'guest');

export interface Prepared {
  kernel: string;
  /** The kernel's program. */
  program: string;
}

export async function prepare(kernel: string): Promise<Prepared> {
  return { kernel, program: process.env['UML_PROGRAM'] ?? '/tmp/lab4/build72/linux.stripped' };
}

/** Guest memory lies in files of /dev/shm: the containers' own is small and not executable, so the guest gets another. */
const WITH_MEMORY = 'mount -t tmpfs -o exec,size=100% tmpfs /dev/shm && "$@"; exit';

export function runGuest(prepared: Prepared, command: string, options: GuestOptions): Promise<number> {
  const environment = { MULTUS_LAB: 'uml', MULTUS_LAB_KERNEL: prepared.kernel };
  return runJob(command, environment, options, (job) => [
    ...['sh', '-c', WITH_MEMORY, 'sh', prepared.program],
    ...['mem=2G', `ncpus=${process.env['NCPU'] ?? 2}`, `seccomp=${process.env['SECCOMP'] ?? 'on'}`],
    ...[
      'rootfstype=hostfs',
      'rootflags=/',
      'ro',
      `init=${join(GUEST, 'uml-init.sh')}`,
      `job=${job}`,
      `layer=${options.layer}`,
      `lab=${GUEST}`,
    ],
    ...['con=null', 'con0=null,fd:1', 'loglevel=1', `uml_dir=${job}/`, 'umid=uml'],
    // built in, they would make links of their own
    ...['dummy.numdummies=0', 'ifb.numifbs=0', 'bonding.max_bonds=0'],
  ]);
}
