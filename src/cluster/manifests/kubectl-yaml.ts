/** YAML as kubectl reads it. */
import { Composer, type Document, Lexer, LineCounter, Parser } from 'yaml';

/** The part of the lexer that decides where a quoted text ends. Not public: a test fails when it is another one. */
interface QuoteLexer {
  /** Indentation that further lines of a value need. */
  indentNext: number;
  parseQuotedScalar(): Generator<string, unknown, unknown>;
}

/**
 * YAML wants the further lines of a quoted text deeper than their key, and `yaml` ends the text at a line that is not.
 * kubectl takes it at any depth, and people close the JSON of an annotation with `]'` right below its key.
 */
function lenientLexer(): Lexer {
  const lexer = new Lexer();
  const inside = lexer as unknown as QuoteLexer;
  const parseQuotedScalar = inside.parseQuotedScalar.bind(lexer);
  inside.parseQuotedScalar = function* () {
    const wanted = inside.indentNext;
    inside.indentNext = 0;
    const next = yield* parseQuotedScalar();
    inside.indentNext = wanted;
    return next;
  };
  return lexer;
}

/**
 * The documents of a text, one after the other.
 * @throws Error where the text is not YAML, with line and column; documents before that place are given first
 */
export function* readYaml(text: string): Generator<Document, void, void> {
  const lines = new LineCounter();
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  const lexer = lenientLexer();
  function* tokens() {
    for (const lexeme of lexer.lex(text)) yield* parser.next(lexeme);
    yield* parser.end();
  }
  for (const document of new Composer().compose(tokens())) {
    const error = document.errors[0];
    if (error !== undefined) {
      const { line, col } = lines.linePos(error.pos[0]);
      // A web page's spaces look like others, and are part of a word.
      const hint = text.includes('\u00a0') ? '; the file has no-break spaces (U+00A0), write plain ones' : '';
      throw new Error(`${error.message} at line ${line}, column ${col}${hint}`, { cause: error });
    }
    yield document;
  }
}
