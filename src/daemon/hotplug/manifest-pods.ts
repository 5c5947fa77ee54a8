/** The pods of a folder of manifests, as they change: a node without an API server follows its files. */
import type { Log } from '../../attach/operation.ts';
import type { ManifestsSource } from '../../cluster/manifests/manifests-source.ts';
import type { PodWatch, WatchedPod } from '../../cluster/source.ts';
import { followFolders } from '../../node-config/follow-folders.ts';

type Listener = Parameters<PodWatch['subscribe']>[0];

export class ManifestPods implements PodWatch {
  private readonly source: ManifestsSource;
  private readonly listeners = new Set<Listener>();
  private known = new Map<string, { pod: WatchedPod; text: string }>();

  constructor(source: ManifestsSource) {
    this.source = source;
  }

  pods(): Iterable<WatchedPod> {
    return [...this.known.values()].map(({ pod }) => pod);
  }

  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Follows the folder; settles when `signal` aborts. */
  follow(folder: string, log: Log, signal: AbortSignal): Promise<void> {
    return followFolders({ folders: [folder], look: async () => this.look(), log, signal });
  }

  /** What cannot be read has not changed. */
  private look(): void {
    const pods = this.source.pods();
    if (pods === undefined) return;
    const before = this.known;
    this.known = new Map(
      pods.map((record) => {
        const pod = { ...record, phase: 'Running', hostNetwork: false, isDeleting: false, resourceVersion: '' };
        return [`${pod.namespace}/${pod.name}`, { pod, text: JSON.stringify([pod.uid, pod.annotations]) }];
      }),
    );
    for (const [key, { pod, text }] of this.known) if (before.get(key)?.text !== text) this.say(pod, key);
    for (const key of before.keys()) if (!this.known.has(key)) this.say(undefined, key);
  }

  private say(pod: WatchedPod | undefined, key: string): void {
    for (const listener of this.listeners) listener(pod, key);
  }
}
