import type { OperationState } from '../../domain/operations/operation-state.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable } from '../db/queryable.ts';
import { LIVE_LANE } from '../db/queryable.ts';

/** The queues, as gauges show them. Depths are counted up to a bound: a gauge must not read a table of millions. */
export interface QueueGauges {
  live: { queued: number; scheduled: number; oldestAgeSeconds: number };
  operations: { state: OperationState; count: number }[];
  bulk: { queued: number; scheduled: number };
  /** Age of the oldest act that has no place in its audit chain yet. */
  unsealedSeconds: number;
}

const COUNT_UP_TO = 100_000;

interface LiveRow {
  queued: number;
  scheduled: number;
  oldest: number;
}

interface OperationsRow {
  state: OperationState;
  count: number;
  queued: number;
  scheduled: number;
}

/** Reads the gauges: the live lane's depth and age, bulk depth from the operations' counts, operations by state. */
export async function readGauges(db: Queryable): Promise<QueueGauges> {
  const live = await db.query<LiveRow>(
    `select count(*) filter (where state = 'queued')::int as queued,
      count(*) filter (where state = 'scheduled')::int as scheduled,
      coalesce(greatest(0, extract(epoch from now() - min(due_at))), 0)::float8 as oldest
     from (select state, due_at from executions where in_queue and worked_by = '${LIVE_LANE}'
       and state in ('queued', 'scheduled') limit ${COUNT_UP_TO}) e`,
  );
  const operations = await db.query<OperationsRow>(
    `select o.state, count(*)::int as count, sum(c.queued)::int as queued, sum(c.scheduled)::int as scheduled
     from operations o join operation_counts c on c.operation_id = o.id where o.closed_at is null group by 1`,
  );
  const unsealed = await db.query<{ seconds: number }>(
    `select coalesce(greatest(0, extract(epoch from clock_timestamp() - min(at))), 0)::float8 as seconds
     from (select at from audit_entries where number is null limit ${COUNT_UP_TO}) e`,
  );
  const sum = (part: 'queued' | 'scheduled') => operations.rows.reduce((total, row) => total + row[part], 0);
  const { queued, scheduled, oldest } = onlyRow(live);
  return {
    live: { queued, scheduled, oldestAgeSeconds: oldest },
    operations: operations.rows.map((row) => ({ state: row.state, count: row.count })),
    bulk: { queued: sum('queued'), scheduled: sum('scheduled') },
    unsealedSeconds: onlyRow(unsealed).seconds,
  };
}
