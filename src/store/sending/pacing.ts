import { concurrencyShare, reserve } from '../../domain/sending/pacing.ts';
import type { Queryable } from '../db/queryable.ts';

/** What has a pace of its own, shared by every sender through one row. */
export type Paced = 'endpoint' | 'operation';

/** So many sends of one endpoint or operation. */
export interface Sends {
  id: string;
  count: number;
}

/** Who reserves, for which claim, and how long its concurrency slots live if nobody gives them back. */
export interface Reserving {
  token: string;
  lane: 'bulk' | 'live';
  leaseMs: number;
}

const ROWS: Record<Paced, string> = {
  endpoint: `select p.endpoint_id as id, w.count as wanted, v.rate_per_second,
      least(v.max_concurrency, floor(p.window_size)::int) as max_concurrency, p.arrival_at,
      greatest(p.floor_until, p.trial_until) > clock_timestamp() as floored, p.openings > 0 as on_trial
    from unnest($1::uuid[], $2::int[]) as w(id, count)
    join endpoint_pacing p on p.endpoint_id = w.id
    join endpoints n on n.id = w.id
    join endpoint_versions v on v.endpoint_id = n.id and v.version = n.current_version
    order by p.endpoint_id for no key update of p`,
  operation: `select p.operation_id as id, w.count as wanted, o.rate_per_second, o.max_concurrency, p.arrival_at,
      false as floored, false as on_trial
    from unnest($1::uuid[], $2::int[]) as w(id, count)
    join operation_pacing p on p.operation_id = w.id
    join operations o on o.id = w.id
    order by p.operation_id for no key update of p`,
};

const ARRIVE: Record<Paced, string> = {
  endpoint: `update endpoint_pacing p set arrival_at = to_timestamp(t.arrival_ms / 1000)
    from unnest($1::uuid[], $2::float8[]) as t(id, arrival_ms) where p.endpoint_id = t.id`,
  operation: `update operation_pacing p set arrival_at = to_timestamp(t.arrival_ms / 1000)
    from unnest($1::uuid[], $2::float8[]) as t(id, arrival_ms) where p.operation_id = t.id`,
};

/** Locks the rows of endpoints in the order of their ids, as {@link reservePace} does; an update alone takes any order. */
const LOCKED = `locked as materialized (
  select endpoint_id from endpoint_pacing where endpoint_id = any($1::uuid[]) order by endpoint_id for no key update)`;

/**
 * Reserves sends and returns what was granted, which may be nothing. Must run in a transaction of its own, before the
 * claim: rows are locked in the order of their ids, decided by the pure rules of the domain, and written back;
 * concurrency is kept as slots with an expiry, so that a crash leaks none.
 */
export async function reservePace(
  db: Queryable,
  paced: Paced,
  wanted: Sends[],
  by: Reserving,
): Promise<Sends[]> {
  const { rows } = await db.query(
    `select r.*, extract(epoch from clock_timestamp())::float8 * 1000 as now_ms,
      case when r.arrival_at = '-infinity' then 0 else extract(epoch from r.arrival_at)::float8 * 1000 end as arrival_ms
    from (${ROWS[paced]}) r`,
    [wanted.map((w) => w.id), wanted.map((w) => w.count)],
  );
  // A second statement, so that it sees the slots of whoever held these locks before.
  const inUse = await slotsInUse(
    db,
    rows.filter((row) => row.max_concurrency !== null).map((row) => row.id),
  );
  const granted = rows.map((row) => {
    const lane = paced === 'operation' ? 'live' : by.lane;
    const room =
      row.max_concurrency === null
        ? row.wanted
        : concurrencyShare(row.max_concurrency, lane) - (inUse.get(row.id) ?? 0);
    // An endpoint whose circuit is open is tried by one request alone.
    const here = row.floored ? 0 : Math.max(0, Math.min(row.wanted, room, row.on_trial ? 1 : row.wanted));
    const pace =
      row.rate_per_second === null || here === 0
        ? { granted: here, arrivalMs: row.arrival_ms }
        : reserve(row.arrival_ms, row.now_ms, row.rate_per_second, here, by.lane);
    return {
      id: row.id,
      rated: row.rate_per_second !== null,
      slotted: row.max_concurrency !== null,
      onTrial: row.on_trial,
      ...pace,
    };
  });
  const some = granted.filter((g) => g.granted > 0);
  const rated = some.filter((g) => g.rated);
  if (rated.length > 0)
    await db.query(ARRIVE[paced], [rated.map((g) => g.id), rated.map((g) => g.arrivalMs)]);
  const onTrial = some.filter((g) => g.onTrial);
  if (onTrial.length > 0)
    await db.query(
      `update endpoint_pacing set trial_until = clock_timestamp() + $2::float8 * interval '1 millisecond'
       where endpoint_id = any($1::uuid[])`,
      [onTrial.map((g) => g.id), by.leaseMs],
    );
  const slotted = some.filter((g) => g.slotted);
  if (slotted.length > 0)
    await db.query(
      `insert into pace_slots (paced_id, token, slots, expires_at)
       select id, $3, slots, clock_timestamp() + $4::float8 * interval '1 millisecond'
       from unnest($1::uuid[], $2::int[]) as t(id, slots)`,
      [slotted.map((g) => g.id), slotted.map((g) => g.granted), by.token, by.leaseMs],
    );
  return some.map((g) => ({ id: g.id, count: g.granted }));
}

