import type { ReactNode } from 'react';
import type { Schema } from '../../api/client.ts';
import { percent, whole } from '../../format/numbers.ts';
import { words } from '../../format/words.ts';
import styles from './equation.module.css';

type Counts = Schema<'OperationCounts'>;

/** A part of what an operation expects. */
export type Part = Exclude<keyof Counts, 'expected'>;

/** The parts in the order of the bar: what is done, what goes on, what went wrong, what is left out. */
export const PARTS: readonly { part: Part; look: keyof typeof LOOKS }[] = [
  { part: 'delivered', look: 'good' },
  { part: 'sending', look: 'going' },
  { part: 'queued', look: 'soft' },
  { part: 'scheduled', look: 'soft' },
  { part: 'unknown', look: 'care' },
  { part: 'failed', look: 'bad' },
  { part: 'ignored', look: 'still' },
  { part: 'cancelled', look: 'still' },
  { part: 'superseded', look: 'still' },
  { part: 'excluded', look: 'still' },
];

const LOOKS = {
  good: styles.good,
  going: styles.going,
  soft: styles.soft,
  care: styles.care,
  bad: styles.bad,
  still: styles.still,
};

/** The counts of an operation as a bar, whose parts add up to its length. */
export function Bar({ counts, thin }: { counts: Counts; thin?: boolean }) {
  const parts = PARTS.filter(({ part }) => counts[part] > 0);
  const text = parts.map(({ part }) => `${whole(counts[part])} ${words(part)}`).join(', ');
  return (
    <div
      className={`${styles.bar} ${thin ? styles.thin : ''}`}
      role="img"
      aria-label={`Of ${whole(counts.expected)}: ${text || 'nothing yet'}`}
    >
      {parts.map(({ part, look }) => (
        <span
          key={part}
          className={`${styles.part} ${LOOKS[look]}`}
          style={{ width: `${(100 * counts[part]) / Math.max(1, counts.expected)}%` }}
          title={`${words(part)}: ${whole(counts[part])} (${percent(counts[part], counts.expected)})`}
        />
      ))}
    </div>
  );
}

/** The same as a bar and in numbers, each a link to its list. */
export function Equation({
  counts,
  link,
}: {
  counts: Counts;
  link: (part: Part | undefined, children: ReactNode) => ReactNode;
}) {
  return (
    <div>
      <Bar counts={counts} />
      <p className={styles.terms}>
        <strong>{link(undefined, whole(counts.expected))}</strong> expected =
        {PARTS.map(({ part, look }, at) => (
          <span key={part} className={`${styles.term} ${counts[part] === 0 ? styles.zero : ''}`}>
            {at === 0 ? null : '+ '}
            <span className={`${styles.dot} ${LOOKS[look]}`} aria-hidden="true" />
            {counts[part] === 0 ? 0 : link(part, whole(counts[part]))} {words(part)}
          </span>
        ))}
      </p>
    </div>
  );
}
