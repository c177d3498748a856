import { present } from '../../domain/present.ts';
import {
  type Booked,
  book,
  concurrencyShare,
  type Lane,
  opensInMs,
  type Pace,
} from '../../domain/sending/pacing.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';

/** The owners of a pace, which every sender shares through one row. */
export type Paced = 'endpoint' | 'operation';

/** A number of sends of one endpoint or operation. */
export interface Sends {
  id: string;
  count: number;
}

/** Sends that are wanted of an endpoint. */
export interface WantedSends extends Sends {
  /** Requests of this sender that are in flight there without a slot: they began when nothing limited them. */
  besides?: number;
}

/** The claim that books, its lane, and how long its concurrency slots live if nobody gives them back. */
export interface Reserving {
  token: string;
  lane: Lane;
  leaseMs: number;
}

/** The sends granted of one pace: their times, on the database's clock. */
export interface Granted {
  id: string;
  atMs: number[];
  /** It has a row of pace, from which this was taken. */
  paced: boolean;
  /** Each of them holds a slot. */
  slotted: boolean;
  ratePerSecond?: number;
  /**
   * Where nothing more is granted at present because of its rate: when it may be asked again, in milliseconds from now.
   */
  opensInMs?: number;
  /** The next free time before this grant, and after it. */
  arrivalMs: { before: number; after: number };
}

/** The sends granted together, and the time of the database's clock then. */
export interface GrantedSends {
  nowMs: number;
  endpoints: Granted[];
  operation?: Granted;
}

interface PaceRow {
  id: string;
  wanted: number;
  rate_per_second: number | null;
  max_concurrency: number | null;
  arrival_ms: number;
  now_ms: number;
  floored: boolean;
  on_trial: boolean;
}

