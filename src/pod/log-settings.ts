/** Where and how much to log: the keys that Multus and its TKE fork have for it, in requests and in the daemon's file. */
import type { RawObject } from '../cni/raw-json.ts';
import { ConfigKeys } from './config-keys.ts';

/** `verbose` is what the TKE fork calls `info`. */
export const LOG_LEVELS = ['debug', 'verbose', 'info', 'error', 'panic'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Rotation of `logFile`, defaults as Multus documents them. */
export interface LogRotation {
  /** Days after which a rotated file is removed, 0 = never. */
  maxAge: number;
  /** Megabytes at which the file is rotated. */
  maxSize: number;
  /** Rotated files that are kept, 0 = all. */
  maxBackups: number;
  /** Rotated files are compressed with gzip. */
  compress: boolean;
}

export interface LogSettings {
  /** '' = no file. */
  file: string;
  /** undefined = the program's own default. */
  level: LogLevel | undefined;
  toStderr: boolean | undefined;
  rotation: LogRotation;
}

const DEFAULT_ROTATION: LogRotation = { maxAge: 5, maxSize: 100, maxBackups: 5, compress: true };

export const NO_LOG_SETTINGS: LogSettings = {
  file: '',
  level: undefined,
  toStderr: undefined,
  rotation: DEFAULT_ROTATION,
};

function rotationOf(keys: ConfigKeys): LogRotation {
  const value = keys.record('logOptions') ?? {};
  const given = new Map(Object.entries(value).map(([key, one]) => [key.toLowerCase(), one]));
  const count = (key: 'maxAge' | 'maxSize' | 'maxBackups'): number => {
    const one = given.get(key.toLowerCase()) ?? DEFAULT_ROTATION[key];
    if (typeof one !== 'number' || !Number.isSafeInteger(one) || one < 0) {
      throw keys.refuse(`logOptions.${key}`, 'a whole number from 0', one);
    }
    return one;
  };
  const compress = given.get('compress') ?? DEFAULT_ROTATION.compress;
  if (typeof compress !== 'boolean') throw keys.refuse('logOptions.compress', 'true or false', compress);
  return { maxAge: count('maxAge'), maxSize: count('maxSize') || 100, maxBackups: count('maxBackups'), compress };
}

/** @throws CniError 7 naming the key */
export function parseLogSettings(keys: ConfigKeys): LogSettings {
  return {
    file: keys.path('logFile', ''),
    level: keys.has('logLevel') ? keys.word('logLevel', LOG_LEVELS, 'panic') : undefined,
    toStderr: keys.has('logToStderr') ? keys.flag('logToStderr', true) : undefined,
    rotation: rotationOf(keys),
  };
}

/** For opening a log before the configuration is judged. @returns undefined when one of the keys is wrong */
export function logSettingsOf(config: RawObject): LogSettings | undefined {
  try {
    return parseLogSettings(new ConfigKeys(config, 'CNI configuration'));
  } catch {
    return undefined;
  }
}
