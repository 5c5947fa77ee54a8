/** Attachments and records as an ADD leaves them, for tests to change. */

import type { JournalAttachment, JournalRecord } from '../../../src/attach/journal-record.ts';
import { sourceSettings } from '../../../src/cluster/sources.ts';

/** A macvlan network "prod/data" on net1, attached. */
export function anAttachment(more: Partial<JournalAttachment> = {}): JournalAttachment {
  const source = '{"cniVersion":"1.0.0","name":"data","type":"macvlan"}';
  return {
    network: 'prod/data',
    ifName: 'net1',
    isDefault: false,
    auxiliary: false,
    configName: 'data',
    cniVersion: '1.0.0',
    disableCheck: false,
    disableGC: false,
    source,
    steps: [{ type: 'macvlan', stdin: source }],
    args: 'IgnoreUnknown=1;K8S_POD_NAME=web;K8S_POD_NAMESPACE=prod',
    requestedMac: '',
    requestedIps: [],
    defaultRoute: undefined,
    device: undefined,
    deviceInfoFile: '',
    asked: '{}',
    state: 'attached',
    result: '{"cniVersion":"1.0.0","interfaces":[{"name":"net1","sandbox":"/run/netns/x"}]}',
    link: undefined,
    vf: undefined,
    warnings: [],
    lastError: '',
    detachFailures: 0,
    ...more,
  };
}

/** The default network's attachment. */
export function aDefaultAttachment(more: Partial<JournalAttachment> = {}): JournalAttachment {
  const source = '{"cniVersion":"1.0.0","name":"node","type":"bridge"}';
  const steps = [{ type: 'bridge', stdin: source }];
  const names = { network: 'node', configName: 'node', ifName: 'eth0' };
  return anAttachment({ ...names, isDefault: true, asked: '', source, steps, ...more });
}

/** A container with its default network and "prod/data", of a boot long ago: no namespace of it can be there. */
export function aRecord(more: Partial<JournalRecord> = {}): JournalRecord {
  return {
    containerId: 'c0ffee',
    name: 'multus',
    operation: 'op-1',
    ifName: 'eth0',
    netnsPath: '/run/netns/x',
    netns: { dev: '4', ino: '4026532000', cookie: '0' },
    bootId: '00000000-0000-0000-0000-000000000000',
    createdAt: '2026-11-21T14:00:00.000Z',
    complete: true,
    path: ['/opt/cni/bin'],
    pod: 'prod/web',
    source: sourceSettings(undefined),
    delegateTimeoutMs: 60_000,
    defaultRoutes: [],
    statusAnnotations: ['k8s.v1.cni.cncf.io/network-status'],
    attachments: [aDefaultAttachment(), anAttachment()],
    ...more,
  };
}
