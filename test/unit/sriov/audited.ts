/** Reports with one VF, for what is done with them. */
import type { NativeLink } from '../../../src/node/native.ts';
import type { AuditItem, AuditReport } from '../../../src/sriov/audit-report.ts';
import { check } from '../../../src/sriov/checks/check.ts';
import type { Check, Fix, PlacedLink } from '../../../src/sriov/model.ts';

export const HOST = { dev: '4', ino: '1', path: '/proc/self/ns/net', isHost: true };
export const POD = { dev: '4', ino: '2', path: '/run/netns/web', isHost: false };

export function aLink(name: string, more: Partial<NativeLink> = {}): NativeLink {
  return {
    ...{ index: 7, name, kind: '', mac: '02:00:00:00:00:07', permanentMac: '', mtu: 1500, flags: 0, up: false },
    ...{ parentIndex: 0, parentNsid: -1, masterIndex: 0, altNames: [], parentDevice: '', parentBus: '' },
    ...{ portName: '', switchId: '', ...more },
  };
}

export const PF_LINK: PlacedLink = { netns: HOST, link: aLink('enp1s0', { index: 2 }) };

export function failed(message: string, fix: Fix | undefined, status: Check['status'] = 'fail'): Check {
  return check('x', status, message, { fix });
}

/** VF 3 of enp1s0. */
export function aReport(checks: Check[], more: Partial<AuditReport> = {}): AuditReport {
  const list = { numVfs: 4, queryable: true, truncated: false };
  const device = { index: 3, address: '0000:01:10.6', driver: 'igbvf', physfn: '0000:01:00.0' };
  const pf = {
    name: 'enp1s0',
    device: undefined,
    place: PF_LINK,
    numVfs: 4,
    list,
    problem: '',
    isSwitchdev: false,
    vfs: [],
  };
  const item: AuditItem = {
    pf,
    vf: { index: 3, device, reported: undefined, places: [] },
    claims: [],
    holders: [],
    expectation: { settings: {}, sources: {}, configuration: '', cached: undefined },
    checks,
  };
  return { node: 'n', kernel: '6.12', notFound: '', items: [item], checks: [], ...more };
}
