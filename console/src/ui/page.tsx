import { type ReactNode, useEffect } from 'react';
import styles from './page.module.css';

/** The head of a screen: its title has the focus when one comes to it. */
export function PageHead({
  title,
  beside,
  about,
  actions,
}: {
  title: string;
  beside?: ReactNode;
  about?: ReactNode;
  actions?: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · Redrive`;
  }, [title]);
  return (
    <header className={styles.head}>
      <div className={styles.title}>
        <h1 tabIndex={-1}>{title}</h1>
        {beside}
        {about === undefined ? null : <div className={styles.about}>{about}</div>}
      </div>
      {actions === undefined ? null : <div className={styles.actions}>{actions}</div>}
    </header>
  );
}

/** A part of a screen under a heading. */
export function Section({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className={styles.section}>
      <div className={styles.sectionHead}>
        <h2>{title}</h2>
        {aside === undefined ? null : <div className={styles.aside}>{aside}</div>}
      </div>
      {children}
    </section>
  );
}

/** Facts by their names; what is undefined is left out. */
export function Facts({
  facts,
  whole = [],
}: {
  facts: Readonly<Record<string, ReactNode>>;
  /** Those that need a line of their own. */
  whole?: readonly string[];
}) {
  return (
    <dl className={styles.facts}>
      {Object.entries(facts).map(([name, value]) =>
        value === undefined ? null : (
          <div key={name} className={whole.includes(name) ? styles.whole : undefined}>
            <dt>{name}</dt>
            <dd>{value ?? '–'}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

/** A part with a line around it. */
export function Panel({ children }: { children: ReactNode }) {
  return <div className={styles.panel}>{children}</div>;
}

/** Controls in a row. */
export function Toolbar({ children }: { children: ReactNode }) {
  return <div className={styles.toolbar}>{children}</div>;
}

/** Parts below each other. */
export function Stack({ children }: { children: ReactNode }) {
  return <div className={styles.stack}>{children}</div>;
}
