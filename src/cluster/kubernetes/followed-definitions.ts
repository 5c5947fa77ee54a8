/** All definitions of the cluster: followed, and kept on the node's disk for who cannot ask. */
import { SnapshotKeeper } from '../snapshot/snapshot-keeper.ts';
import type { DefinitionRecord, SourceLog } from '../source.ts';
import type { ApiClient } from './api-client.ts';
import { ListWatch, type ListWatchTimes } from './list-watch.ts';
import { ALL_DEFINITIONS } from './objects.ts';

export interface FollowedDefinitionsSettings {
  /** State directory, where the snapshot lies. One that is there stays until the cluster has been seen. */
  cniDir: string;
  log: SourceLog;
  times?: ListWatchTimes | undefined;
}

export class FollowedDefinitions {
  readonly copy: ListWatch<DefinitionRecord>;
  private readonly keeper: SnapshotKeeper;

  constructor(client: ApiClient, { cniDir, log, times }: FollowedDefinitionsSettings) {
    this.copy = new ListWatch(client, ALL_DEFINITIONS, {
      log,
      times,
      onChange: () => this.keeper.touch(),
      onListed: () => this.keeper.touch(),
    });
    this.keeper = new SnapshotKeeper(cniDir, () => this.copy.values(), log);
  }

  /** Until `signal` aborts; what is to be on disk is there then. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    await this.copy.run(signal);
    await this.keeper.stop();
  }
}
