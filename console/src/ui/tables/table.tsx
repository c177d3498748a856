import type { ReactNode } from 'react';
import styles from './table.module.css';

/** A column of a table. */
export interface Column<Row> {
  key: string;
  head: ReactNode;
  cell: (row: Row) => ReactNode;
  /** Its width, where the columns of the table do not share what there is. */
  width?: string;
  /** Its width where there is little room. */
  narrow?: string;
  right?: boolean;
  /** Left out where there is little room. */
  wide?: boolean;
}

/** The classes of a cell. */
export function cellClass({ right, wide }: Pick<Column<never>, 'right' | 'wide'>): string | undefined {
  return [right && styles.right, wide && styles.wide].filter(Boolean).join(' ') || undefined;
}

/** The heads of the columns. */
export function Heads<Row>({ columns, before }: { columns: readonly Column<Row>[]; before?: ReactNode }) {
  return (
    <thead>
      <tr>
        {before}
        {columns.map((column) => (
          <th
            key={column.key}
            scope="col"
            className={cellClass(column)}
            style={{ '--width': column.width, '--narrow': column.narrow } as React.CSSProperties}
          >
            {column.head}
          </th>
        ))}
      </tr>
    </thead>
  );
}

/** A table whose rows are all there. */
export function Table<Row>({
  label,
  columns,
  rows,
  rowKey,
}: {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <figure className={styles.frame} tabIndex={0} aria-label={label}>
      <table className={`${styles.table} ${styles.loose}`} aria-label={label}>
        <Heads columns={columns} />
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)} data-row>
              {columns.map((column) => (
                <td key={column.key} className={cellClass(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}
