/** A plot of ADD as SVG: a bar for each target's median, a line from there to its 90th percentile. */
import type { CellResult } from '../cell.ts';
import { SCENARIOS } from '../scenarios.ts';
import { TARGETS } from '../targets/target.ts';
import type { Conditions } from './conditions.ts';
import { type Row, rows } from './figures.ts';

const WIDTH = 760;
const LEFT = 110;
/** For the figures behind the bars. */
const RIGHT = 90;
const LINE = 20;
const GROUP_GAP = 16;

/** Told apart by lightness, too; on light and on dark ground. */
const COLOURS: Record<string, string> = {
  raw: '#9a9a9a',
  thick: '#1a7f5a',
  standalone: '#6cc9a6',
  'multus-thick': '#b4541a',
  'multus-thin': '#e8a87c',
};

const STYLE = `text{font:13px system-ui,sans-serif;fill:#222}.title{font-weight:600}.note{fill:#777;font-size:11px}
.tail{stroke:#777}@media(prefers-color-scheme:dark){text{fill:#ddd}.note{fill:#999}}`;

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const text = (x: number, y: number, said: string, className = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" class="${className}">${escaped(said)}</text>`;

function titleOf({ scenario, apiLatencyMs, concurrency }: Row): string {
  const what = SCENARIOS.find(({ name }) => name === scenario)?.what ?? '';
  const api = apiLatencyMs === 0 ? '' : `, API server ${apiLatencyMs} ms away`;
  return `${scenario}: ${what}${api}${concurrency === 1 ? '' : `, ${concurrency} at a time`}`;
}

function bar(row: Row, y: number, scale: number): string {
  const [end, tail] = [LEFT + row.median * scale, LEFT + row.p90 * scale];
  const middle = y + LINE / 2 - 3;
  const colour = COLOURS[row.target] ?? '#555';
  return [
    text(12, y + LINE - 8, row.target),
    `<rect x="${LEFT}" y="${y}" width="${(end - LEFT).toFixed(1)}" height="${LINE - 6}" fill="${colour}"/>`,
    `<line x1="${end.toFixed(1)}" x2="${tail.toFixed(1)}" y1="${middle}" y2="${middle}" class="tail"/>`,
    text(tail + 6, y + LINE - 8, `${row.median.toFixed(row.median < 10 ? 2 : 1)} ms`),
  ].join('');
}

/** All cells of a run have one scale. @returns an SVG document */
export function plot(cells: readonly CellResult[], conditions: Conditions): string {
  const added = rows(cells).filter(({ command }) => command === 'ADD');
  const scale = (WIDTH - LEFT - RIGHT) / Math.max(...added.map(({ p90 }) => p90));
  const parts: string[] = [];
  let y = GROUP_GAP;
  for (const cell of cells) {
    const group = rows([cell]).filter(({ command }) => command === 'ADD');
    if (group[0] === undefined) continue;
    parts.push(text(12, y + 12, titleOf(group[0]), 'title'));
    y += LINE;
    for (const row of group) {
      parts.push(bar(row, y, scale));
      y += LINE;
    }
    y += GROUP_GAP;
  }
  const shown = TARGETS.filter(({ name }) => added.some(({ target }) => target === name));
  const notes = [
    'ADD: median, and a line to the 90th percentile',
    ...shown.map(({ name, what }) => `${name}: ${what}`),
    `${conditions.machine}, Linux ${conditions.kernel}, Node ${conditions.node}, ${conditions.date.slice(0, 10)}`,
  ];
  for (const note of notes) {
    y += LINE - 4;
    parts.push(text(12, y, note, 'note'));
  }
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + GROUP_GAP}" role="img">`;
  return `${head}<style>${STYLE}</style>\n${parts.join('\n')}\n</svg>\n`;
}
