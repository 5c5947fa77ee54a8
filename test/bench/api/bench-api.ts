/** What the bench wants of an API server, a stand-in or a real one. */
import type { NodeApi } from '../../e2e/lab/multus-node.ts';
import type { RequestCount } from './request-counts.ts';

export interface BenchApi extends NodeApi {
  /** What it is, for the report. */
  readonly name: string;
  /** Of the account that Multus has. */
  readonly token: string;
  /** Of its processes, as far as they are known: their CPU is not the targets'. */
  readonly pids: readonly number[];
  apply(...objects: object[]): Promise<unknown>;
  /** Pods whose status has been told, since they were created. */
  toldPods(): Promise<Set<string>>;
  /** What was asked since the last time, but for what the bench itself has asked. */
  takeCounts(): Promise<RequestCount[]>;
  /** Answers come later by so much, in milliseconds. */
  delay(ms: number): Promise<void>;
  close(): Promise<void>;
}
