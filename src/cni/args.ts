/** CNI_ARGS (CNI section 2): key=value pairs separated by ";". */
import { CniCode, CniError } from './errors.ts';
import { quote } from './quote.ts';

export interface CniArgs {
  /** Every pair in its order, duplicates included. */
  pairs: [string, string][];
  /** The value of a name; of several, the last, as plugins read them. */
  get(name: string): string | undefined;
}

/**
 * Reads CNI_ARGS. A pair is split at its first "=", so values may contain "="; empty parts ("A=1;;B=2;") are skipped.
 * @throws CniError 4 naming the pair that has no "=" or no name, or when the text contains NUL
 */
export function parseArgs(text: string): CniArgs {
  if (text.includes('\0')) {
    throw new CniError(CniCode.invalidEnvironment, 'Cannot use CNI_ARGS: it must not contain a NUL character');
  }
  const pairs = text
    .split(';')
    .filter((part) => part !== '')
    .map(parsePair);
  const byName = new Map(pairs);
  return { pairs, get: (name) => byName.get(name) };
}

function parsePair(part: string): [string, string] {
  const split = part.indexOf('=');
  if (split > 0) return [part.slice(0, split), part.slice(split + 1)];
  const lack = split === 0 ? 'has no name before "="' : 'has no "="';
  throw new CniError(CniCode.invalidEnvironment, `Cannot use CNI_ARGS: the pair ${quote(part)} ${lack}`);
}

/**
 * Writes CNI_ARGS so that parseArgs reads the same pairs.
 * @throws CniError 4 when a pair cannot be expressed: ";" or NUL anywhere, "=" in a name, an empty name
 */
export function formatArgs(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([name, value]) => formatPair(name, value)).join(';');
}

function formatPair(name: string, value: string): string {
  const pair = `${name}=${value}`;
  if (name !== '' && !name.includes('=') && !/[;\0]/.test(pair)) return pair;
  throw new CniError(
    CniCode.invalidEnvironment,
    `Cannot write the pair ${quote(pair)} to CNI_ARGS: the name must not be empty or contain "=", ` +
      'and neither part may contain ";" or NUL',
  );
}
