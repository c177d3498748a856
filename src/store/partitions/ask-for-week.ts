import type { Queryable } from '../db/queryable.ts';
import { ASKED_CHANNEL, askedWeek, missingWeekOf } from './without-partition.ts';

/**
 * Tells all workers of the week that an error is about, where it is about one, so that its partition is there when the same
 * is tried again. Says nothing where that fails: whoever tries again asks again.
 */
export function askForWeek(db: Queryable, error: unknown): void {
  const missing = missingWeekOf(error);
  if (missing) db.query('select pg_notify($1, $2)', [ASKED_CHANNEL, askedWeek.show(missing)]).catch(() => {});
}
