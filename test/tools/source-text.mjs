// Reads TypeScript as text, well enough to find imports and names in it without a compiler.

/** Comments, regular expressions, templates, strings: each is taken whole, so that none is mistaken inside another. */
const TOKENS = new RegExp(
  [
    /\/\/[^\n]*|\/\*[\s\S]*?\*\//,
    /(?<=[=(,:[!&|?{};>]\s*|\breturn\s+)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//,
    /`(?:\\.|[^`\\])*`/,
    /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/,
  ]
    .map((one) => `(${one.source})`)
    .join('|'),
  'g',
);

const blank = (text) => text.replace(/[^\n]/g, ' ');

/** The source with comments and regular expressions blanked, every character at its old place. */
export function withoutComments(source) {
  return source.replace(TOKENS, (token, comment, regexp) => ((comment ?? regexp) ? blank(token) : token));
}

/** The source with the contents of strings blanked. Templates stay: they hold code. */
export function withoutStrings(source) {
  return source.replace(TOKENS, (token, _comment, _regexp, _template, string) => (string ? blank(token) : token));
}

/** The line number of a place in the source. */
export function lineAt(source, index) {
  return source.slice(0, index).split('\n').length;
}

const IMPORTS = new RegExp(
  [
    /^\s*import\b(?!\.)[^;'"`=(]*['"]([^'"\n]+)['"]/,
    /^\s*export\b[^;'"`=(]*\bfrom\s*['"]([^'"\n]+)['"]/,
    /\bimport\(\s*['"]([^'"\n]+)['"]/,
  ]
    .map((one) => one.source)
    .join('|'),
  'gm',
);

/** Every module that a source without comments imports, with its line; types too, as they carry knowledge. */
export function importsOf(source) {
  return [...source.matchAll(IMPORTS)].map((match) => ({
    module: match[1] ?? match[2] ?? match[3],
    line: lineAt(source, match.index + match[0].length),
  }));
}
