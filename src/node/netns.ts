/** A pod's network namespace: opened by path, checked, and asked through one netlink socket that lives inside it. */
import { closeSync, statSync } from 'node:fs';
import { CniCode, CniError } from '../cni/errors.ts';
import {
  type NativeLink,
  type NativeNetns,
  type NativeRoute,
  type NativeRouteSpec,
  type NativeSnapshot,
  native,
} from './native.ts';

/**
 * Which namespace it is. An inode is given to another namespace once the first is gone; the cookie never is, until the
 * next boot, but only Linux 5.14 and later have it ("0" before).
 */
export interface NetnsIdentity {
  dev: string;
  ino: string;
  cookie: string;
}

/** Same namespace? */
export function sameNetns(a: NetnsIdentity, b: NetnsIdentity): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.cookie === b.cookie;
}

function openPath(path: string): NativeNetns {
  const addon = native(); // outside: that it is missing is not the path's fault
  try {
    return addon.openNetns(path);
  } catch (error) {
    throw new CniError(
      CniCode.invalidNetns,
      `Cannot use CNI_NETNS "${path}": ${(error as Error).message}; it must be the path of a network namespace`,
      { cause: error },
    );
  }
}

/** @throws CniError 8 when the path is missing, not a network namespace, or the host's own */
function openPod(path: string): NativeNetns {
  const netns = openPath(path);
  if (!netns.isHost) return netns;
  closeSync(netns.fd);
  throw new CniError(
    CniCode.invalidNetns,
    `Cannot use CNI_NETNS "${path}": it is the host's network namespace; a container must have one of its own`,
  );
}

function identityOf({ dev, ino }: NativeNetns, cookie: bigint): NetnsIdentity {
  return { dev: String(dev), ino: String(ino), cookie: String(cookie) };
}

/** Which namespace lies at a path, without a wait for the thread pool. @throws CniError 8 as Netns.open() */
export function netnsIdentity(path: string): NetnsIdentity {
  const netns = openPod(path);
  try {
    const socket = native().openSocket(netns.fd);
    try {
      return identityOf(netns, native().netnsCookie(socket));
    } finally {
      closeSync(socket);
    }
  } finally {
    closeSync(netns.fd);
  }
}

/**
 * An open network namespace. Close it when done. Calls are answered in order: a netlink socket takes one request at a
 * time.
 */
export class Netns {
  readonly path: string;
  readonly identity: NetnsIdentity;
  private readonly fd: number;
  private readonly socket: number;
  private last: Promise<unknown> = Promise.resolve();
  private isClosed = false;

  private constructor(path: string, netns: NativeNetns, { socket, cookie }: { socket: number; cookie: bigint }) {
    this.path = path;
    this.fd = netns.fd;
    this.socket = socket;
    this.identity = identityOf(netns, cookie);
  }

  /**
   * Open a pod's namespace.
   * @throws CniError 8 when the path is missing, not a network namespace, or the host's own: at once, not by the promise
   */
  static open(path: string): Promise<Netns> {
    const netns = openPod(path);
    return native()
      .enterNetns(netns.fd)
      .then((entered) => new Netns(path, netns, entered))
      .catch((error: unknown) => {
        closeSync(netns.fd);
        throw error;
      });
  }

  /** @throws CniError 8 as open() */
  static check(path: string): void {
    closeSync(openPod(path).fd);
  }

  /** Was it opened by this path, and does that lead here still? */
  isAt(path: string): boolean {
    if (path !== this.path) return false;
    try {
      const { dev, ino } = statSync(path, { bigint: true });
      return String(dev) === this.identity.dev && String(ino) === this.identity.ino;
    } catch {
      return false;
    }
  }

  /** Once or more often. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    closeSync(this.socket);
    closeSync(this.fd);
  }

  /** Links, addresses and main-table routes. */
  snapshot(): Promise<NativeSnapshot> {
    return this.ask((socket) => native().snapshot(socket));
  }

  links(): Promise<NativeLink[]> {
    return this.ask((socket) => native().listLinks(socket));
  }

  /** `wentDown`: the kernel wanted the link down for it, addresses and routes may be lost. */
  rename(index: number, name: string): Promise<{ wentDown: boolean }> {
    return this.ask((socket) => native().renameLink(socket, index, name));
  }

  deleteLink(index: number): Promise<void> {
    return this.ask((socket) => native().deleteLink(socket, index));
  }

  addRoute(route: NativeRouteSpec): Promise<void> {
    return this.ask((socket) => native().addRoute(socket, route));
  }

  deleteDefaultRoutes(family: 4 | 6): Promise<NativeRoute[]> {
    return this.ask((socket) => native().deleteDefaultRoutes(socket, family));
  }

  setRouteMetric(route: NativeRoute, metric: number): Promise<void> {
    return this.ask((socket) => native().setRouteMetric(socket, route, metric));
  }

  private ask<T>(request: (socket: number) => Promise<T>): Promise<T> {
    const answer = this.last.then(() => request(this.socket));
    this.last = answer.catch(() => undefined);
    return answer;
  }
}
