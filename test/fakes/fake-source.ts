/** A cluster in memory. What is not in it is absent, unless the source is told to know nothing. */
import type { ClusterSource, DefinitionLookup, PodLookup } from '../../src/cluster/source.ts';

export interface FakeCluster {
  /** Annotations by "namespace/name". */
  pods?: Record<string, Record<string, string>>;
  /** UID of every pod. @default '' */
  uid?: string;
  /** spec.config by "namespace/name". */
  definitions?: Record<string, string>;
  /** Why nothing else can be told. */
  unknown?: string;
}

export function fakeSource({ pods = {}, uid = '', definitions = {}, unknown }: FakeCluster): ClusterSource {
  return {
    description: 'fakes',
    async pod(namespace, name): Promise<PodLookup> {
      const annotations = pods[`${namespace}/${name}`];
      if (annotations !== undefined) return { outcome: 'found', pod: { namespace, name, uid, annotations } };
      return { outcome: 'unknown', reason: unknown ?? 'no such pod' };
    },
    async definition(namespace, name): Promise<DefinitionLookup> {
      const config = definitions[`${namespace}/${name}`];
      if (config !== undefined) return { outcome: 'found', definition: { namespace, name, config, annotations: {} } };
      return unknown === undefined
        ? { outcome: 'absent', reason: 'no such definition' }
        : { outcome: 'unknown', reason: unknown };
    },
  };
}
