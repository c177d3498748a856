import type { Queryable } from '../db/queryable.ts';
import { LIVE_LANE } from '../db/queryable.ts';

/** What waits, as gauges show it. Depths are counted up to a bound: a gauge must not read a table of millions. */
export interface QueueGauges {
  live: { queued: number; scheduled: number; oldestAgeSeconds: number };
  operations: { state: string; count: number }[];
  bulk: { queued: number; scheduled: number };
}

const COUNT_UP_TO = 100_000;

/** Reads the gauges: the live lane's depth and age, bulk depth from the operations' counts, operations by state. */
export async function readGauges(db: Queryable): Promise<QueueGauges> {
  const live = await db.query(
    `select count(*) filter (where state = 'queued')::int as queued,
      count(*) filter (where state = 'scheduled')::int as scheduled,
      coalesce(greatest(0, extract(epoch from now() - min(due_at))), 0)::float8 as oldest
     from (select state, due_at from executions where in_queue and worked_by = '${LIVE_LANE}'
       and state in ('queued', 'scheduled') limit ${COUNT_UP_TO}) e`,
  );
  const operations = await db.query(
    `select o.state, count(*)::int as count, sum(c.queued)::int as queued, sum(c.scheduled)::int as scheduled
     from operations o join operation_counts c on c.operation_id = o.id where o.closed_at is null group by 1`,
  );
  const sum = (part: 'queued' | 'scheduled') => operations.rows.reduce((total, row) => total + row[part], 0);
  return {
    live: {
      queued: live.rows[0].queued,
      scheduled: live.rows[0].scheduled,
      oldestAgeSeconds: live.rows[0].oldest,
    },
    operations: operations.rows.map((row) => ({ state: row.state, count: row.count })),
    bulk: { queued: sum('queued'), scheduled: sum('scheduled') },
  };
}
