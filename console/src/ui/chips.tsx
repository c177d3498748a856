import type { ReactNode } from 'react';
import styles from './chips.module.css';

/** A part of a filter that can be taken away. */
export interface Chip {
  key: string;
  name: string;
  value: string;
  remove: () => void;
}

/** A filter as chips. */
export function Chips({ chips, children }: { chips: readonly Chip[]; children?: ReactNode }) {
  return (
    <div className={styles.chips}>
      {chips.map(({ key, name, value, remove }) => (
        <span key={key} className={styles.chip}>
          <span>{name}</span> <b title={value}>{value}</b>
          <button type="button" aria-label={`Remove ${name} ${value}`} onClick={remove}>
            <svg width="8" height="8" viewBox="0 0 8 8" aria-hidden="true">
              <path d="M1 1l6 6M7 1 1 7" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" />
            </svg>
          </button>
        </span>
      ))}
      {children}
    </div>
  );
}
