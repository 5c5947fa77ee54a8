/**
 * A folder of manifests as the cluster: for edge machines, nerdctl and podman users, demos and tests.
 * The folder is read anew when a file in it changed.
 */
import { objectKey } from '../record-objects.ts';
import type {
  ClusterSource,
  DefinitionLookup,
  PodLookup,
  PodStatus,
  ResourceClaimLookup,
  ResourceSliceLookup,
  ResourceSource,
  StatusKey,
} from '../source.ts';
import { type Manifests, manifestsStamp, readManifests } from './manifest-files.ts';
import { removeStatus, writeStatus } from './status-files.ts';

export class ManifestsSource implements ClusterSource {
  readonly description: string;
  readonly ownsStatus = true;
  readonly resources: ResourceSource = {
    resourceClaim: async (namespace, name) => this.resourceClaim(namespace, name),
    resourceSlices: async (driver) => this.resourceSlices(driver),
  };
  private readonly directory: string;
  private stamp = '';
  private manifests: Manifests | undefined;

  constructor(directory: string) {
    this.directory = directory;
    this.description = `manifests in ${directory}`;
  }

  async pod(namespace: string, name: string): Promise<PodLookup> {
    const manifests = this.read();
    if (typeof manifests === 'string') return { outcome: 'unknown', reason: manifests };
    const pod = manifests.pods.get(objectKey(namespace, name));
    if (pod !== undefined) return { outcome: 'found', pod };
    return { outcome: 'unknown', reason: this.missing(`Pod ${namespace}/${name}`, manifests) };
  }

  async definition(namespace: string, name: string): Promise<DefinitionLookup> {
    const manifests = this.read();
    if (typeof manifests === 'string') return { outcome: 'unknown', reason: manifests };
    const definition = manifests.definitions.get(objectKey(namespace, name));
    if (definition !== undefined) return { outcome: 'found', definition };
    const reason = this.missing(`NetworkAttachmentDefinition ${namespace}/${name}`, manifests);
    return { outcome: manifests.problems.length > 0 ? 'unknown' : 'absent', reason };
  }

  private resourceClaim(namespace: string, name: string): ResourceClaimLookup {
    const manifests = this.read();
    if (typeof manifests === 'string') return { outcome: 'unknown', reason: manifests };
    const claim = manifests.claims.get(objectKey(namespace, name));
    if (claim !== undefined) return { outcome: 'found', claim };
    const reason = this.missing(`ResourceClaim ${namespace}/${name}`, manifests);
    return { outcome: manifests.problems.length > 0 ? 'unknown' : 'absent', reason };
  }

  private resourceSlices(driver: string): ResourceSliceLookup {
    const manifests = this.read();
    if (typeof manifests === 'string') return { outcome: 'unknown', reason: manifests };
    return { outcome: 'found', slices: [...manifests.slices.values()].filter((slice) => slice.driver === driver) };
  }

  async publishStatus(status: PodStatus): Promise<void> {
    writeStatus(this.directory, status);
  }

  async clearStatus(key: StatusKey): Promise<void> {
    removeStatus(this.directory, key);
  }

  private missing(what: string, manifests: Manifests): string {
    const problems = manifests.problems.length > 0 ? `; not usable there: ${manifests.problems.join('; ')}` : '';
    return `${what} is not in the ${this.description}${problems}`;
  }

  /** The folder's content, or why it cannot be read. */
  private read(): Manifests | string {
    try {
      const stamp = manifestsStamp(this.directory);
      if (this.manifests === undefined || stamp !== this.stamp) {
        this.manifests = readManifests(this.directory);
        this.stamp = stamp;
      }
      return this.manifests;
    } catch (error) {
      return `Cannot read the ${this.description}: ${(error as Error).message}`;
    }
  }
}
