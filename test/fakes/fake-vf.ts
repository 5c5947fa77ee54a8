/** A VF as a driver reports it. */
import type { NativeVf } from '../../src/node/native.ts';

/** One that was never touched, by a driver that reports all. */
export function fakeVf(more: Partial<NativeVf> = {}): NativeVf {
  return {
    index: 3,
    mac: '00:00:00:00:00:00',
    vlan: 0,
    qos: 0,
    vlanProtocol: 0x8100,
    minTxRate: 0,
    maxTxRate: 0,
    spoofCheck: true,
    trust: false,
    rssQuery: false,
    linkState: 0,
    nodeGuid: null,
    portGuid: null,
    ...more,
  };
}

/** By a driver that answers and reports nothing. */
export const SILENT_VF: NativeVf = {
  index: 3,
  mac: null,
  vlan: null,
  qos: null,
  vlanProtocol: null,
  minTxRate: null,
  maxTxRate: null,
  spoofCheck: null,
  trust: null,
  rssQuery: null,
  linkState: null,
  nodeGuid: null,
  portGuid: null,
};
