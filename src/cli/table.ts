/** Plain aligned columns, as kubectl prints them. */

/** Line breaks would break the table, escape sequences would act on the terminal: a plugin's message may hold both. */
function oneLine(cell: string): string {
  return cell.replace(/\p{Cc}+/gu, ' ');
}

/** @returns the rows under their headings, columns two spaces apart, a newline behind every line */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows].map((row) => headings.map((_, column) => oneLine(row[column] ?? '')));
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
