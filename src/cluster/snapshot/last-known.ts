/** Definitions from the snapshot, for when nobody else can tell; each use is in the log. */
import { objectKey } from '../record-objects.ts';
import type { DefinitionLookup, SourceLog } from '../source.ts';
import { readSnapshot, type Snapshot } from './definitions-snapshot.ts';

export class LastKnown {
  private readonly cniDir: string;
  private readonly log: SourceLog;
  private snapshot: Snapshot | undefined;

  constructor(cniDir: string, log: SourceLog) {
    this.cniDir = cniDir;
    this.log = log;
  }

  /** The snapshot is read once: who asks again later than the next boot has another process. */
  private read(): Snapshot {
    if (this.snapshot === undefined) {
      this.snapshot = readSnapshot(this.cniDir);
      if (this.snapshot.outcome === 'problem') {
        this.log.warn({ reason: this.snapshot.reason }, 'going on without the definitions on disk');
      }
    }
    return this.snapshot;
  }

  has(namespace: string, name: string): boolean {
    const snapshot = this.read();
    return snapshot.outcome === 'found' && snapshot.definitions.has(objectKey(namespace, name));
  }

  /** @param reason why nobody else can tell; part of the answer when the snapshot cannot either */
  definition(namespace: string, name: string, reason: string): DefinitionLookup {
    const snapshot = this.read();
    const network = objectKey(namespace, name);
    switch (snapshot.outcome) {
      case 'none':
        return { outcome: 'unknown', reason };
      case 'problem':
        return { outcome: 'unknown', reason: `${reason}; ${snapshot.reason}` };
      case 'found': {
        const definition = snapshot.definitions.get(network);
        const { takenAt } = snapshot;
        if (definition === undefined) {
          return { outcome: 'unknown', reason: `${reason}; when it was last seen, at ${takenAt}, it was not there` };
        }
        this.log.warn({ network, takenAt, reason }, 'definition taken from the disk');
        return { outcome: 'found', definition };
      }
    }
  }
}
