import type { OperationOptions } from '../../domain/operations/operation.ts';
import type { Tally } from '../../domain/operations/watch.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { wholeClockRanMs } from '../policy/held-by-windows.ts';

/** The facts that a watched operation is judged by. */
export interface Watched {
  tenantId: Id<'tenant'>;
  options: OperationOptions;
  ratePerSecond?: number;
  /** All attempts of the last minute, since it was resumed. */
  lastMinute: Tally;
  /** First attempts since the rate was doubled last. */
  span: Tally;
  spanMs: number;
}

interface WatchedRow {
  tenant_id: Id<'tenant'>;
  options: OperationOptions;
  rate_per_second: number | null;
  ramped_at: Date;
  span_ms: number;
}

interface PulsesRow {
  attempts: number;
  bad: number;
  first_attempts: number;
  first_bad: number;
}

/** Holds a watched operation that runs, and reads its facts; undefined where another holds it, or it does not run. */
export async function lockWatched(
  tx: Transaction,
  operationId: Id<'operation'>,
): Promise<Watched | undefined> {
  const { rows } = await tx.query<WatchedRow>(
    `select o.tenant_id, o.options, o.rate_per_second, o.ramped_at,
       -- The span of a ramp stands still while freeze windows hold all that is left to send.
       case when o.options ? 'ramp' then ${wholeClockRanMs('o.ramped_at')} else 0 end as span_ms
     from operations o where o.id = $1 and o.watched and o.control = 'run' and o.state = 'running'
     for no key update of o skip locked`,
    [operationId],
  );
  const operation = rows[0];
  if (!operation) return undefined;
  const pulses = await tx.query<PulsesRow>(
    `select coalesce(sum(attempts) filter (where second > clock_timestamp() - interval '60 seconds'), 0)::int as attempts,
       coalesce(sum(bad) filter (where second > clock_timestamp() - interval '60 seconds'), 0)::int as bad,
       coalesce(sum(first_attempts) filter (where second >= date_trunc('second', $2::timestamptz)), 0)::int as first_attempts,
       coalesce(sum(first_bad) filter (where second >= date_trunc('second', $2::timestamptz)), 0)::int as first_bad
     from operation_pulses where operation_id = $1`,
    [operationId, operation.ramped_at],
  );
  const pulse = pulses.rows[0] as PulsesRow;
  return {
    tenantId: operation.tenant_id,
    options: operation.options,
    ...present({ ratePerSecond: operation.rate_per_second }),
    lastMinute: { attempts: pulse.attempts, bad: pulse.bad },
    span: { attempts: pulse.first_attempts, bad: pulse.first_bad },
    spanMs: operation.span_ms,
  };
}

/** Sets the rate that a ramp has come to, and begins its next span. */
export async function moveRamp(
  tx: Transaction,
  operationId: Id<'operation'>,
  ratePerSecond: number | null,
): Promise<void> {
  await tx.query('update operations set rate_per_second = $2, ramped_at = clock_timestamp() where id = $1', [
    operationId,
    ratePerSecond,
  ]);
}

/** Counts attempts of watched operations, in the second in which they are recorded. */
export async function addPulses(
  db: Queryable,
  pulses: ({ operationId: Id<'operation'>; firstAttempts: number; firstBad: number } & Tally)[],
): Promise<void> {
  await db.query(
    `insert into operation_pulses as p (operation_id, second, attempts, bad, first_attempts, first_bad)
     select t.id, date_trunc('second', clock_timestamp()), t.attempts, t.bad, t.first_attempts, t.first_bad
     from unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::int[])
       as t(id, attempts, bad, first_attempts, first_bad) order by t.id
     on conflict (operation_id, second) do update set attempts = p.attempts + excluded.attempts,
       bad = p.bad + excluded.bad, first_attempts = p.first_attempts + excluded.first_attempts,
       first_bad = p.first_bad + excluded.first_bad`,
    [
      pulses.map(({ operationId }) => operationId),
      pulses.map(({ attempts }) => attempts),
      pulses.map(({ bad }) => bad),
      pulses.map(({ firstAttempts }) => firstAttempts),
      pulses.map(({ firstBad }) => firstBad),
    ],
  );
}
