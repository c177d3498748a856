import type { ReactNode } from 'react';
import { usePreferences } from '../api/preferences.tsx';
import { shortId } from '../format/ids.ts';
import { whole } from '../format/numbers.ts';
import { dateAndTime, shortTime, zoneName } from '../format/times.ts';
import styles from './text.module.css';

/** A time in the zone that was chosen; the whole of it shows on a longer look. */
export function Time({ at, whole: all }: { at: string | null | undefined; whole?: boolean }) {
  const { zone } = usePreferences();
  if (at === null || at === undefined) return <span className={styles.quiet}>–</span>;
  const exact = `${dateAndTime(at, zone)} ${zoneName(zone)}`;
  return (
    <time className={styles.time} dateTime={at} title={exact}>
      {all ? exact : shortTime(at, zone, new Date())}
    </time>
  );
}

/** An id, cut where there is little room; its whole shows on a longer look. */
export function IdText({ id, whole: all }: { id: string; whole?: boolean }) {
  return (
    <span className={all ? styles.id : `${styles.id} ${styles.short}`} title={id}>
      {all ? id : shortId(id)}
    </span>
  );
}

/** Who did something, as the credential names them: a key in little room, a person by name. */
export function Actor({ actor }: { actor: string }) {
  if (actor === 'redrive') return 'Redrive itself';
  return actor.startsWith('key_') ? <IdText id={actor} /> : actor.replace(/^actor:/, '');
}

/** A number, and how sure it is. */
export function Count({ of, basis }: { of: number; basis?: 'exact' | 'atLeast' | undefined }) {
  return (
    <span className={styles.count}>
      {basis === 'atLeast' ? 'at least ' : ''}
      {whole(of)}
    </span>
  );
}

/** A number in large figures under what it is. */
export function Figure({ children }: { children: ReactNode }) {
  return <span className={styles.figure}>{children}</span>;
}

/** Words that matter less. */
export function Quiet({ children }: { children: ReactNode }) {
  return <span className={styles.quiet}>{children}</span>;
}

/** What somebody wrote, in a cell: its first lines, and the whole on a longer look. */
export function Words({ text }: { text: string }) {
  return (
    <span className={styles.words} title={text}>
      {text}
    </span>
  );
}

/** A text of others, kept as it is: never read as anything but text. */
export function Verbatim({ text, label }: { text: string; label: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <figure className={styles.frame} tabIndex={0} aria-label={label}>
      <pre className={styles.pre}>{text}</pre>
    </figure>
  );
}
