import { COUNTED_PARTS, type OperationCounts } from '../../domain/operations/operation-counts.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

/** The counts of an operation at one time. */
export interface OperationSample {
  at: Date;
  counts: OperationCounts;
}

/** Samples that are kept of one operation. */
export const MOST_SAMPLES = 500;
/** The shortest time between two of them, and the part of the operation's time that it grows to. */
const EVERY_MS = 1_000;
const PART_OF_TIME = 400;

const PARTS = ['expected', ...COUNTED_PARTS] as const;
const columns = (of: string) => PARTS.map((part) => `${of}.${part}`).join(', ');

/**
 * Samples the counts of open operations that have moved since they were sampled last, and thins out where that makes too
 * many. Where nothing moved for a while, the end of that while is noted too, so that a chart shows it. Items of interactive
 * operations are over before there is anything to see.
 */
export async function sampleOperations(db: Queryable): Promise<void> {
  const { rows } = await db.query<{ operation_id: Id<'operation'> }>(
    `with moved as materialized (
      select o.id, clock_timestamp() as now, l.at as last_at, w.spacing, ${columns('c')}
      from operations o join operation_counts c on c.operation_id = o.id
      left join lateral (
        select s.* from operation_samples s where s.operation_id = o.id order by s.at desc limit 1) l on true
      cross join lateral (select greatest($1::float8 * interval '1 millisecond',
        (clock_timestamp() - o.created_at) / $2::float8) as spacing) w
      where o.closed_at is null and not o.interactive and c.expected > 0
        and (l.at is null or l.at + w.spacing <= clock_timestamp())
        and (${columns('c')}) is distinct from (${PARTS.map((part) => `coalesce(l.${part}, -1)`).join(', ')})
    ), stood as (
      insert into operation_samples (operation_id, at, ${PARTS.join(', ')})
      select m.id, m.now - m.spacing, ${columns('l')} from moved m
      join operation_samples l on l.operation_id = m.id and l.at = m.last_at
      where m.now - m.last_at > 3 * m.spacing
      on conflict do nothing
    )
    insert into operation_samples (operation_id, at, ${PARTS.join(', ')})
    select m.id, m.now, ${columns('m')} from moved m
    on conflict do nothing returning operation_id`,
    [EVERY_MS, PART_OF_TIME],
  );
  if (rows.length > 0)
    await thinOut(
      db,
      rows.map((row) => row.operation_id),
    );
}

/** Forgets every second sample of operations that have too many; the first and the last stay. */
async function thinOut(db: Queryable, operationIds: Id<'operation'>[]): Promise<void> {
  await db.query(
    `delete from operation_samples s using (
       select operation_id, at, row_number() over w as n, count(*) over (partition by operation_id) as samples
       from operation_samples where operation_id = any($1::uuid[])
       window w as (partition by operation_id order by at)
     ) r
     where s.operation_id = r.operation_id and s.at = r.at and r.samples > $2 and r.n % 2 = 0 and r.n < r.samples`,
    [operationIds, MOST_SAMPLES],
  );
}

type SampleRow = OperationCounts & { at: Date };

/** The samples of an operation, oldest first. */
export async function operationSamples(
  db: Queryable,
  operationId: Id<'operation'>,
): Promise<OperationSample[]> {
  const { rows } = await db.query<SampleRow>(
    `select at, ${PARTS.join(', ')} from operation_samples where operation_id = $1 order by at limit $2`,
    [operationId, MOST_SAMPLES + 1],
  );
  return rows.map(({ at, ...counts }) => ({ at, counts }));
}