async function slotsInUse(db: Queryable, ids: string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map();
  const { rows } = await db.query(
    `select paced_id, sum(slots)::int as slots from pace_slots
     where paced_id = any($1::uuid[]) and expires_at > clock_timestamp() group by 1`,
    [ids],
  );
  return new Map(rows.map((row) => [row.paced_id, row.slots]));
}

/** Gives back what was reserved and not claimed: its place in the rate, or as a trial, so that the tail of a queue costs no pace. */
export async function refundPace(db: Queryable, paced: Paced, unused: Sends[]): Promise<void> {
  const rate =
    paced === 'endpoint'
      ? `with ${LOCKED}
         update endpoint_pacing p set
           arrival_at = case when v.rate_per_second is null or p.arrival_at = '-infinity' then p.arrival_at
             else p.arrival_at - t.count / v.rate_per_second * interval '1 second' end,
           -- A trial that found nothing to send is none.
           trial_until = '-infinity'
         from unnest($1::uuid[], $2::float8[]) as t(id, count) join endpoints n on n.id = t.id
         join endpoint_versions v on v.endpoint_id = n.id and v.version = n.current_version
         where p.endpoint_id = t.id and (select count(*) from locked) >= 0
           and (p.openings > 0 or (v.rate_per_second is not null and p.arrival_at <> '-infinity'))`
      : `update operation_pacing p set arrival_at = p.arrival_at - t.count / o.rate_per_second * interval '1 second'
         from unnest($1::uuid[], $2::float8[]) as t(id, count) join operations o on o.id = t.id
         where p.operation_id = t.id and o.rate_per_second is not null and p.arrival_at <> '-infinity'`;
  await db.query(rate, [unused.map((u) => u.id), unused.map((u) => u.count)]);
}

/** Frees concurrency slots of one claim, of endpoints and operations alike. */
export async function freeSlots(db: Queryable, token: string, freed: Sends[]): Promise<void> {
  await db.query(
    `update pace_slots s set slots = greatest(0, s.slots - t.count)
     from unnest($2::uuid[], $3::int[]) as t(id, count) where s.paced_id = t.id and s.token = $1`,
    [token, freed.map((f) => f.id), freed.map((f) => f.count)],
  );
}

/** Forgets the slots of ended claims, and those that have expired. */
export async function forgetSlots(db: Queryable, tokens: string[]): Promise<void> {
  // What others are forgetting or freeing at this moment is left to them: nobody waits here, in whatever order.
  await db.query(
    `delete from pace_slots s using (
       select paced_id, token from pace_slots where token = any($1::uuid[]) or expires_at < clock_timestamp()
       for update skip locked
     ) ended
     where s.paced_id = ended.paced_id and s.token = ended.token`,
    [tokens],
  );
}

/** Raises endpoints' floors to what their answers asked for in Retry-After; a floor never moves back. */
export async function raiseFloors(db: Queryable, floors: Map<string, number>): Promise<void> {
  await db.query(
    `with ${LOCKED}
     update endpoint_pacing p set
       floor_until = greatest(p.floor_until, clock_timestamp() + t.floor_ms * interval '1 millisecond'),
       retry_after_until = greatest(p.retry_after_until, clock_timestamp() + t.floor_ms * interval '1 millisecond')
     from unnest($1::uuid[], $2::float8[]) as t(id, floor_ms)
     where p.endpoint_id = t.id and (select count(*) from locked) >= 0`,
    [[...floors.keys()], [...floors.values()]],
  );
}
