import { Link } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import { duration } from '../../format/durations.ts';
import { sentence, words } from '../../format/words.ts';
import { State, toneOf } from '../../ui/state.tsx';
import { IdText, Quiet, Time, Verbatim } from '../../ui/text.tsx';
import styles from './waterfall.module.css';

type Execution = Schema<'Execution'>;
type Attempt = Schema<'Attempt'>;

/** The executions of a delivery with their attempts, each at its place in time. */
export function Waterfall({ delivery }: { delivery: Schema<'DeliveryDetails'> }) {
  const { executions } = delivery;
  const attempts = executions.flatMap((execution) => execution.attempts);
  const begin = Math.min(...attempts.map(({ startedAt }) => Date.parse(startedAt)));
  const end = Math.max(...attempts.map(({ startedAt, durationMs }) => Date.parse(startedAt) + durationMs));
  if (executions.length === 0) return <Quiet>No execution of it was ever made.</Quiet>;
  return (
    <ol>
      {executions.map((execution) => (
        <li key={execution.id} className={styles.execution}>
          <div className={styles.head}>
            <State state={execution.state} />
            <span>
              <Owner execution={execution} />
            </span>
            <span className={styles.note}>{endOf(execution)}</span>
          </div>
          {execution.attempts.map((attempt) => (
            <AttemptRow key={attempt.id} attempt={attempt} begin={begin} span={Math.max(1, end - begin)} />
          ))}
          {execution.attempts.length === 0 ? (
            <div className={styles.attempt}>
              <span className={styles.more}>
                <Quiet>No request was made.</Quiet>
              </span>
            </div>
          ) : null}
        </li>
      ))}
    </ol>
  );
}

function Owner({ execution: { operationId, parentId, createdAt } }: { execution: Execution }) {
  return (
    <>
      {operationId === null ? (
        parentId === null ? (
          'First dispatch'
        ) : (
          'Automatic retry'
        )
      ) : (
        <>
          Owned by{' '}
          <Link to="/operations/$id" params={{ id: operationId }}>
            the operation <IdText id={operationId} />
          </Link>
        </>
      )}{' '}
      since <Time at={createdAt} />
    </>
  );
}

function endOf({ reason, mayHaveArrived, resolution, blockedBy, waitingFor }: Execution): string {
  return [
    reason === null ? undefined : sentence(reason),
    mayHaveArrived ? 'may have arrived' : undefined,
    resolution === null ? undefined : `settled as ${resolution.outcome} by ${resolution.by}`,
    blockedBy === null ? undefined : 'waits for a delivery of its key',
    waitingFor.length === 0 ? undefined : `waits: ${waitingFor.map(({ what }) => words(what)).join(', ')}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

function AttemptRow({ attempt, begin, span }: { attempt: Attempt; begin: number; span: number }) {
  const { number, startedAt, outcome, httpStatus, faultCode, durationMs, responseExcerpt, endpointVersion } =
    attempt;
  const left = (100 * (Date.parse(startedAt) - begin)) / span;
  return (
    <div className={styles.attempt}>
      <span>{number}</span>
      <Time at={startedAt} whole />
      <State state={outcome} text={outcome === 'delivered' ? 'Delivered' : sentence(faultCode ?? outcome)} />
      <div className={styles.track} aria-hidden="true">
        <span
          className={styles[toneOf(outcome)]}
          style={{ left: `min(${left}%, 100% - 4px)`, width: `${(100 * durationMs) / span}%` }}
        />
      </div>
      <span className={styles.right}>{duration(durationMs)}</span>
      <div className={styles.more}>
        <details>
          <summary>
            {httpStatus === null ? 'No answer' : `Status ${httpStatus}`}
            {endpointVersion === null ? '' : `, version ${endpointVersion} of the endpoint`}
            {attempt.retryAfterMs === null ? '' : `, asked to wait ${duration(attempt.retryAfterMs)}`}
            {attempt.resend ? ', sent although an earlier one may have arrived' : ''}
          </summary>
          {responseExcerpt === null || responseExcerpt === '' ? (
            <Quiet>Nothing of its answer was kept, or this session may not see it.</Quiet>
          ) : (
            <Verbatim label={`Answer to attempt ${number}`} text={responseExcerpt} />
          )}
        </details>
      </div>
    </div>
  );
}
