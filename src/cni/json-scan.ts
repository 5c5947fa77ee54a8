/**
 * A JSON scanner (RFC 8259) that finds where values begin and end without building them, in one pass and linear time.
 * Strict: no comments, no trailing commas, no byte order mark. Nesting is bounded, so hostile text cannot exhaust the
 * stack.
 */
import { CniCode, CniError } from './errors.ts';
import { quote } from './quote.ts';

/** Objects and arrays may be nested this deep; real configurations stay below 20. */
export const MAX_DEPTH = 1000;

/** Where a member of an object lies in the text: `text.slice(start, keyEnd)` is the key with its quotes. */
export interface Member {
  key: string;
  start: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
}

/** Where a value lies in the text, without the whitespace around it. */
export interface Range {
  start: number;
  end: number;
}

/**
 * Checks that the text is exactly one JSON value, whitespace around it allowed.
 * @param what names the text in errors, e.g. 'CNI configuration on stdin'
 * @throws CniError 6 "Cannot parse <what>: <reason> at line L column C" (column in UTF-16 units, from 1)
 */
export function scanDocument(text: string, what: string): Range {
  return refusing(text, what, () => {
    const start = skipSpace(text, 0);
    if (start === text.length) throw new Refusal('the text is empty', 0);
    const end = scanValue(text, start, 0);
    const rest = skipSpace(text, end);
    if (rest < text.length) throw new Refusal(`${unexpected(text, rest)} after the end of the value`, rest);
    return { start, end };
  });
}

/** Lists the members of the object at `start`, which an earlier scan has checked, in the order of the text. */
export function scanMembers(text: string, start: number): Member[] {
  const members: Member[] = [];
  scanObject(text, start, 1, (member) => members.push(member));
  return members;
}

/** Lists the elements of the array at `start`, which an earlier scan has checked. */
export function scanElements(text: string, start: number): Range[] {
  const elements: Range[] = [];
  scanArray(text, start, 1, (element) => elements.push(element));
  return elements;
}

/** Builds the error for a text that is JSON but of the wrong kind, in the form of a syntax error at `offset`. */
export function parseError(text: string, what: string, reason: string, offset: number): CniError {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  const column = offset - before.lastIndexOf('\n');
  return new CniError(CniCode.decodingFailure, `Cannot parse ${what}: ${reason} at line ${line} column ${column}`);
}

class Refusal extends Error {
  readonly offset: number;

  constructor(reason: string, offset: number) {
    super(reason);
    this.offset = offset;
  }
}

function refusing<T>(text: string, what: string, scan: () => T): T {
  try {
    return scan();
  } catch (error) {
    if (error instanceof Refusal) throw parseError(text, what, error.message, error.offset);
    throw error;
  }
}

function scanValue(text: string, at: number, depth: number): number {
  switch (text[at]) {
    case '{':
      return scanObject(text, at, depth + 1);
    case '[':
      return scanArray(text, at, depth + 1);
    case '"':
      return scanString(text, at);
    case 't':
      return scanWord(text, at, 'true');
    case 'f':
      return scanWord(text, at, 'false');
    case 'n':
      return scanWord(text, at, 'null');
    default:
      return scanNumber(text, at);
  }
}

function scanObject(text: string, open: number, depth: number, onMember?: (member: Member) => void): number {
  checkDepth(open, depth);
  let at = skipSpace(text, open + 1);
  if (text[at] === '}') return at + 1;
  for (;;) {
    const start = at;
    if (text[start] !== '"') throw new Refusal(`${unexpected(text, start)} where a key must begin`, start);
    const keyEnd = scanString(text, start);
    const colon = skipSpace(text, keyEnd);
    if (text[colon] !== ':') throw new Refusal(`${unexpected(text, colon)} where ":" must follow a key`, colon);
    const valueStart = skipSpace(text, colon + 1);
    const valueEnd = scanValue(text, valueStart, depth);
    onMember?.({ key: JSON.parse(text.slice(start, keyEnd)), start, keyEnd, valueStart, valueEnd });
    at = skipSpace(text, valueEnd);
    if (text[at] === '}') return at + 1;
    if (text[at] !== ',') throw new Refusal(`${unexpected(text, at)} where "," or "}" must follow a value`, at);
    at = skipSpace(text, at + 1);
  }
}

function scanArray(text: string, open: number, depth: number, onElement?: (element: Range) => void): number {
  checkDepth(open, depth);
  let at = skipSpace(text, open + 1);
  if (text[at] === ']') return at + 1;
  for (;;) {
    const start = at;
    const end = scanValue(text, start, depth);
    onElement?.({ start, end });
    at = skipSpace(text, end);
    if (text[at] === ']') return at + 1;
    if (text[at] !== ',') throw new Refusal(`${unexpected(text, at)} where "," or "]" must follow a value`, at);
    at = skipSpace(text, at + 1);
  }
}

const ESCAPED = new Set('"\\/bfnrt');
const HEX4 = /^[0-9a-fA-F]{4}$/;

function scanString(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code < 0x20) throw new Refusal(`control character ${codePoint(code)} in a string`, at);
    if (code === 0x5c) at = scanEscape(text, at);
  }
  throw new Refusal('a string has no end', open);
}

/** @returns the offset of the escape's last character */
function scanEscape(text: string, backslash: number): number {
  const kind = text[backslash + 1];
  if (kind !== undefined && ESCAPED.has(kind)) return backslash + 1;
  if (kind === 'u' && HEX4.test(text.slice(backslash + 2, backslash + 6))) return backslash + 5;
  throw new Refusal(`invalid escape ${quote(text.slice(backslash, backslash + (kind === 'u' ? 6 : 2)))}`, backslash);
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

function scanNumber(text: string, at: number): number {
  NUMBER.lastIndex = at;
  if (!NUMBER.test(text)) throw new Refusal(`${unexpected(text, at)} where a value must begin`, at);
  return NUMBER.lastIndex;
}

function scanWord(text: string, at: number, word: string): number {
  if (!text.startsWith(word, at)) throw new Refusal(`${unexpected(text, at)} where a value must begin`, at);
  return at + word.length;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at++;
  }
}

function checkDepth(at: number, depth: number): void {
  if (depth > MAX_DEPTH) throw new Refusal(`nesting is deeper than ${MAX_DEPTH}`, at);
}

function unexpected(text: string, at: number): string {
  const code = text.codePointAt(at);
  if (code === undefined) return 'unexpected end of text';
  const visible = code > 0x20 && code < 0x7f;
  return `unexpected character ${visible ? quote(String.fromCodePoint(code)) : codePoint(code)}`;
}

function codePoint(code: number): string {
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}
