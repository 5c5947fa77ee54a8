/**
 * The typed boundary to the C++ addon, and its only loader.
 *
 * Every native error is an `Error` in Node's own shape: negative `errno`, `code` ("ENODEV"),
 * `syscall` ("RTM_SETLINK"), and where known `ifname`, `path`, and the kernel's extended-ack text
 * as `detail` (also part of `message`).
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** An open network namespace; `(dev, ino)` tells it from others that live now. The caller closes `fd`. */
export interface NativeNetns {
  fd: number;
  dev: bigint;
  ino: bigint;
  /** Our own, or that of pid 1 where we can see it. */
  isHost: boolean;
}

export interface NativeLink {
  index: number;
  name: string;
  /** IFLA_INFO_KIND ("veth", "macvlan", "bridge"); '' for physical devices and loopback. */
  kind: string;
  /** Lower-case, colon-separated; '' when the link has none. */
  mac: string;
  /** IFLA_PERM_ADDRESS, '' when absent. */
  permanentMac: string;
  mtu: number;
  /** IFF_* bits. */
  flags: number;
  /** IFF_UP is set. */
  up: boolean;
  /** IFLA_LINK (peer or parent index), 0 when absent. */
  parentIndex: number;
  /** IFLA_LINK_NETNSID, -1 when the parent is in the same netns. */
  parentNsid: number;
  /** IFLA_MASTER, 0 when absent. */
  masterIndex: number;
  altNames: string[];
  /** IFLA_PARENT_DEV_NAME, e.g. a PCI address; '' when absent. */
  parentDevice: string;
  /** IFLA_PARENT_DEV_BUS_NAME: "pci", "netdevsim"; '' when absent. */
  parentBus: string;
  /** IFLA_PHYS_PORT_NAME: "p0" of a port, "pf0vf3" of a VF's representor; '' when absent. */
  portName: string;
  /** IFLA_PHYS_SWITCH_ID in hexadecimal, of a port of an embedded switch; '' when absent. */
  switchId: string;
}

export interface NativeAddress {
  index: number;
  family: 4 | 6;
  /** In the kernel's canonical text form, without prefix length. */
  address: string;
  prefixLength: number;
  /** IFA_F_* bits (IFA_FLAGS). */
  flags: number;
  scope: number;
}

export interface NativeRoute {
  family: 4 | 6;
  /** "10.0.0.0/24"; a default route is "0.0.0.0/0" or "::/0". */
  dst: string;
  /** '' when the route has no gateway. */
  gateway: string;
  /** Output interface, 0 when absent. */
  index: number;
  table: number;
  /** Metric, 0 when absent (IPv4). */
  priority: number;
  /** RT_SCOPE_*. */
  scope: number;
  /** RTPROT_*. */
  protocol: number;
  /** RTN_* (1 = unicast). */
  type: number;
  /** Preferred source, '' when absent. */
  src: string;
}

/** A route to add; unset fields take the kernel's defaults (table main, protocol boot, scope by gateway). */
export interface NativeRouteSpec {
  family: 4 | 6;
  dst: string;
  gateway?: string;
  index: number;
  table?: number;
  priority?: number;
  src?: string;
  mtu?: number;
  advmss?: number;
  scope?: number;
  /** Set RTNH_F_ONLINK: the gateway need not be on a connected subnet. */
  onlink?: boolean;
}

/** One VF of a PF as RTM_GETLINK reports it; `null` = the driver did not report it. */
export interface NativeVf {
  index: number;
  mac: string | null;
  vlan: number | null;
  qos: number | null;
  /** Ethertype, 0x8100 or 0x88a8. */
  vlanProtocol: number | null;
  minTxRate: number | null;
  maxTxRate: number | null;
  spoofCheck: boolean | null;
  trust: boolean | null;
  rssQuery: boolean | null;
  /** 0 auto, 1 enable, 2 disable. */
  linkState: number | null;
  nodeGuid: string | null;
  portGuid: string | null;
}

export interface NativeVfList {
  /** IFLA_NUM_VF, null when the link has no parent device. */
  numVfs: number | null;
  /** false: the driver has no VF query (IFLA_VFINFO_LIST absent although numVfs > 0). */
  queryable: boolean;
  /** true: the list's 16-bit length wrapped and could not be recovered (kernel bug from 222 VFs up). */
  truncated: boolean;
  vfs: NativeVf[];
}

