/** Loggers of the programs: JSON lines (pino) to stderr, to a file that is rotated, or to both. */
import { type Logger, pino } from 'pino';
import type { LogLevel, LogRotation, LogSettings } from '../pod/log-settings.ts';
import { RotatingFile } from './rotating-file.ts';

/** Multus's levels, and the TKE fork's. Warnings come with `verbose` and more. */
const PINO_LEVELS: Record<LogLevel, string> = {
  debug: 'debug',
  verbose: 'info',
  info: 'info',
  error: 'error',
  panic: 'fatal',
};

export interface LogTarget {
  /** pino's name. */
  level: string;
  /** '' = none. */
  file: string;
  toStderr: boolean;
  rotation: LogRotation;
}

export interface OpenLog {
  log: Logger;
  /** Settles when rotated files are compressed; what was logged is written already. */
  settled: () => Promise<void>;
}

/** pino's level for a word of an option or a variable, in any letter case: its own names and Multus's. */
export function levelNamed(word: string): string | undefined {
  const name = word.toLowerCase();
  if (Object.hasOwn(PINO_LEVELS, name)) return PINO_LEVELS[name as LogLevel];
  return ['warn', 'silent'].includes(name) ? name : undefined;
}

/** @param fallback pino's level when the settings name none */
export function targetOf(settings: LogSettings, fallback: string): LogTarget {
  const { file, level, toStderr, rotation } = settings;
  return { level: level === undefined ? fallback : PINO_LEVELS[level], file, toStderr: toStderr ?? true, rotation };
}

/** A file that cannot be written to is told once on stderr, whatever the target says of stderr. */
export function openLog({ level, file, toStderr, rotation }: LogTarget): OpenLog {
  const stderr = pino.destination({ dest: 2, sync: true }); // without `dest` it makes process.stdout, about 3 ms
  const complaints = pino({ base: null }, stderr);
  const rotating =
    file === ''
      ? undefined
      : new RotatingFile(file, rotation, ({ message }) => {
          complaints.error({ file, error: message }, 'cannot write to the log file');
        });
  const write = (line: string): void => {
    if (toStderr) stderr.write(line);
    rotating?.write(line);
  };
  return { log: pino({ level, base: null }, { write }), settled: async () => rotating?.settled() };
}
