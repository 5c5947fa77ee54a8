/** What an SR-IOV plugin's configuration asks of a virtual function, under one set of names for all that know of it. */

/** A key that is absent was not asked for. Values as the kernel has them, not as configurations spell them. */
export interface VfSettings {
  /** 0 = untagged. */
  vlan?: number;
  /** 802.1p priority, 0-7. */
  qos?: number;
  protocol?: '802.1q' | '802.1ad';
  /** On the PF ("admin MAC"); lower-case. */
  mac?: string;
  spoofCheck?: boolean;
  trust?: boolean;
  linkState?: 'auto' | 'enable' | 'disable';
  /** Mbit/s, 0 = no limit. */
  minTxRate?: number;
  maxTxRate?: number;
}

/** In the order in which they are compared and shown. */
export const VF_SETTINGS = [
  'vlan',
  'qos',
  'protocol',
  'mac',
  'spoofCheck',
  'trust',
  'linkState',
  'minTxRate',
  'maxTxRate',
] as const satisfies readonly (keyof VfSettings)[];