/** One attribute of a VF to set on its PF. One at a time: the kernel applies several in turn and keeps those before a failure. */
export type NativeVfChange =
  | { mac: string }
  /** Ethertype 0x8100 or 0x88a8; 0x8100 by default. */
  | { vlan: number; qos?: number; protocol?: number }
  | { minTxRate: number; maxTxRate: number }
  | { spoofCheck: boolean }
  | { trust: boolean }
  /** 0 auto, 1 enable, 2 disable. */
  | { linkState: number };

export interface NativeSnapshot {
  links: NativeLink[];
  addresses: NativeAddress[];
  routes: NativeRoute[];
}

export interface NativeSpawnOptions {
  /** Absolute path of the executable. */
  path: string;
  /** The whole environment, "K=V". */
  env: string[];
  /** Bytes kept of stdout; one more kills the process group and sets `stdoutOverflow`. */
  maxStdout: number;
  /** Bytes kept of stderr; the rest is read and dropped, `stderrTruncated`. */
  maxStderr: number;
}

export interface NativeExit {
  /** Exit code, -1 when ended by a signal. */
  exitCode: number;
  /** Signal number, 0 when exited. */
  signal: number;
  /** The deadline passed and the group was killed. */
  timedOut: boolean;
  /** killProcess() was called. */
  killed: boolean;
  stdoutOverflow: boolean;
  stderrTruncated: boolean;
  stdout: Buffer;
  stderr: Buffer;
}

export interface Native {
  /**
   * Open a network namespace by path. Fails with ENOENT/EACCES from openat, or EINVAL with a `detail` that says
   * "not a namespace file" or "is a mount namespace, not a network namespace" (nsfs magic, NS_GET_NSTYPE).
   */
  openNetns(path: string): NativeNetns;
  /**
   * Open a NETLINK_ROUTE socket inside the namespace (a short-lived thread enters it; -1 = the caller's own).
   * The socket stays bound to it; the caller closes the fd. One request at a time per socket.
   */
  openSocket(netnsFd: number): number;
  /**
   * The same on the thread pool, with the namespace's number. The socket is lost, until the process ends, when nobody
   * waits any more: that is in a worker which is being ended.
   */
  enterNetns(netnsFd: number): Promise<{ socket: number; cookie: bigint }>;
  /** Number of the socket's namespace, never used again until reboot (SO_NETNS_COOKIE, Linux 5.14); 0n before. */
  netnsCookie(socket: number): bigint;
  /**
   * @param nsid of another namespace, by netnsId(); the socket's own by default. EINVAL when no namespace has it,
   *   EOPNOTSUPP when the kernel answers of another one (before 4.15)
   */
  listLinks(socket: number, nsid?: number): Promise<NativeLink[]>;
  /**
   * Number by which the socket's namespace knows another one (RTM_GETNSID; given by RTM_NEWNSID when it has none, which
   * wants CAP_NET_ADMIN). With it links there can be asked for without entering, i.e. without CAP_SYS_ADMIN.
   * `netnsFd` stays open until it settles. EINVAL when that is no namespace.
   */
  netnsId(socket: number, netnsFd: number): Promise<number>;
  /** By index, or by name when `by` is a string (primary name only: an altname match is ENODEV). */
  getLink(socket: number, by: number | string): Promise<NativeLink>;
  /** Links, addresses (both families) and main-table routes (both families) in one go. */
  snapshot(socket: number): Promise<NativeSnapshot>;
  /** Resolves `wentDown: true` when the kernel (<= 6.1) demanded the link down for it: then addresses and routes may be lost. */
  renameLink(socket: number, index: number, name: string): Promise<{ wentDown: boolean }>;
  setLinkUp(socket: number, index: number, up: boolean): Promise<void>;
  setLinkMtu(socket: number, index: number, mtu: number): Promise<void>;
  setLinkMac(socket: number, index: number, mac: string): Promise<void>;
  addAltName(socket: number, index: number, name: string): Promise<void>;
  deleteAltName(socket: number, index: number, name: string): Promise<void>;
  deleteLink(socket: number, index: number): Promise<void>;
  addAddress(socket: number, index: number, cidr: string): Promise<void>;
  listAddresses(socket: number): Promise<NativeAddress[]>;
  listRoutes(socket: number): Promise<NativeRoute[]>;
  addRoute(socket: number, route: NativeRouteSpec): Promise<void>;
  /** Delete all default routes of a family from the main table; resolves with those deleted. */
  deleteDefaultRoutes(socket: number, family: 4 | 6): Promise<NativeRoute[]>;
  /** Give a route of `listRoutes` another metric, from 1; everything else of it stays. */
  setRouteMetric(socket: number, route: NativeRoute, metric: number): Promise<void>;
  /** VFs of a PF by one RTM_GETLINK (mask VF | SKIP_STATS). @param nsid where the PF is, by netnsId() */
  getVfs(socket: number, index: number, nsid?: number): Promise<NativeVfList>;
  /**
   * Set one attribute of a VF; `detail` of an error names the VF and the attribute. Fails with the driver's errno:
   * EOPNOTSUPP, EPROTONOSUPPORT, EINVAL for a VF that is not there.
   */
  setVf(socket: number, index: number, vf: number, change: NativeVfChange): Promise<void>;
  /**
   * Move a link to another namespace under a name that must be free there; it arrives down. EEXIST when the name is not
   * free, EINVAL or ERANGE when no link can have it; nothing is moved then (the kernel alone would move the link and
   * keep its old name). Whatever fails later says in `detail` where the link is. `netnsFd` stays open until it settles.
   */
  moveLink(socket: number, index: number, netnsFd: number, name: string): Promise<void>;

