import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable } from '../db/queryable.ts';

/** How long a worker counts as alive after it was last seen. */
const ALIVE_MS = 15_000;

/**
 * A worker is seen every second; its work is taken over after this time. Taking over from one that lives harms nothing.
 */
const SILENT_MS = 5_000;

/** The report of a worker on itself. */
export interface WorkerSelf {
  id: string;
  host: string;
  pid: number;
  /** Its Temporal workers poll their queues. */
  polling: boolean;
  /** Operations whose slices it runs. */
  operations: Id<'operation'>[];
}

/**
 * Says that this worker is alive, and which share of the live lane is its own: the index-th of so many; `now` is the time
 * of the database.
 */
export async function checkIn(
  db: Queryable,
  worker: WorkerSelf,
): Promise<{ index: number; of: number; now: Date }> {
  const seen = await db.query<{ now: Date }>(
    `insert into workers (id, host, pid, polling, operations) values ($1, $2, $3, $4, $5)
     on conflict (id) do update set seen_at = clock_timestamp(), polling = excluded.polling,
       operations = excluded.operations
     returning clock_timestamp() as now`,
    [worker.id, worker.host, worker.pid, worker.polling, worker.operations],
  );
  const { rows } = await db.query<{ id: string }>(
    `select id from workers where seen_at > clock_timestamp() - $1::float8 * interval '1 millisecond' order by id`,
    [ALIVE_MS],
  );
  return {
    index: Math.max(
      0,
      rows.findIndex((row) => row.id === worker.id),
    ),
    of: Math.max(1, rows.length),
    now: onlyRow(seen).now,
  };
}

/** Takes a worker off the list, and those not seen for an hour with it. */
export async function checkOut(db: Queryable, workerId: string): Promise<void> {
  await db.query(`delete from workers where id = $1 or seen_at < now() - interval '1 hour'`, [workerId]);
}

interface WorkersRow {
  alive: number;
  polling: number;
}

/** How many workers are alive, and how many of them poll Temporal's queues. */
export async function countWorkers(db: Queryable): Promise<{ alive: number; polling: number }> {
  const { rows } = await db.query<WorkersRow>(
    `select count(*)::int as alive, count(*) filter (where polling)::int as polling
     from workers where seen_at > clock_timestamp() - $1::float8 * interval '1 millisecond'`,
    [ALIVE_MS],
  );
  return rows[0] as WorkersRow;
}

/**
 * Takes up to `limit` operations from workers that are not seen any more, for `workerId`, each by one taker alone:
 * those that are open and to run, and that no living worker is at. The others are left for the next look. The taker is
 * noted to be at them in the same statement.
 */
export async function takeLeftBehind(
  db: Queryable,
  workerId: string,
  limit: number,
): Promise<Id<'operation'>[]> {
  const { rows } = await db.query<{ id: Id<'operation'> }>({
    name: 'take-left-behind',
    text: `with taker as materialized (
      -- Skipped where it is locked, as the others are: two that were silent and are back may each take the other's.
      select w.id from workers w where w.id = $1 for update skip locked
    ), silent as materialized (
      select w.id, w.operations from workers w
      where exists (select from taker) and w.id <> $1 and w.operations <> '{}' and w.seen_at < clock_timestamp() - $3::float8 * interval '1 millisecond'
      order by w.id for update skip locked
    ), left_behind as materialized (
      select distinct u.id from silent s cross join lateral unnest(s.operations) as u(id)
      join operations o on o.id = u.id and o.closed_at is null and o.control = 'run'
      where not exists (select from workers w where u.id = any(w.operations)
        and w.seen_at >= clock_timestamp() - $3::float8 * interval '1 millisecond')
    ), taken as materialized (
      select id from left_behind limit $2
    ), struck as (
      update workers w set operations = array(
        select u.id from unnest(w.operations) as u(id) join left_behind l on l.id = u.id
        where l.id not in (select id from taken))
      from silent s where w.id = s.id
    ), noted as (
      -- Here and not by its next word: one that dies before that would leave them behind without one.
      update workers w set operations = w.operations || array(select id from taken)
      from taker t where w.id = t.id and exists (select from taken)
    )
    select id from taken`,
    values: [workerId, limit, SILENT_MS],
  });
  return rows.map(({ id }) => id);
}

/** Whether a living worker other than this one is at an operation. */
export async function isWorkedElsewhere(
  db: Queryable,
  workerId: string,
  operationId: Id<'operation'>,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `select from workers where id <> $1 and $2 = any(operations)
       and seen_at >= clock_timestamp() - $3::float8 * interval '1 millisecond' limit 1`,
    [workerId, operationId, SILENT_MS],
  );
  return (rowCount ?? 0) > 0;
}
