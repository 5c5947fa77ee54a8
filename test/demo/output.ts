/** How the demo speaks: numbered steps, aligned tables, colours only on a terminal. */
import { styleText } from 'node:util';
import { formatTable } from '../../src/cli/table.ts';

const coloured = process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === '';

function paint(style: 'bold' | 'green' | 'red' | 'dim', text: string): string {
  return coloured ? styleText(style, text) : text;
}

let steps = 0;

export function step(title: string): void {
  steps += 1;
  process.stdout.write(`\n${paint('bold', `${steps}. ${title}`)}\n`);
}

export function say(text: string): void {
  process.stdout.write(`   ${text}\n`);
}

export function note(text: string): void {
  say(paint('dim', text));
}

export function good(text: string): void {
  say(`${paint('green', 'ok')}    ${text}`);
}

export function bad(text: string): void {
  say(`${paint('red', 'FAIL')}  ${text}`);
}

export function table(headings: readonly string[], rows: readonly (readonly string[])[]): void {
  for (const line of formatTable(headings, rows).trimEnd().split('\n')) say(line);
}
