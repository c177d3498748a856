import { cell, width } from './text.ts';

/** A column of a table. */
export interface Column<Row> {
  head: string;
  cell: (row: Row) => unknown;
  /** Numbers stand at the right. */
  right?: boolean;
}

/** Lines of a table whose widths fit these rows; `heads` is false behind the first block of a long list. */
export function tableLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  widths: number[],
  heads = true,
): string[] {
  const cells = rows.map((row) => columns.map((column) => cell(column.cell(row))));
  if (heads) cells.unshift(columns.map(({ head }) => head));
  for (const row of cells)
    row.forEach((text, at) => {
      widths[at] = Math.max(widths[at] ?? 0, width(text));
    });
  return cells.map((row) =>
    row
      .map((text, at) => {
        const fill = ' '.repeat(Math.max(0, (widths[at] ?? 0) - width(text)));
        return columns[at]?.right ? `${fill}${text}` : `${text}${fill}`;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** An object as lines of name and value, its names in a column. */
export function factLines(facts: readonly (readonly [string, unknown])[]): string[] {
  const wide = Math.max(0, ...facts.map(([name]) => width(name)));
  return facts.map(([name, value]) => `${name}${' '.repeat(wide - width(name))}  ${cell(value)}`.trimEnd());
}
