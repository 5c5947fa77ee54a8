/** A log that is kept instead of written. */
import type { Log } from '../../src/attach/operation.ts';

export interface LogEntry {
  level: 'debug' | 'info' | 'warn' | 'error';
  message: string;
  fields: object;
}

export class FakeLog implements Log {
  readonly entries: LogEntry[] = [];

  debug(fields: object, message: string): void {
    this.entries.push({ level: 'debug', message, fields });
  }
  info(fields: object, message: string): void {
    this.entries.push({ level: 'info', message, fields });
  }
  warn(fields: object, message: string): void {
    this.entries.push({ level: 'warn', message, fields });
  }
  error(fields: object, message: string): void {
    this.entries.push({ level: 'error', message, fields });
  }

  /** The fields of the entries with this message. */
  of(message: string): object[] {
    return this.entries.filter((entry) => entry.message === message).map(({ fields }) => fields);
  }
}
