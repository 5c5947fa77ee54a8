/** Plain aligned columns, as kubectl prints them. */

/** @returns the rows under their headings, columns two spaces apart, a newline behind every line */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) => {
      const cells = headings.map((_, column) => (row[column] ?? '').padEnd(widths[column] ?? 0));
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}
