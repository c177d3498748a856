import type { EventEmitter } from 'node:events';
import type { Queryable } from '../db/queryable.ts';
import { ASKED_CHANNEL, askedWeek, missingWeekOf } from './without-partition.ts';

/** The event of a pool by which the process that asked hears of it, also where a pooler passes no notices on. */
const ASKED_EVENT = 'redrive_week_asked';

/** A pool, which is an emitter of events, too. */
type AskedThrough = Queryable & Pick<EventEmitter, 'emit' | 'on'>;

/**
 * Tells all workers of the week that an error is about, where it is about one, so that its partition is there when the same
 * is tried again. Says nothing where that fails: whoever tries again asks again.
 */
export function askForWeek(pool: AskedThrough, error: unknown): void {
  const missing = missingWeekOf(error);
  if (!missing) return;
  const text = askedWeek.show(missing);
  pool.emit(ASKED_EVENT, text);
  pool.query('select pg_notify($1, $2)', [ASKED_CHANNEL, text]).catch(() => {});
}

/** Hears of weeks that are asked for through a pool of this process. */
export function onAskedWeek(pool: AskedThrough, hear: (text: string) => void): void {
  pool.on(ASKED_EVENT, hear);
}
