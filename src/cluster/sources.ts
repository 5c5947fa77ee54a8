/** Opens the cluster source that a configuration asks for, once per process. */
import { LiveSource, OfflineSource } from './kubernetes/live-source.ts';
import { ManifestsSource } from './manifests/manifests-source.ts';
import type { ClusterSource, SourceLog } from './source.ts';

export interface SourceSettings {
  manifestsDir: string;
  kubeconfig: string;
  /** The node is one of a cluster: what cannot be asked of an API server is unknown. */
  kubernetes: boolean;
  /** State directory: what was last read of the cluster lies there. */
  cniDir: string;
}

/** A configuration's; nothing of a cluster where there is none. */
export function sourceSettings(config: SourceSettings | undefined): SourceSettings {
  const { manifestsDir = '', kubeconfig = '', kubernetes = false, cniDir = '' } = config ?? {};
  return { manifestsDir, kubeconfig, kubernetes, cniDir };
}

/** undefined: the configuration names no cluster at all, so a pod can have nothing but the node's own networks. */
export type OpenSource = (settings: SourceSettings) => ClusterSource | undefined;

export interface SourcesOptions {
  log: SourceLog;
  /** How we name ourselves to API servers: "multus-native/1.2.3 (daemon)". */
  userAgent: string;
  /** The API server for which the process has credentials of its own: then no configuration's count. */
  cluster?: ClusterSource | undefined;
}

/** A function that opens sources and keeps them. */
export function createSources({ log, userAgent, cluster }: SourcesOptions): OpenSource {
  const opened = new Map<string, ClusterSource>();
  const once = (key: string, open: () => ClusterSource): ClusterSource => {
    const source = opened.get(key) ?? open();
    opened.set(key, source);
    return source;
  };
  return ({ manifestsDir, kubeconfig, kubernetes, cniDir }) => {
    if (manifestsDir !== '') return once(`manifests ${manifestsDir}`, () => new ManifestsSource(manifestsDir));
    if (cluster !== undefined) return cluster;
    if (kubeconfig !== '') {
      const open = (): ClusterSource => new LiveSource({ kubeconfig, cniDir, userAgent, log });
      return once(`kubeconfig ${kubeconfig}\0${cniDir}`, open);
    }
    return kubernetes ? new OfflineSource({ cniDir, log }) : undefined;
  };
}
