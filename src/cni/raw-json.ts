/**
 * JSON objects that are read and patched without being written anew. A configuration passes through us on its way to
 * a plugin; what we do not own arrives byte for byte: numbers beyond 2^53, order, whitespace, escapes, duplicate keys.
 */
import { CniCode, CniError } from './errors.ts';
import { foldKey } from './fold.ts';
import { type Member, parseError, scanDocument, scanElements, scanMembers } from './json-scan.ts';
import { kindOf, quote } from './quote.ts';
import { invalidUtf8At } from './utf8.ts';

/** A JSON value as its text: handed on without being decoded, so that numbers beyond 2^53 survive. */
export class RawValue {
  readonly text: string;

  /** @param text of one JSON value, known to be valid */
  constructor(text: string) {
    this.text = text;
  }

  decoded(): unknown {
    return JSON.parse(this.text);
  }
}

/** What a text says. */
interface Parts {
  text: string;
  open: number;
  members: readonly Member[];
  /** Folded key → index of the member that counts. */
  last: ReadonlyMap<string, number>;
}

function partsOf(text: string, what: string): Parts {
  const { start, end } = scanDocument(text, what);
  if (text[start] !== '{') {
    const got = kindOf(JSON.parse(text.slice(start, end)));
    throw parseError(text, what, `it must be a JSON object, got ${got}`, start);
  }
  const members = scanMembers(text, start);
  const last = new Map(members.map((member, index) => [foldKey(member.key), index]));
  return { text, open: start, members, last };
}

/** V8 keeps the whole text alive of which another one is a slice. */
function copyOf(text: string): string {
  const narrow = Buffer.from(text, 'latin1').toString('latin1'); // half as long, where that is all of it
  return narrow === text ? narrow : Buffer.from(text, 'utf16le').toString('utf16le');
}

/** Texts kept per generation, and their longest: a node's configurations come with every request, a few networks' as well. */
const KEPT_TEXTS = 96;
const KEPT_LENGTH = 8192;

/**
 * Objects parsed of late, by their text: they never change. Two generations; what is used moves into the younger one,
 * the older one goes when that is full.
 */
class Recent {
  private younger = new Map<string, RawObject>();
  private older = new Map<string, RawObject>();

  get(text: string): RawObject | undefined {
    const found = this.younger.get(text);
    if (found !== undefined) return found;
    const old = this.older.get(text);
    if (old !== undefined) this.add(old);
    return old;
  }

  /** @param object whose text is no part of a longer one, which would be kept with it */
  add(object: RawObject): void {
    if (this.younger.size >= KEPT_TEXTS) {
      this.older = this.younger;
      this.younger = new Map();
    }
    this.younger.set(object.text, object);
  }
}

const recent = new Recent();

/**
 * One JSON object as its text.
 *
 * Keys match as Go's encoding/json matches those of a structure (see fold.ts): without regard to case, and where several
 * members match, the last one in the text counts, whatever its spelling. In a map (`entries`, `withEntries`) keys match
 * exactly, and the last one counts, too.
 */
export class RawObject {
  /** Names the object in errors. */
  readonly what: string;
  private readonly parts: Parts;

  private constructor(parts: Parts, what: string) {
    this.parts = parts;
    this.what = what;
  }

  /** The whole text, with the whitespace around the object. */
  get text(): string {
    return this.parts.text;
  }

  private get members(): readonly Member[] {
    return this.parts.members;
  }

  private get last(): ReadonlyMap<string, number> {
    return this.parts.last;
  }

  /**
   * @param what names the text in errors, e.g. 'CNI configuration on stdin'
   * @throws CniError 6 "Cannot parse <what>: <reason> at line L column C" when the text is not a JSON object or is
   *   nested deeper than 1000
   */
  static parse(text: string, what: string): RawObject {
    const known = recent.get(text);
    if (known !== undefined) return known.what === what ? known : new RawObject(known.parts, what);
    const parts = partsOf(text, what);
    if (text.length > KEPT_LENGTH) return new RawObject(parts, what);
    const object = new RawObject({ ...parts, text: copyOf(text) }, what);
    recent.add(object);
    return object;
  }

  /** The keys as spelled, in the order of the text; of several spellings of one key, the one that counts. */
  keys(): string[] {
    return this.members.filter((member, index) => this.last.get(foldKey(member.key)) === index).map(({ key }) => key);
  }

  has(key: string): boolean {
    return this.last.has(foldKey(key));
  }

  /** The text of a member's value, without the whitespace around it. */
  raw(key: string): string | undefined {
    const member = this.find(key);
    return member && this.rawOf(member);
  }

  /** The texts of the values of all members of that key, also of those that do not count. */
  rawAll(key: string): string[] {
    const folded = foldKey(key);
    return this.members.filter((member) => foldKey(member.key) === folded).map((member) => this.rawOf(member));
  }

  /** The entries of a map, each value as its text. */
  entries(): Record<string, RawValue> {
    return Object.fromEntries(this.members.map((member) => [member.key, new RawValue(this.rawOf(member))]));
  }

  /** The decoded value; undefined when there is no such member. */
  value(key: string): unknown {
    const raw = this.raw(key);
    return raw === undefined ? undefined : JSON.parse(raw);
  }

