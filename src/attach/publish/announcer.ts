/** What the engine tells the world of a pod. None of it fails an operation, or holds one up that did not ask to wait. */
import type { PodEvent } from '../../cluster/source.ts';
import type { SourceSettings } from '../../cluster/sources.ts';
import type { JournalRecord } from '../journal-record.ts';

/** A container whose pod is to be told, by its record. */
export type StatusOwner = Pick<JournalRecord, 'containerId' | 'pod' | 'createdAt'>;

export interface Announcer {
  /**
   * The pod of a container is owed its network status, as the journal and the kernel have it when it is told.
   * @param wait settles when the status was told or could not be, at the latest when this aborts; without it at once
   */
  oweStatus(cniDir: string, container: StatusOwner, wait?: AbortSignal): Promise<void>;
  /** Nothing is owed any more: the container goes. */
  dropStatus(cniDir: string, containerId: string): void;
  /** Told where the settings lead, if somebody there takes events. */
  event(settings: SourceSettings, event: PodEvent): void;
}

/** For who only asks, and for tests. */
export const SILENT: Announcer = {
  oweStatus: async () => undefined,
  dropStatus: () => undefined,
  event: () => undefined,
};