  /**
   * Write `content` to `draft` and rename it to `path` in the same folder. When it fails there is no draft, and `path` is
   * as it was.
   * @param durable on disk before it gets its name
   * @param kept where what was at `path` stays to be found, '' nowhere
   */
  placeFile(draft: string, path: string, content: Buffer, mode: number, durable: boolean, kept: string): Promise<void>;
  /** Wait until the file's content is on disk; then remove the one at `obsolete`, unless that is '' or gone. */
  syncFile(path: string, obsolete: string): Promise<void>;

  /**
   * Start a process in its own group that dies with us, stdin withheld until feed. Synchronous (vfork-like,
   * < 0.1 ms at any RSS). Throws ENOENT, EACCES, ETXTBSY, ENOEXEC, EAGAIN... from execve or clone.
   * `onExit` runs once on the event loop, after exit and with all output collected.
   */
  startProcess(options: NativeSpawnOptions, onExit: (exit: NativeExit) => void): { id: number; pid: number };
  /** Write stdin and close it; `deadlineMs` (0 = none) counts from now: then TERM to the group, KILL 2 s later. */
  feedProcess(id: number, stdin: Buffer, deadlineMs: number): void;
  /** TERM to the group, KILL 2 s later. No effect on an ended process. */
  killProcess(id: number): void;
  /**
   * Lock `length` bytes from `start` (0 = all from there on) for this open file (fcntl F_OFD_SETLK); false = somebody
   * else holds part of it. Released by closing the fd, which must be open for writing.
   */
  tryLockRange(fd: number, start: number, length: number): boolean;
  /**
   * Lock a whole file as programs do that use flock(2), for this open file; false = another has it. It knows nothing of
   * locks on ranges. Released by closing the fd.
   */
  tryLockFile(fd: number): boolean;

  /** SHA-256, hexadecimal. In place of Node's for what every request needs: to load that takes 8 ms. */
  sha256(bytes: Buffer): string;
  /** 16 hexadecimal digits that tell damage of some bytes, at some GB a second; nothing that somebody may forge. */
  damageSum(bytes: Buffer): string;
}

/** Where the addon may lie: beside the running bundle (installed), or in the checkout's build folder. */
function candidates(): string[] {
  const here = dirname(fileURLToPath(import.meta.url));
  const root = join(here, '..', '..');
  return [
    join(here, 'multus_native.node'),
    join(here, '..', 'build', 'Release', 'multus_native.node'),
    join(root, 'build', 'Release', 'multus_native.node'),
    join(root, 'build', 'Debug', 'multus_native.node'),
  ];
}

function load(): Native {
  const paths = candidates();
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error(`Cannot load the native addon: not found at ${paths.join(', ')}. Build it with "npm run build".`);
  }
  return createRequire(import.meta.url)(found) as Native;
}

let loaded: Native | undefined;

/** The addon, loaded at first use. Throws an Error that lists the paths tried. */
export function native(): Native {
  loaded ??= load();
  return loaded;
}
