/** Opens the cluster source that a configuration asks for, once per process and folder. */
import { ManifestsSource } from './manifests/manifests-source.ts';
import type { ClusterSource, DefinitionLookup, PodLookup } from './source.ts';

/** Stands for a source that this version cannot read: it knows nothing, and says so. */
class UnsupportedSource implements ClusterSource {
  readonly description: string;
  constructor(description: string) {
    this.description = description;
  }
  async pod(): Promise<PodLookup> {
    return { outcome: 'unknown', reason: this.reason() };
  }
  async definition(): Promise<DefinitionLookup> {
    return { outcome: 'unknown', reason: this.reason() };
  }
  private reason(): string {
    return `this version does not read from the ${this.description}; set "manifestsDir" instead`;
  }
}

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

/** A function that opens sources and keeps them. */
export function createSources(): OpenSource {
  const folders = new Map<string, ManifestsSource>();
  return ({ manifestsDir, kubeconfig }) => {
    if (manifestsDir !== '') {
      const source = folders.get(manifestsDir) ?? new ManifestsSource(manifestsDir);
      folders.set(manifestsDir, source);
      return source;
    }
    return kubeconfig === '' ? undefined : new UnsupportedSource(`API server of ${kubeconfig}`);
  };
}
