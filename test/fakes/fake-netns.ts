/** A pod's network namespace in memory: what the engine asks of one, answered from three lists. */
import type { NativeAddress, NativeLink, NativeRoute, NativeRouteSpec, NativeSnapshot } from '../../src/node/native.ts';
import type { Netns } from '../../src/node/netns.ts';

/** A link with the fields that matter to a test; the rest as the kernel gives a veth. */
export function fakeLink(index: number, name: string, more: Partial<NativeLink> = {}): NativeLink {
  return {
    index,
    name,
    kind: 'veth',
    mac: `02:00:00:00:00:${index.toString(16).padStart(2, '0')}`,
    permanentMac: '',
    mtu: 1500,
    flags: 1,
    up: true,
    parentIndex: 0,
    parentNsid: -1,
    masterIndex: 0,
    altNames: [],
    parentDevice: '',
    parentBus: '',
    portName: '',
    switchId: '',
    ...more,
  };
}

export function fakeAddress(index: number, address: string, prefixLength: number): NativeAddress {
  return { index, family: address.includes(':') ? 6 : 4, address, prefixLength, flags: 0, scope: 0 };
}

export function fakeRoute(dst: string, gateway = '', more: Partial<NativeRoute> = {}): NativeRoute {
  const family = dst.includes(':') ? 6 : 4;
  return { family, dst, gateway, index: 2, table: 254, priority: 0, scope: 0, protocol: 3, type: 1, src: '', ...more };
}

/** Metric that the kernel gives a route that names none. */
const KERNEL_METRIC = { 4: 0, 6: 1024 } as const;

export class FakeNetns {
  readonly path = '/run/netns/fake';
  readonly identity = { dev: '4', ino: '4026532000' };
  /** Every change that was asked for. */
  readonly changes: string[] = [];
  readonly snapshotValue: NativeSnapshot;
  /** Thrown by every change. */
  failure: Error | undefined;

  constructor(content: Partial<NativeSnapshot> = {}) {
    this.snapshotValue = { links: [], addresses: [], routes: [], ...content };
  }

  /** As what the engine takes. */
  get asNetns(): Netns {
    return this as unknown as Netns;
  }

  async snapshot(): Promise<NativeSnapshot> {
    return structuredClone(this.snapshotValue);
  }

  async links(): Promise<NativeLink[]> {
    return structuredClone(this.snapshotValue.links);
  }

  async rename(index: number, name: string): Promise<{ wentDown: boolean }> {
    this.change(`rename ${index} ${name}`);
    const link = this.snapshotValue.links.find((one) => one.index === index);
    if (link === undefined) throw new Error('ENODEV');
    link.name = name;
    return { wentDown: false };
  }

  async deleteLink(index: number): Promise<void> {
    this.change(`delete ${index}`);
    const { links } = this.snapshotValue;
    const at = links.findIndex((one) => one.index === index);
    if (at < 0) throw new Error('ENODEV');
    links.splice(at, 1);
  }

  async addRoute({ family, dst, gateway = '', index, priority }: NativeRouteSpec): Promise<void> {
    this.change(`add ${dst} via ${gateway} dev ${index}`);
    this.snapshotValue.routes.push(fakeRoute(dst, gateway, { index, priority: priority ?? KERNEL_METRIC[family] }));
  }

  async deleteDefaultRoutes(family: 4 | 6): Promise<NativeRoute[]> {
    this.change(`clear ${family}`);
    const { routes } = this.snapshotValue;
    const isDefault = (route: NativeRoute) => route.family === family && route.dst.endsWith('/0');
    const gone = routes.filter(isDefault);
    routes.splice(0, routes.length, ...routes.filter((route) => !isDefault(route)));
    return gone;
  }

  async setRouteMetric({ dst, gateway, index }: NativeRoute, metric: number): Promise<void> {
    this.change(`metric ${metric} of ${dst} via ${gateway} dev ${index}`);
    const route = this.snapshotValue.routes.find(
      (one) => one.dst === dst && one.gateway === gateway && one.index === index,
    );
    if (route === undefined) throw new Error('ESRCH');
    route.priority = metric;
  }

  close(): void {
    this.changes.push('close');
  }

  private change(what: string): void {
    this.changes.push(what);
    if (this.failure !== undefined) throw this.failure;
  }
}
