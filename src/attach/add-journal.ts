/**
 * The record of one ADD in the journal. It is there before anything is done, so that a process that is killed loses
 * nothing; that it is on disk is waited for while the first plugins run, and before the runtime gets its answer. The
 * finished record gets there after the answer: a failure of power until then leaves the record of what was begun, from
 * which the container is detached as well.
 */
import type { Journal } from './journal.ts';
import type { JournalRecord } from './journal-record.ts';

export class AddJournal {
  private readonly journal: Journal;
  private readonly record: JournalRecord;
  private onDisk: Promise<void> = Promise.resolve();
  private last: Promise<void> = Promise.resolve();
  private isKept = false;
  /** Will what is done now be in a write that has yet to begin? */
  private isDue = false;

  constructor(journal: Journal, record: JournalRecord) {
    this.journal = journal;
    this.record = record;
  }

  /** What is about to be done. @throws CniError 105 */
  async begin(): Promise<void> {
    await this.journal.place(this.record);
    this.onDisk = this.journal.sync(this.record.containerId);
    this.onDisk.catch(() => undefined); // awaited by finish()
    this.last = this.onDisk; // nothing takes its name before it is there
  }

  /** What has been done so far: written at once, while the next plugins run. */
  update(): void {
    if (this.isDue) return;
    this.isDue = true;
    this.last = this.last.then(() => this.place());
    this.last.catch(() => undefined); // awaited by settled() and finish()
  }

  /** Nothing is under way when it settles, whatever came of it. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.onDisk, this.last]);
  }

  /** All of it. What was begun is on disk when it settles. @throws CniError 105 */
  async finish(): Promise<void> {
    await Promise.all([this.onDisk, this.last]);
    await this.place();
  }

  /** Settles when all of it is on disk. @throws CniError 105 */
  async secure(): Promise<void> {
    await this.journal.sync(this.record.containerId, { begun: true });
  }

  private place(): Promise<void> {
    const isFirst = !this.isKept;
    this.isKept = true;
    this.isDue = false;
    return this.journal.place(this.record, { keepBegun: isFirst });
  }
}
