import type { Queryable, Transaction } from '../db/queryable.ts';

/** How long figures are kept by the minute. */
export const MINUTES_KEPT_HOURS = 48;
/** How long they are kept by the hour. */
export const HOURS_KEPT_DAYS = 90;

/** Between two looks for figures that are older than that. */
const PRUNE_EVERY_MINUTES = 30;

/** What a fold has done; undefined while somebody else folds. */
export type Folded = { deltas: number } | undefined;

/**
 * Sums up to `limit` rows of what was recorded into the figures of minutes and hours: they are counted there from the
 * same commit on from which they are gone here. One at a time folds, so that no row of the figures is contended for.
 */
export async function foldAttempts(tx: Transaction, limit: number): Promise<Folded> {
  const held = await tx.query('select from attempt_folds for update skip locked');
  if (held.rowCount !== 1) return undefined;
  const { rows } = await tx.query<{ deltas: number }>(
    `with taken as (
      delete from attempt_deltas where ctid = any(array(select ctid from attempt_deltas limit $1))
      returning tenant_id, minute, endpoint_id, event_type, outcome, fault_code, attempts
    ), summed as materialized (
      select tenant_id, minute, endpoint_id, event_type, outcome, fault_code, sum(attempts) as attempts, count(*) as deltas
      from taken group by 1, 2, 3, 4, 5, 6
    ), minutes as (
      insert into attempt_minutes as m (tenant_id, minute, endpoint_id, event_type, outcome, fault_code, attempts)
      select tenant_id, minute, endpoint_id, event_type, outcome, fault_code, attempts from summed
      on conflict (tenant_id, minute, endpoint_id, event_type, outcome, fault_code)
        do update set attempts = m.attempts + excluded.attempts
    ), hours as (
      insert into attempt_hours as h (tenant_id, hour, endpoint_id, event_type, outcome, fault_code, attempts)
      select tenant_id, date_bin('1 hour', minute, 'epoch'), endpoint_id, event_type, outcome, fault_code, sum(attempts)
      from summed group by 1, 2, 3, 4, 5, 6
      on conflict (tenant_id, hour, endpoint_id, event_type, outcome, fault_code)
        do update set attempts = h.attempts + excluded.attempts
    )
    select coalesce(sum(deltas), 0)::int as deltas from summed`,
    [limit],
  );
  return { deltas: rows[0]?.deltas ?? 0 };
}

/** Whether figures are to be pruned now; who is told so does it, and the others leave it. */
export async function takePruning(db: Queryable): Promise<boolean> {
  const { rowCount } = await db.query(
    `update attempt_folds set pruned_at = clock_timestamp()
     where pruned_at < clock_timestamp() - $1::float8 * interval '1 minute'`,
    [PRUNE_EVERY_MINUTES],
  );
  return rowCount === 1;
}

/** Forgets up to `limit` figures each of minutes and of hours that are older than they are kept; returns how many. */
export async function pruneAttempts(db: Queryable, limit: number): Promise<number> {
  const minutes = await db.query(
    `delete from attempt_minutes where ctid = any(array(
       select ctid from attempt_minutes where minute < now() - $1::float8 * interval '1 hour' limit $2))`,
    [MINUTES_KEPT_HOURS, limit],
  );
  const hours = await db.query(
    `delete from attempt_hours where ctid = any(array(
       select ctid from attempt_hours where hour < now() - $1::float8 * interval '1 day' limit $2))`,
    [HOURS_KEPT_DAYS, limit],
  );
  return (minutes.rowCount ?? 0) + (hours.rowCount ?? 0);
}
