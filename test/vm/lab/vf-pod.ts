/**
 * Pods with a VF each, in the guest with the emulated igb: the card, what its kernel says of a VF, and networks by the
 * stand-in for sriov-cni (test/tools/go/sriov).
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Door } from '../../../src/attach/locks.ts';
import { eachDoor, inLab } from '../../lab/doors.ts';
import { type CniReply, Lab, referencePlugins } from '../../lab/lab.ts';
import { must, parseJson, run } from '../../lab/process.ts';
import { goTool } from '../../tools/go/build.mjs';

/** Where QEMU puts the first card, and what systemd would call its link there. */
const PF = '/sys/bus/pci/devices/0000:01:00.0';
const PF_NAME = 'enp1s0f0';
const VFS = Array.from({ length: 6 }, (_, i) => join(PF, `virtfn${i}`));

/** A VF as `ip` prints it: a witness that is not ours. */
export interface IpVf {
  vf: number;
  /** Admin MAC. */
  address: string;
  /** [{}] without a VLAN. */
  vlan_list: { vlan?: number; qos?: number }[];
  rate: { max_tx: number; min_tx: number };
  spoofchk: boolean;
  link_state: string;
  trust: boolean;
}

/** The card, with VFs as its driver makes them: without VLANs, their links on the host. */
export class Card {
  /** Of the PF's link. */
  readonly name = PF_NAME;
  /** PCI addresses of the VFs, by index. */
  readonly addresses = VFS.map((vf) => basename(readlinkSync(vf)));
  /** Names of the VFs' links on the host, by index. */
  readonly links = VFS.map((_, i) => `${PF_NAME}v${i}`);

  /** All its VFs anew; whatever an earlier test did to them is gone. */
  static async prepare(): Promise<Card> {
    writeFileSync(join(PF, 'sriov_numvfs'), '0');
    await must('ip', 'link', 'set', netdevOf(PF), 'down', 'name', PF_NAME);
    await must('ip', 'link', 'set', PF_NAME, 'up'); // before, its VFs cannot be
    writeFileSync(join(PF, 'sriov_numvfs'), String(VFS.length));
    const card = new Card();
    for (const [i, name] of card.links.entries()) await must('ip', 'link', 'set', card.hostLink(i), 'name', name);
    return card;
  }

  async vf(index: number): Promise<IpVf> {
    const text = await must('ip', '-j', '-d', 'link', 'show', this.name);
    const found = (JSON.parse(text)[0].vfinfo_list as IpVf[]).find(({ vf }) => vf === index);
    if (found === undefined) throw new Error(`ip shows no VF ${index} of ${this.name}: ${text}`);
    return found;
  }

  /** 0 = none. */
  async vlan(index: number): Promise<number> {
    return (await this.vf(index)).vlan_list[0]?.vlan ?? 0;
  }

  /** Name of the VF's link on the host, '' when it is in another namespace. */
  hostLink(index: number): string {
    return netdevOf(VFS[index] ?? '');
  }
}

/** A PCI device's link in the namespace in which sysfs was mounted; '' when that has none. */
function netdevOf(device: string): string {
  const folder = join(device, 'net');
  return existsSync(folder) ? (readdirSync(folder)[0] ?? '') : '';
}

/** The folder that sriov-cni has in /var/lib/cni. */
export const sriovDir = (lab: Lab): string => join(lab.directory, 'sriov');

/** Files of sriov-cni, but for locks: "c1-net1", "pci/0000:01:10.0" with what is in them. */
export function sriovFiles(lab: Lab): Record<string, string> {
  if (!existsSync(sriovDir(lab))) return {};
  const names = readdirSync(sriovDir(lab), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.lock'))
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(names.map((path) => [path.slice(sriovDir(lab).length + 1), readFileSync(path, 'utf8')]));
}

/** A network on VFs. @param settings further keys of sriov-cni */
export function sriovNetwork(lab: Lab, name: string, settings: Record<string, unknown>): Record<string, unknown> {
  return { cniVersion: '1.0.0', name, type: 'sriov', cniDir: sriovDir(lab), ...settings };
}

export interface PluginCall {
  container: string;
  /** Name of one of the lab's pods; '' = no namespace. */
  pod: string;
  ifName: string;
  network: Record<string, unknown>;
}

/** How a network is attached: by its plugin alone, as other runtimes and meta-plugins run it, or by us. */
export type Caller = (command: 'ADD' | 'DEL', call: PluginCall) => Promise<CniReply>;

export function byPlugin(lab: Lab): Caller {
  return async (command, { container, pod, ifName, network }) => {
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: container,
      CNI_NETNS: pod === '' ? '' : lab.netns(pod),
      CNI_IFNAME: ifName,
      CNI_PATH: `${lab.binDir}:${referencePlugins()}`,
    };
    const finished = await run(join(lab.binDir, 'sriov'), [], { env, input: JSON.stringify(network) });
    // biome-ignore lint/suspicious/noExplicitAny: CniReply's
    return { ...finished, json: parseJson(finished.stdout) as any };
  };
}

/** Through our shim, the network being the pod's only one. */
export function byMultus(lab: Lab): Caller {
  return (command, { network, ...call }) => {
    const config = JSON.stringify({ ...lab.config, delegates: [network] });
    return lab.cni(command, { ...call, config });
  };
}

async function createLab(): Promise<Lab> {
  if (process.env['MULTUS_LAB'] !== 'igb') throw new Error('needs the guest with igb: npm run lab -- igb FILE');
  const lab = await Lab.onMachine();
  symlinkSync(await goTool('sriov'), join(lab.binDir, 'sriov'));
  return lab;
}

/** A test with the card and a lab on the guest itself. */
export function onCard(name: string, body: (lab: Lab, card: Card) => Promise<void>): void {
  inLab(name, async (lab) => body(lab, await Card.prepare()), undefined, createLab);
}

/** The same test with a daemon and without one. One door is enough for what no door does: time is dear in this guest. */
export function eachDoorOnCard(name: string, body: (lab: Lab, card: Card, door: Door) => Promise<void>): void {
  eachDoor(name, async (lab, door) => body(lab, await Card.prepare(), door), createLab);
}
