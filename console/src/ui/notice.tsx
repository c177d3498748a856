import { ProblemError, UnexpectedAnswerError } from '@redrive/client';
import type { ReactNode } from 'react';
import { Button } from './button.tsx';
import { CopyButton } from './copy.tsx';
import styles from './notice.module.css';
import { Sign, type Tone } from './state.tsx';

/** Something that the reader has to know: a title, an explanation, and what to do next. */
export function Notice({
  tone = 'still',
  title,
  children,
  live,
}: {
  tone?: Tone;
  title: string;
  children?: ReactNode;
  live?: boolean;
}) {
  return (
    <div
      className={`${styles.notice} ${styles[tone]}`}
      role={live ? (tone === 'bad' ? 'alert' : 'status') : undefined}
    >
      <p className={styles.title}>
        <Sign tone={tone} />
        {title}
      </p>
      {children}
    </div>
  );
}

/** Nothing is here, and how something gets here. */
export function Empty({
  title,
  children,
  command,
}: {
  title: string;
  children?: ReactNode;
  command?: string;
}) {
  return (
    <Notice title={title}>
      {children}
      {command === undefined ? null : <Command text={command} />}
    </Notice>
  );
}

/** A command to copy. */
export function Command({ text }: { text: string }) {
  return (
    <div className={styles.command}>
      <pre>{text}</pre>
      <CopyButton text={text} what="the command" />
    </div>
  );
}

/** A part that is on its way; says so to those who do not see it. */
export function Loading({ what }: { what: string }) {
  return (
    <p className={styles.loading} role="status">
      Loading {what}…
    </p>
  );
}

/** An answer that was none: the problem as the API words it, and a way on. */
export function Failure({ error, retry, what }: { error: unknown; retry?: () => void; what: string }) {
  const { title, detail, instance } = partsOf(error);
  return (
    <Notice tone="bad" title={`Could not load ${what}: ${title}`} live>
      <p>{detail}</p>
      {instance === undefined ? null : <p className={styles.small}>Request {instance}</p>}
      {retry ? <Button onClick={retry}>Try again</Button> : null}
    </Notice>
  );
}

/** Something that was asked for and was refused. */
export function Refusal({ error }: { error: unknown }) {
  const { title, detail, instance } = partsOf(error);
  const errors = error instanceof ProblemError ? (error.problem.errors ?? []) : [];
  return (
    <Notice tone="bad" title={title} live>
      <p>{detail}</p>
      {errors.length === 0 ? null : (
        <ul>
          {errors.map(({ pointer, parameter, message }) => (
            <li key={`${pointer ?? parameter} ${message}`}>
              <code>{pointer ?? parameter}</code> {message}
            </li>
          ))}
        </ul>
      )}
      {instance === undefined ? null : <p className={styles.small}>Request {instance}</p>}
    </Notice>
  );
}

function partsOf(error: unknown): { title: string; detail: string; instance?: string } {
  if (error instanceof ProblemError) {
    const { title, detail, instance } = error.problem;
    return { title, detail, instance };
  }
  if (error instanceof UnexpectedAnswerError)
    return {
      title: `Status ${error.status}`,
      detail: 'Something in front of Redrive answered in its place.',
    };
  return {
    title: 'No answer',
    detail: 'Redrive cannot be reached from here. Check that it runs and that the network is there.',
  };
}

interface Asked<Data> {
  data: Data | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => unknown;
}

/** Shows what a query found, or that it is on its way, or why it did not come. */
export function Loaded<Data>({
  query,
  what,
  children,
}: {
  query: Asked<Data>;
  what: string;
  children: (data: Data) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.isPending) return <Loading what={what} />;
  const { error } = query;
  if (error instanceof ProblemError && error.code === 'insufficient_scope')
    return (
      <Notice tone="care" title={`This session may not see ${what}`}>
        <p>{error.problem.detail}</p>
        <p>Sign in with a key that has the scope, or ask an administrator for one.</p>
      </Notice>
    );
  return <Failure error={error} what={what} retry={() => void query.refetch()} />;
}
