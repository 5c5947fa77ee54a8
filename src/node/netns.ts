/** A pod's network namespace: opened by path, checked, and asked through one netlink socket that lives inside it. */
import { closeSync } from 'node:fs';
import { CniCode, CniError } from '../cni/errors.ts';
import {
  type NativeLink,
  type NativeNetns,
  type NativeRoute,
  type NativeRouteSpec,
  type NativeSnapshot,
  native,
} from './native.ts';

/** (device, inode) of the nsfs file: the only name of a namespace that is never reused while it lives. */
export interface NetnsIdentity {
  dev: string;
  ino: string;
}

/** The host's namespaces: ours, and that of pid 1 where we can see it. Never a pod's. */
const HOST_PATHS = ['/proc/self/ns/net', '/proc/1/ns/net'];

function identityOf(netns: NativeNetns): NetnsIdentity {
  return { dev: String(netns.dev), ino: String(netns.ino) };
}

/** Same namespace? */
export function sameNetns(a: NetnsIdentity, b: NetnsIdentity): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

function hostIdentities(): NetnsIdentity[] {
  return HOST_PATHS.flatMap((path) => {
    try {
      const netns = native().openNetns(path);
      closeSync(netns.fd);
      return [identityOf(netns)];
    } catch {
      return []; // pid 1 of another user or pid namespace: nothing to compare with
    }
  });
}

/**
 * An open network namespace. Close it when done. Calls are answered in order: a netlink socket takes one request at a
 * time.
 */
export class Netns {
  readonly path: string;
  readonly identity: NetnsIdentity;
  private readonly fd: number;
  private socket = -1;
  private last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, netns: NativeNetns) {
    this.path = path;
    this.fd = netns.fd;
    this.identity = identityOf(netns);
  }

  /**
   * Open a pod's namespace.
   * @throws CniError 8 when the path is missing, not a network namespace, or the host's own.
   */
  static open(path: string): Netns {
    const addon = native(); // outside: that it is missing is not the path's fault
    let netns: NativeNetns;
    try {
      netns = addon.openNetns(path);
    } catch (error) {
      throw new CniError(
        CniCode.invalidNetns,
        `Cannot use CNI_NETNS "${path}": ${(error as Error).message}; it must be the path of a network namespace`,
        { cause: error },
      );
    }
    const opened = new Netns(path, netns);
    if (hostIdentities().some((host) => sameNetns(host, opened.identity))) {
      opened.close();
      throw new CniError(
        CniCode.invalidNetns,
        `Cannot use CNI_NETNS "${path}": it is the host's network namespace; a container must have one of its own`,
      );
    }
    return opened;
  }

  close(): void {
    if (this.socket >= 0) closeSync(this.socket);
    this.socket = -1;
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

  private ask<T>(request: (socket: number) => Promise<T>): Promise<T> {
    if (this.socket < 0) this.socket = native().openSocket(this.fd);
    const socket = this.socket;
    const answer = this.last.then(() => request(socket));
    this.last = answer.catch(() => undefined);
    return answer;
  }
}
