import { onlyRow } from '../db/only-row.ts';
import type { Queryable } from '../db/queryable.ts';

/** A bucket that all processes share: whose it is, and how it fills. */
export interface SharedBucket {
  surface: string;
  /** A tenant, or an actor of the installation. */
  holder: string;
  /** The most that it holds. */
  burst: number;
  perSecond: number;
}

/**
 * Takes up to so many tokens, whole ones only, and says what is left. The row is locked while it fills by the clock of
 * the database, so that two processes never take the same one.
 */
export async function takeFromBucket(
  db: Queryable,
  { surface, holder, burst, perSecond }: SharedBucket,
  wanted: number,
): Promise<{ granted: number; left: number }> {
  const taken = await db.query<{ granted: number; left: number }>({
    name: 'take-from-bucket',
    text: `insert into rate_buckets as b (surface, holder, tokens, granted, filled_at)
       values ($1, $2, $3::float8 - least($5::float8, floor($3::float8)), least($5::float8, floor($3::float8)), clock_timestamp())
     on conflict (surface, holder) do update set (tokens, granted, filled_at) = (
       select held - least($5::float8, floor(held)), least($5::float8, floor(held)), moment
       from (select clock_timestamp() as moment) c,
         lateral (select least($3::float8,
           b.tokens + greatest(0, extract(epoch from c.moment - b.filled_at)) * $4::float8) as held) f)
     returning granted, tokens as left`,
    values: [surface, holder, burst, perSecond, wanted],
  });
  return onlyRow(taken);
}

/** Forgets buckets that nobody has taken from for so long that they are full; says how many. */
export async function forgetBuckets(db: Queryable, olderThanMs: number, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from rate_buckets where (surface, holder) in (
       select surface, holder from rate_buckets
       where filled_at < clock_timestamp() - $1::float8 * interval '1 millisecond' limit $2)`,
    [olderThanMs, limit],
  );
  return rowCount ?? 0;
}
