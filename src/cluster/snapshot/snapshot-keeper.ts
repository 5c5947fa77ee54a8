/** Keeps the snapshot on disk as the definitions are: soon after a change, and not for each of many. */
import type { DefinitionRecord, SourceLog } from '../source.ts';
import { writeSnapshot } from './definitions-snapshot.ts';

/** Between a change and the disk; as long as no pod is more likely to want the new one than the old. */
const PAUSE_MS = 2000;

export class SnapshotKeeper {
  private readonly cniDir: string;
  private readonly definitions: () => Iterable<DefinitionRecord>;
  private readonly log: SourceLog;
  private readonly pauseMs: number;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();
  private said = '';

  /** @param definitions all that there are, when it is called */
  constructor(
    cniDir: string,
    definitions: () => Iterable<DefinitionRecord>,
    log: SourceLog,
    { pauseMs = PAUSE_MS }: { pauseMs?: number } = {},
  ) {
    this.cniDir = cniDir;
    this.definitions = definitions;
    this.log = log;
    this.pauseMs = pauseMs;
  }

  /** Something changed. */
  touch(): void {
    this.timer ??= setTimeout(() => this.write(), this.pauseMs);
  }

  /** What is yet to be written is on disk, or cannot be. */
  async stop(): Promise<void> {
    if (this.timer !== undefined) this.write();
    await this.writing;
  }

  private write(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.writing = this.writing.then(async () => {
      try {
        await writeSnapshot(this.cniDir, this.definitions());
        this.said = '';
      } catch (error) {
        const { message } = error as Error;
        if (message !== this.said) this.log.warn({ reason: message }, 'cannot keep the definitions on disk');
        this.said = message;
      }
    });
  }
}
