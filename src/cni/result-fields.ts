/** Field by field out of a plugin's result, each refusal naming the key, what it must be and what was found. */
import { CniCode, CniError } from './errors.ts';
import { foldKey } from './fold.ts';
import { cidrFamily, ipFamily } from './ip.ts';
import { describe } from './quote.ts';

type JsonObject = { [key: string]: unknown };

/**
 * One object of a result, with its place in the document. Each reader takes a field out, matching keys as Go does (the
 * last spelling counts); `rest` is what nobody took. null reads as absent.
 */
export class Fields {
  private readonly what: string;
  private readonly place: string;
  private readonly object: JsonObject;

  /** @throws CniError 6 when the value is not an object */
  constructor(value: unknown, what: string, place = '') {
    this.what = what;
    this.place = place;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw mistyped(what, place, 'an object', value);
    }
    this.object = { ...value };
  }

  /** Text; '' reads as absent, as Go writes and reads it. */
  text(key: string): string | undefined {
    const value = this.take(key);
    if (value === undefined || value === '') return undefined;
    if (typeof value !== 'string') throw this.mistyped(key, 'a string', value);
    return value;
  }

  texts(key: string): string[] {
    return this.list(key).map((value, index) => {
      if (typeof value !== 'string') throw this.mistyped(`${key}[${index}]`, 'a string', value);
      return value;
    });
  }

  integer(key: string): number | undefined {
    const value = this.take(key);
    if (value === undefined) return undefined;
    if (!Number.isSafeInteger(value)) throw this.mistyped(key, 'an integer', value);
    return value as number;
  }

  /** A number whose 0 means "not set". */
  size(key: string): number | undefined {
    return this.integer(key) || undefined;
  }

  /** A required address with prefix length. */
  cidr(key: string): string {
    const value = this.take(key);
    if (typeof value === 'string' && cidrFamily(value) !== undefined) return value;
    throw this.mistyped(key, 'an IP address with prefix length ("10.1.0.5/16")', value);
  }

  /** An optional plain address. */
  ip(key: string): string | undefined {
    const value = this.text(key);
    if (value === undefined || ipFamily(value) !== undefined) return value;
    throw this.mistyped(key, 'an IP address', value);
  }

  child(key: string): Fields | undefined {
    const value = this.take(key);
    return value === undefined ? undefined : new Fields(value, this.what, this.at(key));
  }

  children(key: string): Fields[] {
    return this.list(key).map((value, index) => new Fields(value, this.what, this.at(`${key}[${index}]`)));
  }

  /** Leaves fields out of `rest`, whatever they hold. */
  drop(...keys: string[]): void {
    for (const key of keys) this.take(key);
  }

  /** Everything that no reader took. */
  rest(): JsonObject {
    return this.object;
  }

  mistyped(key: string, wanted: string, got: unknown): CniError {
    return mistyped(this.what, this.at(key), wanted, got);
  }

  /** Takes a field and forgets it. */
  private take(key: string): unknown {
    const folded = foldKey(key);
    let value: unknown;
    for (const name of Object.keys(this.object)) {
      if (foldKey(name) !== folded) continue;
      value = this.object[name];
      delete this.object[name];
    }
    return value ?? undefined;
  }

  private list(key: string): unknown[] {
    const value = this.take(key) ?? [];
    if (!Array.isArray(value)) throw this.mistyped(key, 'an array', value);
    return value;
  }

  private at(key: string): string {
    return this.place === '' ? key : `${this.place}.${key}`;
  }
}

function mistyped(what: string, place: string, wanted: string, got: unknown): CniError {
  const subject = place === '' ? 'it' : `key "${place}"`;
  return new CniError(
    CniCode.decodingFailure,
    `Cannot use ${what}: ${subject} must be ${wanted}, got ${describe(got)}`,
  );
}
