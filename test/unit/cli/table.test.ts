import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatTable } from '../../../src/cli/table.ts';

test('a cell with line breaks stays in its row: scripts read the output by lines', () => {
  assert.is(formatTable(['A', 'B'], [['x\ny', 'z']]), 'A    B\nx y  z\n');
  assert.is(formatTable(['A'], [['one\r\n\ttwo']]), 'A\none two\n');
});

test("a cell's escape sequences do not reach the terminal: a plugin's message could rewrite what is shown", () => {
  assert.is(formatTable(['A'], [['\x1b[2J\x1b]0;title\x07red\x7f\x9b']]), 'A\n [2J ]0;title red\n');
});

test('short rows are filled, long ones cut to the headings', () => {
  assert.is(formatTable(['A', 'B'], [['1'], ['1', '2', '3']]), 'A  B\n1\n1  2\n');
});

test('columns are as wide as their widest cell, without space at the end of a line', () => {
  const rows = [
    ['c0ffee', 'node', ''],
    ['b', 'prod/data', 'x'],
  ];
  const lines = ['CONTAINER  NETWORK    MAC', 'c0ffee     node', 'b          prod/data  x'];
  assert.is(formatTable(['CONTAINER', 'NETWORK', 'MAC'], rows), `${lines.join('\n')}\n`);
});

test('a table without rows is its headings', () => {
  assert.is(formatTable(['A', 'LONG'], []), 'A  LONG\n');
});

test.run();
