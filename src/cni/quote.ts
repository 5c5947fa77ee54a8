/**
 * How values of others appear in our messages: quoted, escaped, never longer than a line. Configurations and annotations
 * hold secrets: what may be one of these, or a part of one that we do not know, is named by its kind only.
 */

const LONGEST_QUOTE = 120;

/** Quotes a string for a message: JSON escapes, cut to about 120 characters. */
export function quote(value: string): string {
  return JSON.stringify(value.length > LONGEST_QUOTE ? `${value.slice(0, LONGEST_QUOTE)}…` : value);
}

/** Names a decoded JSON value after "got": scalars by their text, the rest by their kind. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** The same for a value that may be a secret: a string, too, is named by its kind. */
export function kindOf(value: unknown): string {
  return typeof value === 'string' ? 'a string' : describe(value);
}

/** A decoded JSON value as its text, cut to about 120 characters. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text;
}
