/** What is known of a node's physical and virtual functions: shapes only. */
import type { NativeLink, NativeVf } from '../node/native.ts';
import type { VfSettings } from '../pod/vf-settings.ts';

/** A network namespace that lives. */
export interface LiveNetns {
  /** Of the nsfs inode: what `NetnsIdentity` has. */
  dev: string;
  ino: string;
  /** A path that leads there: /run/netns/NAME, else /proc/PID/ns/net. */
  path: string;
  /** Ours, or that of pid 1. */
  isHost: boolean;
}

/** A link, and where it is. */
export interface PlacedLink {
  netns: LiveNetns;
  link: NativeLink;
}

/** A VF as its PF's folder in sysfs names it (/sys/bus/pci/devices/<PF>/virtfn<index>). */
export interface VfDevice {
  index: number;
  /** "0000:01:10.0" */
  address: string;
  /** Name of its driver, '' when none is bound. */
  driver: string;
  /** Address that its `physfn` leads to, '' when that is missing. */
  physfn: string;
}

/** A PF as sysfs has it; PCI folders are the same in every namespace. */
export interface PfDevice {
  /** PCI address; a netdevsim device's name ("netdevsim5"), which has no VF devices. */
  address: string;
  driver: string;
  /** undefined where the bus does not tell (netdevsim). */
  totalVfs: number | undefined;
  numVfs: number;
  /** Routing ID of VF N = that of the PF + offset + N * stride (PCI Express SR-IOV, 3.3.9 and 3.3.10). */
  offset: number | undefined;
  stride: number | undefined;
  /** By index. */
  vfs: VfDevice[];
}

export interface VfState {
  index: number;
  /** undefined: sysfs has no such VF (netdevsim has none at all). */
  device: VfDevice | undefined;
  /** As the PF's driver reports it; undefined: it left this VF out. */
  reported: NativeVf | undefined;
  /** Its network devices, wherever they are: none with vfio-pci or without a driver, two with mlx4's shared VFs. */
  places: PlacedLink[];
}

export interface PfState {
  /** Name of its network device, or its address where none was found. */
  name: string;
  device: PfDevice | undefined;
  /** undefined: no namespace has a network device of it. */
  place: PlacedLink | undefined;
  /** From sysfs, else from netlink. */
  numVfs: number;
  /** What netlink said of the list as a whole; undefined when it was not or could not be asked (see `problem`). */
  list: { numVfs: number | null; queryable: boolean; truncated: boolean } | undefined;
  /** Why its driver could not be asked, '' when it was. */
  problem: string;
  /** It has representors: VLANs are on those, and on the software switch. */
  isSwitchdev: boolean;
  /** All that sysfs or netlink knows, by index. */
  vfs: VfState[];
}

/** A node's SR-IOV devices at one moment. */
export interface Inventory {
  hostname: string;
  /** Release of the running kernel. */
  kernel: string;
  pfs: PfState[];
  namespaces: { netns: LiveNetns; links: NativeLink[] }[];
  /** What could not be looked at, and why: a namespace that may not be entered. */
  problems: string[];
}

/** By whose word a VF belongs to a container, or is to have certain settings; a later one overrules an earlier one. */
export type ClaimSource = 'pci-file' | 'sriov-cache' | 'journal' | 'definition' | 'conf' | 'expect';

/** Somebody's word on one VF. */
export interface VfClaim {
  source: ClaimSource;
  /** File, definition or option that says so: for people. */
  origin: string;
  /** PCI address of the VF; '' where only PF and index are known. */
  address: string;
  /** PF's name and index, where the source has them. */
  pf: string;
  vf: number | undefined;
  containerId: string;
  /** `namespace/name`, '' unknown. */
  pod: string;
  network: string;
  /** Name inside the pod; '' unknown. */
  ifName: string;
  /** Namespace in which the VF is to be: path as written down; identity where it was kept. '' unknown. */
  netnsPath: string;
  netns: { dev: string; ino: string } | undefined;
  /** undefined: the source says nothing of settings. An empty object: it asks for none. */
  settings: VfSettings | undefined;
  /** As it was before the container got it, and its name on the host. */
  original: { hostName: string; settings: VfSettings } | undefined;
  /** The claim is of a container that is being, or was, detached. */
  isEnded: boolean;
}

export type CheckStatus = 'pass' | 'fail' | 'warn' | 'unknown' | 'skipped';

/** Something that would mend a failed check. */
export type FixAction =
  /** @property places where the VF itself is, in nobody's use */
  | { kind: 'set-vf'; pf: PlacedLink; vf: number; settings: VfSettings; places: PlacedLink[] }
  | { kind: 'rename'; place: PlacedLink; name: string }
  | { kind: 'move-to-host'; place: PlacedLink; name: string }
  | { kind: 'remove-file'; path: string };

export interface Fix {
  /** What an operator would type: `ip link set eth0 vf 3 vlan 0`. */
  command: string;
  /** undefined: only a person may do it. */
  action: FixAction | undefined;
}

/** One of the checks of `multus sriov verify`. */
export interface Check {
  /** "vlan", "netdev", "duplicate-mac"...: stable, documented in docs/sriov.md. */
  id: string;
  status: CheckStatus;
  /** '' where nothing in particular is. */
  expected: string;
  actual: string;
  /** Whose expectation: "sriov-cache /var/lib/cni/sriov/...". */
  source: string;
  /** What is so, and what it means for the pod. */
  message: string;
  fix: Fix | undefined;
}