const ROWS: Record<Paced, string> = {
  endpoint: `select p.endpoint_id as id, w.count as wanted, v.rate_per_second,
      least(v.max_concurrency, floor(p.window_size)::int) as max_concurrency, p.arrival_at,
      greatest(p.floor_until, p.trial_until) > clock_timestamp() as floored, p.openings > 0 as on_trial
    from unnest($1::uuid[], $2::int[]) as w(id, count)
    join endpoint_pacing p on p.endpoint_id = w.id
    join endpoints n on n.id = w.id
    join endpoint_versions v on ${isCurrent('v', 'n')}
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

/**
 * Locks the rows of endpoints in the order of their ids, as {@link reservePace} does; an update alone takes any order.
 */
const LOCKED = `locked as materialized (
  select endpoint_id from endpoint_pacing where endpoint_id = any($1::uuid[]) order by endpoint_id for no key update)`;

/**
 * Books times for sends and returns those that were granted, which may be none. Endpoints without a pace are given in
 * `unpaced`, not in `paced`. Its transaction does nothing else and ends before the claim: the operation's row is locked
 * first, then those of endpoints in the order of their ids; the pure rules of the domain decide; concurrency is kept as
 * slots with an expiry, so that a crash leaks none.
 */
export async function reservePace(
  tx: Transaction,
  wanted: { operation?: Sends; paced: WantedSends[]; unpaced: Sends[] },
  by: Reserving,
): Promise<GrantedSends> {
  const [own] = wanted.operation ? await lockedRows(tx, 'operation', [wanted.operation]) : [];
  const rows = await lockedRows(tx, 'endpoint', wanted.paced);
  // A statement of its own, so that it sees the slots of those who held these locks before.
  const limited = [own, ...rows].filter((row) => row !== undefined && row.max_concurrency !== null);
  const inUse = await slotsInUse(
    tx,
    limited.map((row) => row?.id ?? ''),
  );
  // A trial, one request by its own rule, does not wait for what was sent before there was a window: those requests may hang.
  const onTrial = new Set(rows.filter((row) => row.on_trial).map(({ id }) => id));
  for (const { id, besides = 0 } of wanted.paced)
    if (!onTrial.has(id)) inUse.set(id, (inUse.get(id) ?? 0) + besides);
  const nowMs = Math.max(0, own?.now_ms ?? 0, ...rows.map((row) => row.now_ms));
  const free = wanted.unpaced.map(({ id, count }) => ({ id, wanted: count, arrivalMs: 0 }));
  const paces = [...rows.map((row) => paceOf(row, by.lane, inUse)), ...free];
  const booked = book(nowMs, by.lane, paces, own && paceOf(own, 'live', inUse));
  const found = booked.endpoints.slice(0, rows.length);
  if (own && booked.operation) await write(tx, 'operation', [own], [booked.operation], by);
  await write(tx, 'endpoint', rows, found, by);
  return {
    nowMs,
    endpoints: booked.endpoints.map((each, n) => grantedFrom(each, rows[n], nowMs, by.lane)),
    ...(booked.operation ? { operation: grantedFrom(booked.operation, own, nowMs, by.lane) } : {}),
  };
}

async function lockedRows(tx: Transaction, paced: Paced, wanted: Sends[]): Promise<PaceRow[]> {
  if (wanted.length === 0) return [];
  const { rows } = await tx.query<PaceRow>(
    `select r.*, extract(epoch from clock_timestamp())::float8 * 1000 as now_ms,
      case when r.arrival_at = '-infinity' then 0 else extract(epoch from r.arrival_at)::float8 * 1000 end as arrival_ms
    from (${ROWS[paced]}) r`,
    [wanted.map((w) => w.id), wanted.map((w) => w.count)],
  );
  return rows;
}

function paceOf(row: PaceRow, lane: Lane, inUse: ReadonlyMap<string, number>): Pace {
  const room =
    row.max_concurrency === null
      ? row.wanted
      : concurrencyShare(row.max_concurrency, lane) - (inUse.get(row.id) ?? 0);
  // An endpoint whose circuit is open is tried by one request alone.
  const most = row.floored ? 0 : row.on_trial ? 1 : row.wanted;
  return {
    id: row.id,
    wanted: Math.max(0, Math.min(row.wanted, room, most)),
    arrivalMs: row.arrival_ms,
    slotted: row.max_concurrency !== null,
    ...present({ ratePerSecond: row.rate_per_second }),
  };
}

function grantedFrom(booked: Booked, row: PaceRow | undefined, nowMs: number, lane: Lane): Granted {
  const { id, atMs, arrivalMs } = booked;
  const granted = {
    id,
    atMs,
    paced: row !== undefined,
    slotted: row !== undefined && row.max_concurrency !== null,
    arrivalMs: { before: row?.arrival_ms ?? 0, after: arrivalMs },
  };
  if (!row || row.rate_per_second === null) return granted;
  const opens = opensInMs({ arrivalMs, slotted: row.max_concurrency !== null }, nowMs, lane);
  return {
    ...granted,
    ratePerSecond: row.rate_per_second,
    ...(opens > 0 ? { opensInMs: opens } : {}),
  };
}

/** Writes the bookings of these rows: the next free time, trials, and slots. */
async function write(
  tx: Transaction,
  paced: Paced,
  rows: PaceRow[],
  booked: Booked[],
  by: Reserving,
): Promise<void> {
  const some = rows.flatMap((row, n) => {
    const found = booked[n];
    return found && found.atMs.length > 0 ? [{ row, ...found }] : [];
  });
  const rated = some.filter(({ row }) => row.rate_per_second !== null);
  if (rated.length > 0)
    await tx.query(ARRIVE[paced], [rated.map((g) => g.id), rated.map((g) => g.arrivalMs)]);
  const onTrial = some.filter(({ row }) => row.on_trial);
  if (onTrial.length > 0)
    await tx.query(
      `update endpoint_pacing set trial_until = clock_timestamp() + $2::float8 * interval '1 millisecond'
       where endpoint_id = any($1::uuid[])`,
      [onTrial.map((g) => g.id), by.leaseMs],
    );
  const slotted = some.filter(({ row }) => row.max_concurrency !== null);
  if (slotted.length > 0)
    await tx.query(
      `insert into pace_slots (paced_id, token, slots, expires_at)
       select id, $3, slots, clock_timestamp() + $4::float8 * interval '1 millisecond'
       from unnest($1::uuid[], $2::int[]) as t(id, slots)`,
      [slotted.map((g) => g.id), slotted.map((g) => g.atMs.length), by.token, by.leaseMs],
    );
}

async function slotsInUse(tx: Transaction, ids: string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<{ paced_id: string; slots: number }>(
    `select paced_id, sum(slots)::int as slots from pace_slots
     where paced_id = any($1::uuid[]) and expires_at > clock_timestamp() group by 1`,
    [ids],
  );
  return new Map(rows.map((row) => [row.paced_id, row.slots]));
}

/**
 * Times that were booked and are not used: the next free time behind them when they were booked, and the one without
 * them.
 */
export interface Unused {
  id: string;
  bookedMs: number;
  freeMs: number;
}

/**
 * Gives back bookings that were not claimed: their last times, or the trial that they were. Where somebody has booked
 * behind them the times are lost: given to another, they might stand too near to times that are taken.
 */
export async function refundPace(db: Queryable, paced: Paced, unused: Unused[]): Promise<void> {
  const values = [unused.map((u) => u.id), unused.map((u) => u.bookedMs), unused.map((u) => u.freeMs)];
  const rate =
    paced === 'endpoint'
      ? `with ${LOCKED}
         update endpoint_pacing p set
           arrival_at = case when p.arrival_at = to_timestamp(t.booked_ms / 1000) then to_timestamp(t.free_ms / 1000)
             else p.arrival_at end,
           -- A trial that found nothing to send is none.
           trial_until = '-infinity'
         from unnest($1::uuid[], $2::float8[], $3::float8[]) as t(id, booked_ms, free_ms)
         where p.endpoint_id = t.id and (select count(*) from locked) >= 0
           and (p.openings > 0 or p.arrival_at = to_timestamp(t.booked_ms / 1000))`
      : `update operation_pacing p set arrival_at = to_timestamp(t.free_ms / 1000)
         from unnest($1::uuid[], $2::float8[], $3::float8[]) as t(id, booked_ms, free_ms)
         where p.operation_id = t.id and p.arrival_at = to_timestamp(t.booked_ms / 1000)`;
  await db.query(rate, values);
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
  // Slots that others are forgetting or freeing at this moment are left to them: nobody waits here, in any order.
  await db.query(
    `delete from pace_slots s using (
       select paced_id, token from pace_slots where token = any($1::uuid[]) or expires_at < clock_timestamp()
       for update skip locked
     ) ended
     where s.paced_id = ended.paced_id and s.token = ended.token`,
    [tokens],
  );
}

/** Raises endpoints' floors to the times that their answers asked for in Retry-After; a floor never moves back. */
export async function raiseFloors(db: Queryable, floors: Map<Id<'endpoint'>, number>): Promise<void> {
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
