/** Readers for single keys of a configuration: each returns the value or its default, or refuses it by its name. */
import { isAbsolute } from 'node:path';
import { CniCode, CniError } from '../cni/errors.ts';
import { foldKey } from '../cni/fold.ts';
import { kindOf, show } from '../cni/quote.ts';
import type { RawObject } from '../cni/raw-json.ts';

/**
 * @param what names the configuration, e.g. 'CNI configuration'
 * @param got names the value
 */
export function refuseKey(what: string, key: string, expected: string, got: string): CniError {
  return new CniError(CniCode.invalidConfig, `Cannot use ${what}: key "${key}" must be ${expected}, got ${got}`);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Keys of one configuration object. Absent, null and (for texts) empty values read as the default, as Go has it. */
export class ConfigKeys {
  readonly what: string;
  private readonly config: RawObject;
  private readonly asked = new Set<string>();

  constructor(config: RawObject, what: string) {
    this.config = config;
    this.what = what;
  }

  /** Keys as spelled that nobody has asked for. @param known keys that count as asked for */
  unknown(known: readonly string[]): string[] {
    const asked = new Set([...this.asked, ...known.map(foldKey)]);
    return this.config.keys().filter((key) => !asked.has(foldKey(key)));
  }

  private value(key: string): unknown {
    this.asked.add(foldKey(key));
    return this.config.value(key);
  }

  has(key: string): boolean {
    return (this.value(key) ?? undefined) !== undefined;
  }

  refuse(key: string, expected: string, value: unknown): CniError {
    return refuseKey(this.what, key, expected, show(value));
  }

  text(key: string, fallback: string): string {
    const value = this.value(key) ?? '';
    // What stands where a path belongs may be the whole file, with its secrets.
    if (isRecord(value)) throw refuseKey(this.what, key, 'a string', kindOf(value));
    if (typeof value !== 'string') throw this.refuse(key, 'a string', value);
    return value === '' ? fallback : value;
  }

  /** An absolute path. */
  path(key: string, fallback: string): string {
    const value = this.text(key, fallback);
    if (value !== '' && !isAbsolute(value)) throw this.refuse(key, 'an absolute path', value);
    return value;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.value(key) ?? fallback;
    if (typeof value !== 'boolean') throw this.refuse(key, 'true or false', value);
    return value;
  }

  /** A whole number from `min`. */
  number(key: string, fallback: number, min: number): number {
    const value = this.value(key) ?? fallback;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min) {
      throw this.refuse(key, `a whole number from ${min}`, value);
    }
    return value;
  }

  texts(key: string, fallback: readonly string[]): string[] {
    const value = this.value(key) ?? [...fallback];
    if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
      throw this.refuse(key, 'a list of strings', value);
    }
    return value as string[];
  }

  record(key: string): Record<string, unknown> | undefined {
    const value = this.value(key) ?? undefined;
    if (value !== undefined && !isRecord(value)) throw refuseKey(this.what, key, 'an object', kindOf(value));
    return value;
  }

  /** A word out of a list, in any letter case. */
  word<T extends string>(key: string, words: readonly T[], fallback: T): T {
    const value = this.text(key, fallback);
    const found = words.find((word) => word === value.toLowerCase());
    if (found === undefined) throw this.refuse(key, `one of ${words.join(', ')}`, value);
    return found;
  }

  /** Milliseconds; written as a number of seconds, or a text with unit: "250ms", "30s", "2m". */
  duration(key: string, fallbackMs: number): number {
    const value = this.value(key) ?? undefined;
    if (value === undefined) return fallbackMs;
    const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(value) : null;
    const unit = { ms: 1, s: 1000, m: 60_000 }[match?.[2] ?? 's'] ?? Number.NaN;
    const amount = typeof value === 'number' ? value : Number(match?.[1] ?? Number.NaN);
    const ms = amount * unit;
    if (!Number.isFinite(ms) || ms < 1 || ms > 3_600_000) {
      throw this.refuse(key, 'a duration of up to an hour such as "30s", "2m" or a number of seconds', value);
    }
    return Math.round(ms);
  }
}
