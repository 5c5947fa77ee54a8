/** What `multus sriov verify` found: shapes only. */
import type { VfSettings } from '../pod/vf-settings.ts';
import type { Check, PfState, VfClaim, VfState } from './model.ts';

/** Which VFs are looked at. */
export type Selection =
  | { kind: 'node' }
  /** @property pod "namespace/name" @property network as the definition is called, with or without its namespace */
  | { kind: 'pod'; pod: string; network?: string }
  /** @property netns undefined: the path leads to none */
  | { kind: 'netns'; path: string; netns: { dev: string; ino: string } | undefined; ifName?: string }
  /** @property pf name of its network device, or PCI address */
  | { kind: 'pf'; pf: string; vf?: number }
  | { kind: 'pci'; address: string };

/** What a VF is to be like, each part by the word of the last who says something of it. */
export interface Expectation {
  settings: VfSettings;
  /** "sriov-cache /var/lib/cni/sriov/...": whose word each is. */
  sources: { [setting in keyof VfSettings]?: string };
  /** Whose whole configuration it is, so that what it is silent on is asked for by nobody; '' when there is none. */
  configuration: string;
  /** What sriov-cni wrote down of it, undefined when it did not. */
  cached: VfSettings | undefined;
}

/** A VF, who has it, and the verdicts on it. */
export interface AuditItem {
  pf: PfState;
  vf: VfState;
  /** Who says something of it: in rising order of authority. */
  claims: VfClaim[];
  /** Those of them by which a living container has it. */
  holders: VfClaim[];
  expectation: Expectation;
  checks: Check[];
}

/** A verdict on something that is not one VF. */
export interface NodeCheck extends Check {
  /** Name of the PF that it is about, '' for the node. */
  pf: string;
}

export interface AuditReport {
  node: string;
  kernel: string;
  /** What was selected is not on this node: why, '' when it is. */
  notFound: string;
  items: AuditItem[];
  checks: NodeCheck[];
}
