import { BUCKET_MS, type TimeBuckets } from '../../domain/figures/time-buckets.ts';
import type { AttemptOutcome } from '../../domain/sending/classification.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable } from '../db/queryable.ts';
import { HOURS_KEPT_DAYS, MINUTES_KEPT_HOURS } from './attempt-folds.ts';

/** What attempts can be told apart by. */
export const ATTEMPT_DIMENSIONS = ['endpoint', 'outcome', 'fault', 'type'] as const;

/** One of {@link ATTEMPT_DIMENSIONS}. */
export type AttemptDimension = (typeof ATTEMPT_DIMENSIONS)[number];

const COLUMNS: Readonly<Record<AttemptDimension, string>> = {
  endpoint: 'endpoint_id',
  outcome: 'outcome',
  fault: 'fault_code',
  type: 'event_type',
};

/** Attempts that agree in everything that they are told apart by; the largest first. */
export interface AttemptSeries {
  endpointId?: Id<'endpoint'>;
  outcome?: AttemptOutcome;
  /** Empty where there was no fault. */
  faultCode?: string;
  eventType?: string;
  total: number;
  counts: { atMs: number; count: number }[];
}

/** The attempts of a tenant within some buckets, of one moment. */
export interface AttemptFigures {
  asOf: Date;
  /** Attempts that began earlier are not counted here, or not any more. */
  countedSince: Date;
  series: AttemptSeries[];
  /** The sum of all series that are not among them. */
  others: Omit<AttemptSeries, AttemptDimension> & { groups: number };
  /** Attempts among all of these that are recorded and not yet summed up. */
  unfolded: number;
}

interface FiguresRow {
  as_of: Date;
  counted_since: Date;
  groups: number;
  /** Null where there is nothing at all; one more than the most stands for the others. */
  place: number | null;
  endpoint_id?: Id<'endpoint'>;
  outcome?: AttemptOutcome;
  fault_code?: string;
  event_type?: string;
  at: number[];
  counts: number[];
  unfolded: number;
}

/**
 * Reads the attempts of a tenant by the time at which they began: those that are summed up, and those that are not yet,
 * in one statement, so that each is counted once. At most `most` series are told apart.
 */
export async function attemptFigures(
  db: Queryable,
  tenantId: Id<'tenant'>,
  buckets: TimeBuckets,
  {
    by,
    endpointIds,
    most,
  }: { by: readonly AttemptDimension[]; endpointIds?: Id<'endpoint'>[]; most: number },
): Promise<AttemptFigures> {
  const p = new Parameters();
  const byMinute = buckets.granularity === 'minute';
  // One dimension that all have in common, so that there may be no other.
  const dimensions = ['one', ...new Set(by.map((dimension) => COLUMNS[dimension]))];
  const list = dimensions.join(', ');
  const from = p.add(new Date(buckets.fromMs).toISOString());
  const to = p.add(new Date(buckets.toMs).toISOString());
  const where = (time: string) =>
    [
      `tenant_id = ${p.add(tenantId)}`,
      `${time} >= ${from}::timestamptz and ${time} < ${to}::timestamptz`,
      ...(endpointIds ? [`endpoint_id = any(${p.add(endpointIds)}::uuid[])`] : []),
    ].join(' and ');
  const summed = byMinute ? 'minute' : 'hour';
  const { rows } = await db.query<FiguresRow>(
    `with counted as materialized (
      select 1 as one, ${summed} as at, endpoint_id, outcome, fault_code, event_type, attempts, 0 as unfolded
      from ${byMinute ? 'attempt_minutes' : 'attempt_hours'} where ${where(summed)}
      union all
      select 1, minute, endpoint_id, outcome, fault_code, event_type, attempts, attempts
      from attempt_deltas where ${where('minute')}
    ), summed as materialized (
      select ${list}, date_bin(${p.add(BUCKET_MS[buckets.granularity])}::float8 * interval '1 millisecond', at, 'epoch') as bucket,
        sum(attempts)::bigint as attempts, sum(unfolded)::bigint as unfolded
      from counted group by ${list}, bucket
    ), series as materialized (
      select ${list}, row_number() over (order by sum(attempts) desc, ${list}) as place from summed group by ${list}
    ), placed as (
      select least(s.place, ${p.add(most + 1)}::int) as place, m.bucket, sum(m.attempts)::bigint as attempts,
        sum(m.unfolded)::bigint as unfolded
      from summed m join series s using (${list}) group by 1, 2
    ), shown as (
      select place, array_agg(extract(epoch from bucket)::float8) as at, array_agg(attempts) as counts,
        sum(unfolded)::bigint as unfolded
      from placed group by place
    )
    select now() as as_of, (select count(*)::int from series) as groups, greatest(f.began_at, now() - case
        when ${p.add(byMinute)} then ${p.add(MINUTES_KEPT_HOURS)}::float8 * interval '1 hour'
        else ${p.add(HOURS_KEPT_DAYS)}::float8 * interval '1 day' end) as counted_since,
      ${dimensions.map((dimension) => `s.${dimension}`).join(', ')}, x.*
    from attempt_folds f left join shown x on true
    left join series s on s.place = x.place and s.place <= ${p.add(most)}
    order by x.place`,
    p.values,
  );
  const [first] = rows;
  if (!first) throw new Error('the figures of attempts have no beginning');
  const placed = rows.filter((row) => row.place !== null);
  return {
    asOf: first.as_of,
    countedSince: first.counted_since,
    series: placed.filter(({ place }) => (place ?? 0) <= most).map((row) => seriesOf(row)),
    others: {
      groups: Math.max(0, first.groups - most),
      ...countsOf(placed.find(({ place }) => place === most + 1)),
    },
    unfolded: placed.reduce((sum, row) => sum + row.unfolded, 0),
  };
}

function seriesOf(row: FiguresRow): AttemptSeries {
  return {
    ...(row.endpoint_id === undefined ? {} : { endpointId: row.endpoint_id }),
    ...(row.outcome === undefined ? {} : { outcome: row.outcome }),
    ...(row.fault_code === undefined ? {} : { faultCode: row.fault_code }),
    ...(row.event_type === undefined ? {} : { eventType: row.event_type }),
    ...countsOf(row),
  };
}

function countsOf(row: FiguresRow | undefined): Pick<AttemptSeries, 'total' | 'counts'> {
  const counts = (row?.counts ?? []).map((count, n) => ({ atMs: (row?.at[n] ?? 0) * 1_000, count }));
  return { total: counts.reduce((sum, { count }) => sum + count, 0), counts };
}
