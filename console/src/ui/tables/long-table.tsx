import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useEffect, useRef } from 'react';
import { useKeys } from '../../keys/use-keys.ts';
import { Failure, Loading } from '../notice.tsx';
import type { PagedRows } from './paged-rows.ts';
import styles from './table.module.css';
import { type Column, cellClass, Heads } from './table.tsx';

const ROW_PX = 36;

/** The rows that were picked one by one. */
export interface Picking {
  picked: ReadonlySet<string>;
  toggle: (id: string) => void;
}

/**
 * A table of any length: only the rows in sight are in the document. `j` and `k` move between the first links of rows,
 * `x` picks, Enter or `e` opens.
 */
export function LongTable<Row>({
  label,
  columns,
  rows,
  rowKey,
  picking,
  empty,
}: {
  label: string;
  columns: readonly Column<Row>[];
  rows: PagedRows<Row>;
  rowKey: (row: Row) => string;
  picking?: Picking | undefined;
  /** Shown where the list has no row at all. */
  empty: ReactNode;
}) {
  const frame = useRef<HTMLElement>(null);
  const active = useRef(-1);
  const { count, show } = rows;
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    // The heads of the columns stay in sight above the rows.
    scrollPaddingStart: 32,
  });
  const items = virtual.getVirtualItems();
  const first = items[0];
  const last = items.at(-1);
  const firstIndex = first?.index ?? 0;
  const lastIndex = last?.index ?? 0;
  useEffect(() => show(firstIndex, lastIndex), [show, firstIndex, lastIndex]);

  const moveTo = (index: number) => {
    if (count === 0) return;
    active.current = Math.max(0, Math.min(count - 1, index));
    virtual.scrollToIndex(active.current);
    focusRow(frame.current, active.current);
  };
  useKeys({
    j: () => moveTo(active.current + 1),
    k: () => moveTo(active.current - 1),
    x: () => {
      const row = rows.at(active.current);
      if (row && picking) picking.toggle(rowKey(row));
    },
    e: () => linkOf(frame.current, active.current)?.click(),
  });
  // The frame keeps its place meanwhile: what is below it does not jump.
  if (count === 0)
    return (
      <div className={`${styles.long} ${styles.bare}`}>
        {rows.error !== null ? (
          <Failure error={rows.error} what={label.toLowerCase()} retry={rows.refetch} />
        ) : rows.isPending ? (
          <Loading what={label.toLowerCase()} />
        ) : (
          empty
        )}
      </div>
    );
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <figure ref={frame} className={`${styles.frame} ${styles.long}`} tabIndex={0} aria-label={label}>
      <table className={styles.table} aria-label={label} aria-rowcount={rows.more ? -1 : count + 1}>
        <Heads
          columns={columns}
          before={
            picking && (
              <th scope="col" className={styles.pick}>
                <span className="hidden-text">Picked</span>
              </th>
            )
          }
        />
        <tbody>
          <Filler height={first?.start ?? 0} />
          {items.map(({ index }) => {
            const row = rows.at(index);
            const id = row && rowKey(row);
            return (
              <tr
                key={index}
                data-row={index}
                aria-rowindex={index + 2}
                aria-selected={id !== undefined && picking ? picking.picked.has(id) : undefined}
                onFocus={() => {
                  active.current = index;
                }}
              >
                {picking && (
                  <td className={styles.pick}>
                    {id === undefined ? null : (
                      <input
                        type="checkbox"
                        aria-label={`Pick ${id}`}
                        checked={picking.picked.has(id)}
                        onChange={() => picking.toggle(id)}
                      />
                    )}
                  </td>
                )}
                {columns.map((column) => {
                  const cell = row && column.cell(row);
                  return (
                    // What has no room here shows on a longer look.
                    <td
                      key={column.key}
                      className={cellClass(column)}
                      title={typeof cell === 'string' ? cell : undefined}
                    >
                      {row === undefined ? <span className={styles.ghost} /> : cell}
                    </td>
                  );
                })}
              </tr>
            );
          })}
          <Filler height={virtual.getTotalSize() - (last?.end ?? 0)} />
        </tbody>
      </table>
    </figure>
  );
}

/** One cell is enough: a wider one would make columns of those that are left out on a narrow screen. */
function Filler({ height }: { height: number }) {
  if (height <= 0) return null;
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: it holds the place of rows, and takes no focus
    <tr aria-hidden="true">
      <td className={styles.filler} style={{ height }} />
    </tr>
  );
}

function linkOf(frame: HTMLElement | null, index: number): HTMLAnchorElement | null {
  return frame?.querySelector<HTMLAnchorElement>(`tr[data-row="${index}"] a`) ?? null;
}

/** A row that is not in the document yet is there after the next frame. */
function focusRow(frame: HTMLElement | null, index: number): void {
  const link = linkOf(frame, index);
  if (link) link.focus({ preventScroll: true });
  else
    requestAnimationFrame(() =>
      requestAnimationFrame(() => linkOf(frame, index)?.focus({ preventScroll: true })),
    );
}
