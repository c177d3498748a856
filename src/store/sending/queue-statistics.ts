import type { Queryable } from '../db/queryable.ts';

/** The queue has grown out of what plans were made for when it has so many times the pages that it had then. */
const GROWN = 4;

/** So many pages are read through as fast as an index is. */
const FEW_PAGES = 4;

/**
 * Renews the planner's statistics after a large selection. Without them the first claims are planned for a table that
 * was empty a moment ago: measured, 860 µs an item instead of 50. Records that are being vacuumed are passed over: who waits
 * for an autovacuum ends it, and a large table would never come to its end.
 */
export async function renewStatistics(db: Queryable): Promise<void> {
  await db.query('analyze queue');
  await db.query('analyze (skip_locked) execution_records');
}

/**
 * Renews them where the queue has grown by as much since they were taken: a plan that reads a queue of a few rows from its
 * beginning to its end is kept until they change, and autovacuum looks once a minute. True where it has.
 */
export async function renewWhereGrown(db: Queryable): Promise<boolean> {
  const { rows } = await db.query<{ grown: boolean }>(
    `select pg_relation_size(oid) / current_setting('block_size')::int > $1::int * greatest(relpages, $2::int) as grown
     from pg_class where oid = 'queue'::regclass`,
    [GROWN, FEW_PAGES],
  );
  if (!rows[0]?.grown) return false;
  await renewStatistics(db);
  return true;
}
