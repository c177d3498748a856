import { lazy, type ReactNode, Suspense, useState } from 'react';
import { usePreferences } from '../../api/preferences.tsx';
import { whole } from '../../format/numbers.ts';
import { dateAndTime, zoneName } from '../../format/times.ts';
import type { Tone } from '../state.tsx';
import { Table } from '../tables/table.tsx';
import styles from './chart.module.css';

/** A line of a chart; its dashes tell it apart where colours do not. */
export interface Line {
  name: string;
  tone: Tone;
  values: readonly number[];
  dashed?: boolean;
}

/** The chart itself comes with the first screen that shows one. */
const Plot = lazy(() => import('./plot.tsx'));

/** Numbers over time, with the same numbers as a table. */
export function TimeChart({
  label,
  times,
  lines,
  low,
  onRange,
  children,
}: {
  label: string;
  times: readonly string[];
  lines: readonly Line[];
  low?: boolean;
  onRange?: (from: string, to: string) => void;
  children?: ReactNode;
}) {
  const { zone } = usePreferences();
  const [twin, setTwin] = useState(false);
  const plotClass = `${styles.plot} ${low ? styles.low : ''}`;
  return (
    <figure className={styles.figure} aria-label={label}>
      <div className={styles.legend}>
        {lines.map(({ name, tone, dashed }) => (
          <span key={name} className={styles.key}>
            <i style={{ color: `var(--${tone})`, borderTopStyle: dashed ? 'dashed' : 'solid' }} />
            {name}
          </span>
        ))}
        {children}
      </div>
      <Suspense fallback={<div className={plotClass} />}>
        <Plot className={plotClass} times={times} lines={lines} zone={zone} onRange={onRange} />
      </Suspense>
      <details className={styles.twin} onToggle={({ currentTarget }) => setTwin(currentTarget.open)}>
        <summary>As a table</summary>
        {/* A day of minutes is a long table: it is made once somebody wants it. */}
        {twin ? (
          <div>
            <Table
              label={label}
              rows={times.map((time, at) => ({ time, at }))}
              rowKey={({ time }) => time}
              columns={[
                {
                  key: 'time',
                  head: `Time (${zoneName(zone)})`,
                  cell: ({ time }) => dateAndTime(time, zone),
                },
                ...lines.map(({ name, values }) => ({
                  key: name,
                  head: name,
                  right: true,
                  cell: ({ at }: { at: number }) => whole(values[at] ?? 0),
                })),
              ]}
            />
          </div>
        ) : null}
      </details>
    </figure>
  );
}