  /**
   * A copy with some members set or removed; every other byte stays.
   *
   * A string is raw JSON text and replaces the value where it stands, or is appended as the last member. undefined
   * removes the member. Duplicates of an edited key collapse into the one that counts, and its key takes the spelling
   * of the edit, so that readers which compare bytes find it too.
   * @throws CniError 6 when an edit is not a JSON value
   */
  with(edits: Record<string, string | undefined>): RawObject {
    const pending = new Map(
      Object.entries(edits).map(([key, raw]) => [
        foldKey(key),
        { key, raw: raw === undefined ? raw : checkedRaw(key, raw) },
      ]),
    );
    const added = [...pending].flatMap(([folded, { key, raw }]) =>
      raw === undefined || this.last.has(folded) ? [] : [memberText(key, raw)],
    );
    return this.rewritten((member, index) => {
      const folded = foldKey(member.key);
      const edit = pending.get(folded);
      if (edit === undefined) return this.text.slice(member.start, member.valueEnd);
      return edit.raw === undefined || this.last.get(folded) !== index ? undefined : this.edited(member, edit);
    }, added);
  }

  /**
   * A copy of a map with these entries in place of those with exactly their keys. They become the last members: who reads
   * the map as a structure takes them as well, whatever other spellings there are.
   * @param entries raw JSON text by key
   * @throws CniError 6 when a value is not a JSON value
   */
  withEntries(entries: ReadonlyMap<string, string>): RawObject {
    const added = [...entries].map(([key, raw]) => memberText(key, checkedRaw(key, raw)));
    const kept = (member: Member) => this.text.slice(member.start, member.valueEnd);
    return this.rewritten((member) => (entries.has(member.key) ? undefined : kept(member)), added);
  }

  /**
   * The value of a member as an object; undefined when absent or null.
   * @param what names that object in its own errors
   * @throws CniError 7 when the value is something else
   */
  object(key: string, what: string): RawObject | undefined {
    const raw = this.rawOfKind(key, '{', 'an object');
    return raw === undefined ? undefined : RawObject.parse(raw, what);
  }

  /**
   * The raw texts of an array's elements; undefined when absent or null.
   * @throws CniError 7 when the value is something else
   */
  array(key: string): string[] | undefined {
    const raw = this.rawOfKind(key, '[', 'an array');
    return raw === undefined ? undefined : scanElements(raw, 0).map(({ start, end }) => raw.slice(start, end));
  }

  private find(key: string): Member | undefined {
    return this.members[this.last.get(foldKey(key)) ?? -1];
  }

  private rawOf({ valueStart, valueEnd }: Member): string {
    return this.text.slice(valueStart, valueEnd);
  }

  /** A copy with each member as `textOf` has it, undefined = left out, and others behind; the bytes between them stay. */
  private rewritten(
    textOf: (member: Member, index: number) => string | undefined,
    added: readonly string[],
  ): RawObject {
    let tail = this.members[0]?.start ?? this.parts.open + 1;
    let text = this.text.slice(0, tail);
    let isEmpty = true;
    for (const [index, member] of this.members.entries()) {
      const separator = isEmpty ? '' : this.text.slice(tail, member.start);
      tail = member.valueEnd;
      const kept = textOf(member, index);
      if (kept === undefined) continue;
      text += separator + kept;
      isEmpty = false;
    }
    const rest = isEmpty ? added.join() : added.map((one) => `,${one}`).join('');
    return RawObject.parse(text + rest + this.text.slice(tail), this.what);
  }

  private edited(member: Member, edit: { key: string; raw: string | undefined }): string {
    const isSpelledSo = member.key === edit.key;
    const key = isSpelledSo ? this.text.slice(member.start, member.keyEnd) : JSON.stringify(edit.key);
    return key + this.text.slice(member.keyEnd, member.valueStart) + edit.raw;
  }

  private rawOfKind(key: string, opening: string, kind: string): string | undefined {
    const raw = this.raw(key);
    if (raw === undefined || raw === 'null') return undefined;
    if (raw.startsWith(opening)) return raw;
    const got = kindOf(JSON.parse(raw));
    throw new CniError(CniCode.invalidConfig, `Cannot use ${this.what}: key "${key}" must be ${kind}, got ${got}`);
  }
}

/**
 * Decodes UTF-8. A byte order mark is kept, so that `parse` refuses it as the plugin would.
 * @param what names the bytes in errors, e.g. 'CNI configuration on stdin'
 * @throws CniError 6 naming the offset of the first byte that cannot be decoded
 */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  const offset = invalidUtf8At(bytes);
  if (offset === undefined) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const byte = `0x${bytes[offset]?.toString(16).padStart(2, '0')}`;
  throw new CniError(
    CniCode.decodingFailure,
    `Cannot parse ${what}: byte ${byte} at offset ${offset} is not valid UTF-8`,
  );
}

function memberText(key: string, raw: string): string {
  return `${JSON.stringify(key)}:${raw}`;
}

function checkedRaw(key: string, raw: string): string {
  const { start, end } = scanDocument(raw, `the value for key ${quote(key)}`);
  return raw.slice(start, end);
}
