import { BUCKET_MS, type TimeBuckets } from '../../domain/figures/time-buckets.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

/** The events that a tenant had accepted in each of some buckets, of one moment. */
export interface AcceptedEvents {
  asOf: Date;
  /** Events that were accepted until then are not counted any more; undefined while none was looked at for removal. */
  countedSince?: Date;
  counts: number[];
}

interface BoundRow {
  as_of: Date;
  counted_since: Date | null;
  number: number;
  imported: number;
}

/**
 * How many events a tenant had accepted in each bucket. Events are numbered without gaps in the order of acceptance, so
 * that a count is the difference of two numbers: one look-up for each bucket, however many events are in it. Events that
 * were imported have numbers, too, and are none of the traffic: they are counted by the batches that brought them.
 */
export async function acceptedEvents(
  db: Queryable,
  tenantId: Id<'tenant'>,
  { granularity, fromMs, count }: TimeBuckets,
): Promise<AcceptedEvents> {
  const { rows } = await db.query<BoundRow>(
    // Up to where their removal has come some events are gone and some stay, and a difference would say nothing: what is
    // behind it begins with the number of its first event.
    `with swept as materialized (
       select coalesce((select s.accepted_at from event_sweeps s where s.tenant_id = $1), '-infinity') as upto
     ), before as materialized (
       select coalesce((select v.number - 1 from events v
         where v.tenant_id = $1 and v.accepted_at > (select upto from swept)
         order by v.accepted_at, v.id limit 1), 0) as number
     )
     select now() as as_of, (select nullif(upto, '-infinity') from swept) as counted_since, coalesce((
       select v.number from events v
       where v.tenant_id = $1 and v.accepted_at > (select upto from swept)
         and v.accepted_at < to_timestamp(($2::float8 + n * $3::float8) / 1000)
       order by v.accepted_at desc, v.id desc limit 1), (select number from before)) as number,
       (select coalesce(sum(b.events), 0)::int from import_batches b where b.tenant_id = $1
         and b.accepted_at > (select upto from swept)
         and b.accepted_at >= to_timestamp(($2::float8 + (n - 1) * $3::float8) / 1000)
         and b.accepted_at < to_timestamp(($2::float8 + n * $3::float8) / 1000)) as imported
     from generate_series(0, $4::int) as n order by n`,
    [tenantId, fromMs, BUCKET_MS[granularity], count],
  );
  const countedSince = rows[0]?.counted_since ?? undefined;
  return {
    asOf: rows[0]?.as_of ?? new Date(),
    ...(countedSince ? { countedSince } : {}),
    // A clock that was set back would make a number smaller than the one before.
    counts: rows
      .slice(1)
      .map(({ number, imported }, n) => Math.max(0, number - (rows[n]?.number ?? 0) - imported)),
  };
}
