import { onlyRow } from '../../../store/db/only-row.ts';
import type { Queryable } from '../../../store/db/queryable.ts';

/**
 * The time up to which every ended execution is visible, and the time now; texts of the database keep its microseconds.
 */
export interface EndedHorizon {
  /** Every execution that ended before this is committed and visible to every later statement. */
  before: string;
  now: Date;
}

/**
 * Reads the time up to which the order in which executions ended is final, which is `lagMs` ago at the latest. An
 * execution ends at a time behind the beginning of its transaction, and may be visible long after: so the horizon lies
 * before the oldest transaction that runs now. All of them count, also those that have written nothing yet, for one
 * that waits for its first lock may still end something; so a session that stays in a transaction holds readers back,
 * and nothing is ever missed.
 *
 * Must be a statement of its own before the one that reads: a statement sees the rows that were committed when it
 * began. Of a transaction that commits between its snapshot and its look at the activity it would see neither the rows
 * nor the run. And it must be the first of its transaction that looks there, for Postgres shows one transaction one
 * activity.
 */
export async function readEndedHorizon(db: Queryable, lagMs: number): Promise<EndedHorizon> {
  const answer = await db.query<EndedHorizon>(
    `select clock_timestamp() as now, least(
       clock_timestamp() - $1::float8 * interval '1 millisecond',
       (select min(a.xact_start) from pg_stat_activity a
         where a.datname = current_database() and a.backend_type = 'client backend' and a.pid <> pg_backend_pid())
     )::text as before`,
    [lagMs],
  );
  return onlyRow(answer);
}
