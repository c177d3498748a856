import { sentence } from '../format/words.ts';
import styles from './state.module.css';

/** The four colours of state, and none: each has a sign of its own, for colour alone says nothing to some. */
export type Tone = 'good' | 'going' | 'care' | 'bad' | 'still';

const TONES: Readonly<Record<string, Tone>> = {
  delivered: 'good',
  completed: 'good',
  enabled: 'good',
  closed: 'good',
  recovered: 'good',
  approve: 'good',
  queued: 'going',
  scheduled: 'going',
  sending: 'going',
  pending: 'going',
  accepted: 'going',
  selecting: 'going',
  running: 'going',
  planning: 'going',
  closing: 'going',
  half_open: 'going',
  planned: 'care',
  awaiting_approval: 'care',
  paused: 'care',
  unknown: 'care',
  ambiguous: 'care',
  retryable: 'care',
  completed_with_failures: 'care',
  halted: 'bad',
  failed: 'bad',
  open: 'bad',
  gone: 'bad',
  permanent: 'bad',
  reject: 'bad',
  disabled: 'bad',
};

/** The tone of a state. */
export function toneOf(state: string): Tone {
  return TONES[state] ?? 'still';
}

const SIGNS: Readonly<Record<Tone, string>> = {
  good: 'M2.5 6.5 5 9l4.5-6',
  going: 'M4 2.5 8.5 6 4 9.5z',
  care: 'M6 2v5M6 9.4v.2',
  bad: 'M3 3l6 6M9 3l-6 6',
  still: 'M2.5 6h7',
};

/** The sign of a tone. */
export function Sign({ tone }: { tone: Tone }) {
  return (
    <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true" style={{ color: `var(--${tone})` }}>
      <path
        d={SIGNS[tone]}
        fill={tone === 'going' ? 'currentColor' : 'none'}
        stroke="currentColor"
        strokeWidth="1.8"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}

/** A state in its words, its colour and its sign. */
export function State({
  state,
  tone = toneOf(state),
  text = sentence(state),
}: {
  state: string;
  tone?: Tone;
  text?: string;
}) {
  return (
    <span className={`${styles.state} ${styles[tone]}`}>
      <Sign tone={tone} />
      {text}
    </span>
  );
}
