import { BUCKET_MS, type TimeBuckets } from '../../domain/figures/time-buckets.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

/**
 * How many events a tenant had accepted in each bucket. Events are numbered without gaps in the order of acceptance, so
 * that a count is the difference of two numbers: one look-up for each bucket, however many events are in it.
 */
export async function acceptedEvents(
  db: Queryable,
  tenantId: Id<'tenant'>,
  { granularity, fromMs, count }: TimeBuckets,
): Promise<{ asOf: Date; counts: number[] }> {
  const { rows } = await db.query<{ as_of: Date; number: number }>(
    `select now() as as_of, coalesce((
       select v.number from events v
       where v.tenant_id = $1 and v.accepted_at < to_timestamp(($2::float8 + n * $3::float8) / 1000)
       order by v.accepted_at desc, v.id desc limit 1), 0) as number
     from generate_series(0, $4::int) as n order by n`,
    [tenantId, fromMs, BUCKET_MS[granularity], count],
  );
  const numbers = rows.map(({ number }) => number);
  return {
    asOf: rows[0]?.as_of ?? new Date(),
    // A clock that was set back would make a number smaller than the one before.
    counts: numbers.slice(1).map((number, n) => Math.max(0, number - (numbers[n] ?? 0))),
  };
}
