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
