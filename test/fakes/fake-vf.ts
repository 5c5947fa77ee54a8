/** A VF as a driver reports it, and a node that has one. */
import type { VfQuestions } from '../../src/attach/sriov/attached-vf.ts';
import type { NativeVf } from '../../src/node/native.ts';
import { askVf, type VfReport } from '../../src/sriov/ask-vf.ts';
import type { FoundVf, PfAnswer } from '../../src/sriov/find-vf.ts';
import type { PlacedLink } from '../../src/sriov/model.ts';
import { fakeLink } from './fake-netns.ts';

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

export const PF_ADDRESS = '0000:01:00.0';
export const VF_ADDRESS = '0000:01:10.6';

/** VF 3 of enp1s0, as sysfs has it. */
export function fakeDevice(more: Partial<FoundVf> = {}): FoundVf {
  return {
    index: 3,
    address: VF_ADDRESS,
    driver: 'igbvf',
    physfn: PF_ADDRESS,
    pfAddress: PF_ADDRESS,
    pfNetdevs: ['enp1s0'],
    ...more,
  };
}

/** An igb that reports these VFs. */
export function fakePf(vfs: NativeVf[], more: Partial<PfAnswer> = {}): PfAnswer {
  return {
    link: fakeLink(2, 'enp1s0', { kind: '', parentDevice: PF_ADDRESS, parentBus: 'pci' }),
    netnsPath: '',
    list: { numVfs: 7, queryable: true, truncated: false, vfs },
    driver: 'igb',
    isSwitchdev: false,
    ...more,
  };
}

/** A node with one VF, to be changed by tests. */
export class FakeVfs implements VfQuestions {
  device: FoundVf | undefined = fakeDevice();
  vf: NativeVf | undefined;
  pf: Partial<PfAnswer> = {};
  /** Names that the VF has on the host. */
  names = ['enp1s0v3'];
  place: PlacedLink | undefined;
  /** Every question. */
  readonly asked: string[] = [];

  constructor(vf: NativeVf | undefined = fakeVf()) {
    this.vf = vf;
  }

  find(address: string): FoundVf | undefined {
    this.asked.push(`find ${address}`);
    return this.device?.address === address ? this.device : undefined;
  }

  addressOf(pf: string, index: number): string {
    this.asked.push(`addressOf ${pf} ${index}`);
    return pf === 'enp1s0' && index === 3 ? VF_ADDRESS : '';
  }

  async ask(device: FoundVf): Promise<VfReport> {
    this.asked.push(`ask ${device.pfAddress}`);
    const pf = fakePf(this.vf === undefined ? [] : [this.vf], this.pf);
    return askVf(device, { ask: async () => pf, waitMs: 0 });
  }

  netdevs(): string[] {
    return this.names;
  }

  async where(): Promise<PlacedLink | undefined> {
    this.asked.push('where');
    return this.place;
  }
}
