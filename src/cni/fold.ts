/**
 * Keys as the CNI world compares them. Nearly every plugin and runtime reads JSON with Go's encoding/json, which takes
 * `"NAME"` for `"name"`: two keys are the same when they are equal under Unicode simple case folding. A reader that
 * compared bytes would see another configuration than the plugin does.
 */

const DOTLESS_I = 'ı';

/** Maps every spelling of a key to one text: `foldKey(a) === foldKey(b)` exactly when Go reads a and b alike. */
export function foldKey(key: string): string {
  if (isAscii(key)) return key.toLowerCase();
  let folded = '';
  for (const character of key) folded += foldCharacter(character);
  return folded;
}

/** Upper, then lower case finds the pairs that one step misses (the long s); what would grow does not fold. */
function foldCharacter(character: string): string {
  if (character === DOTLESS_I) return character;
  const upper = oneCharacterOr(character, character.toUpperCase());
  return oneCharacterOr(upper, upper.toLowerCase());
}

function oneCharacterOr(fallback: string, text: string): string {
  return text.length === String.fromCodePoint(text.codePointAt(0) ?? 0).length ? text : fallback;
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > 0x7f) return false;
  }
  return true;
}
