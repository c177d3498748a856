import type { Queryable } from '../db/queryable.ts';

/** How long a worker counts as alive after it was last seen. */
const ALIVE_MS = 15_000;

/** Says that this worker is alive, and which share of the live lane is its own: the index-th of so many. */
export async function checkIn(
  db: Queryable,
  worker: { id: string; host: string; pid: number; polling: boolean },
): Promise<{ index: number; of: number }> {
  await db.query(
    `insert into workers (id, host, pid, polling) values ($1, $2, $3, $4)
     on conflict (id) do update set seen_at = clock_timestamp(), polling = excluded.polling`,
    [worker.id, worker.host, worker.pid, worker.polling],
  );
  const { rows } = await db.query(
    `select id from workers where seen_at > clock_timestamp() - $1::float8 * interval '1 millisecond' order by id`,
    [ALIVE_MS],
  );
  return {
    index: Math.max(
      0,
      rows.findIndex((row) => row.id === worker.id),
    ),
    of: Math.max(1, rows.length),
  };
}

/** Takes a worker off the list, and those not seen for an hour with it. */
export async function checkOut(db: Queryable, workerId: string): Promise<void> {
  await db.query(`delete from workers where id = $1 or seen_at < now() - interval '1 hour'`, [workerId]);
}

/** How many workers are alive, and how many of them poll Temporal's queues. */
export async function countWorkers(db: Queryable): Promise<{ alive: number; polling: number }> {
  const { rows } = await db.query(
    `select count(*)::int as alive, count(*) filter (where polling)::int as polling
     from workers where seen_at > clock_timestamp() - $1::float8 * interval '1 millisecond'`,
    [ALIVE_MS],
  );
  return rows[0];
}
