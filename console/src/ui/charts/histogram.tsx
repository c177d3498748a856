import { useState } from 'react';
import { usePreferences } from '../../api/preferences.tsx';
import { counted, whole } from '../../format/numbers.ts';
import { axisTime, dateAndTime, zoneName } from '../../format/times.ts';
import { Table } from '../tables/table.tsx';
import styles from './chart.module.css';

/** A span of time and how many fell into it. */
export interface Bucket {
  from: string;
  to: string;
  count: number;
}

const WIDTH = 1_000;
const HEIGHT = 104;

/** Counts by spans of time as bars; dragging over them chooses a range. */
export function Histogram({
  label,
  buckets,
  onRange,
}: {
  label: string;
  buckets: readonly Bucket[];
  onRange: (from: string, to: string) => void;
}) {
  const { zone } = usePreferences();
  const [drag, setDrag] = useState<{ start: number; end: number }>();
  const most = Math.max(0, ...buckets.map(({ count }) => count));
  const step = WIDTH / Math.max(1, buckets.length);
  const [low, high] = drag ? [Math.min(drag.start, drag.end), Math.max(drag.start, drag.end)] : [-1, -2];
  const choose = () => {
    const [from, to] = [buckets[low], buckets[high]];
    setDrag(undefined);
    if (from && to) onRange(from.from, to.to);
  };
  const [first, last] = [buckets[0], buckets.at(-1)];
  return (
    <figure aria-label={label}>
      <svg
        className={styles.bars}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}; the same numbers are in the table below`}
        onPointerUp={choose}
        onPointerLeave={() => setDrag(undefined)}
      >
        {low >= 0 ? (
          <rect
            className={styles.chosen}
            x={low * step}
            width={(high - low + 1) * step}
            y={0}
            height={HEIGHT}
          />
        ) : null}
        {buckets.map(({ from, count }, at) => {
          const height = count === 0 ? 0 : Math.max(2, (count / most) * (HEIGHT - 4));
          return (
            <g key={from}>
              <rect x={at * step + 1} width={Math.max(1, step - 2)} y={HEIGHT - height} height={height} />
              <rect
                className={styles.hover}
                x={at * step}
                width={step}
                y={0}
                height={HEIGHT}
                onPointerDown={() => setDrag({ start: at, end: at })}
                onPointerEnter={() => setDrag((now) => now && { ...now, end: at })}
              >
                <title>{`${dateAndTime(from, zone)} ${zoneName(zone)}: ${counted(count, 'delivery', 'deliveries')}`}</title>
              </rect>
            </g>
          );
        })}
      </svg>
      <div className={styles.axis} aria-hidden="true">
        <span>{first ? axisTime(first.from, zone, new Date()) : ''}</span>
        <span>{most === 0 ? 'none' : `at most ${whole(most)} an hour`}</span>
        <span>{last ? axisTime(last.to, zone, new Date()) : ''}</span>
      </div>
      <details className={styles.twin}>
        <summary>As a table</summary>
        <div>
          <Table
            label={label}
            rows={buckets.filter(({ count }) => count > 0)}
            rowKey={({ from }) => from}
            columns={[
              {
                key: 'hour',
                head: `From (${zoneName(zone)})`,
                cell: ({ from, to }) => (
                  <button type="button" onClick={() => onRange(from, to)}>
                    {dateAndTime(from, zone)}
                  </button>
                ),
              },
              { key: 'count', head: 'Deliveries', right: true, cell: ({ count }) => whole(count) },
            ]}
          />
        </div>
      </details>
    </figure>
  );
}
