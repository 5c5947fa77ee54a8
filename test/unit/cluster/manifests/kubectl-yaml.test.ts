import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseAllDocuments } from 'yaml';
import { readYaml } from '../../../../src/cluster/manifests/kubectl-yaml.ts';

const read = (text: string): unknown[] => [...readYaml(text)].map((document) => document.toJS());

function reason(text: string): string {
  try {
    read(text);
  } catch (error) {
    return (error as Error).message;
  }
  return 'it was read';
}

test('says where a text is not YAML', () => {
  assert.match(reason('a: 1\nb: [\n'), / at line 3, column 1$/);
  assert.match(reason("a:\n  b: 'x\n  y\nc: 1\n"), /^Missing closing 'quote at line \d+, column \d+$/);
});

test('names the no-break spaces of a text that was copied from a web page: nobody sees them', () => {
  assert.is(
    reason('kind:\u00a0Pod\nmetadata:\n\u00a0 name:\u00a0web\n'),
    'Implicit keys need to be on a single line at line 1, column 1; the file has no-break spaces (U+00A0), write plain ones',
  );
  assert.equal(read("a: 'x\u00a0y'\n"), [{ a: 'x\u00a0y' }]);
});

test('reads quoted lines at any depth, as kubectl does: an annotation closed below its key would be refused', () => {
  const values: [string, string][] = [
    ["'[\n    { x }\n  ]'", '[ { x } ]'],
    ["'[\n{ x }\n]'", '[ { x } ]'],
    ['"[\n  \\"a\\",\n]"', '[ "a", ]'],
    ["'it''s\n\n  #1'", "it's\n#1"],
  ];
  for (const [value, wanted] of values) {
    const text = `m:\n  k: ${value}\n  l: 'x' # it's\nn: {o: ${value}, p: 1} \n---\nq: 1\n`;
    assert.equal(read(text), [{ m: { k: wanted, l: 'x' }, n: { o: wanted, p: 1 } }, { q: 1 }], text);
  }
});

test('ends a quoted text at the next document all the same', () => {
  const documents = readYaml("a: 1\n---\nb: 'x\n---\nc: 1\n");
  assert.equal(documents.next().value?.toJS(), { a: 1 });
  assert.throws(() => documents.next(), /Missing closing/);
});

test('reads everything else as the YAML library does', () => {
  const piece = fc.constantFrom(
    ...['a', ': ', '- ', '\n', '\n  ', '\n    ', "'", '"', '# ', '[', ']', '{', '}', ',', '|', '>-', '---\n'],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = pieces.join('');
      const documents = parseAllDocuments(text);
      if (documents.some(({ errors }) => errors.length > 0)) return;
      assert.equal([...readYaml(text)].map(String), documents.map(String), JSON.stringify(text));
    }),
    { numRuns: 500 },
  );
});

test.run();
