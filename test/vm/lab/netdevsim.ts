/**
 * Simulated PFs of the kernel's netdevsim: VFs whose settings can be made and read as those of a real card, up to 1024
 * of them. Not PCI: no virtfn, no physfn, and no network devices of the VFs.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';

const BUS = '/sys/bus/netdevsim';
const DEBUG = '/sys/kernel/debug/netdevsim';

/** The bus; a test that is not in the user-mode Linux guest ends here. */
function bus(): string {
  if (existsSync(BUS)) return BUS;
  throw new Error('This wants a kernel with netdevsim: run it by "npm run lab -- uml".');
}

/** One PF with one port. Its network device is made in the namespace of this process. */
export class Netdevsim {
  /** "netdevsim5", also its parentDevice in netlink. */
  readonly name: string;
  /** Name of its network device when it was made. */
  readonly link: string;
  private readonly id: number;

  constructor(numVfs = 0) {
    let id = 1;
    while (existsSync(`${bus()}/devices/netdevsim${id}`)) id++;
    this.id = id;
    this.name = `netdevsim${id}`;
    writeFileSync(`${BUS}/new_device`, `${id} 1`);
    this.link = readdirSync(`${BUS}/devices/${this.name}/net`)[0] as string;
    if (numVfs > 0) this.setNumVfs(numVfs);
  }

  /** From 0 only, as with every card: EBUSY from another number. */
  setNumVfs(count: number): void {
    if (count > 0) writeFileSync(`${DEBUG}/${this.name}/max_vfs`, String(Math.max(count, 4)));
    writeFileSync(`${BUS}/devices/${this.name}/sriov_numvfs`, String(count));
  }

  /** Wherever its network device is. */
  remove(): void {
    writeFileSync(`${BUS}/del_device`, String(this.id));
  }
}
