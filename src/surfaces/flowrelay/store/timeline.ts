import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { isFirstOf } from '../../../store/selection/of-events.ts';

/** One step in the history of an event after it was accepted. */
export interface TimelineStep {
  at: Date;
  /** The handoff it is about. */
  deliveryId?: Id<'delivery'>;
  /** The replay it is a part of. */
  replayId?: Id<'receiptReplay'>;
  step:
    | { what: 'attempted'; outcome: string; httpStatus?: number; faultCode?: string }
    | { what: 'ended'; state: string; reason?: string }
    | { what: 'previewed' | 'confirmed' | 'executed' };
}

interface StepRow {
  at: Date;
  what: TimelineStep['step']['what'];
  delivery_id: Id<'delivery'> | null;
  replay_id: Id<'receiptReplay'> | null;
  outcome: string | null;
  http_status: number | null;
  fault_code: string | null;
  state: string | null;
  reason: string | null;
}

/**
 * The newest `limit` steps of an event, oldest of them first: each request, how each run ended, and each replay. Times
 * are compared in microseconds. A run ends after its last request, and the requests of a replay come after its
 * execution: where the clocks of two transactions say otherwise by a little, the later one counts for both.
 */
export async function timelineSteps(
  db: Queryable,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
  limit: number,
): Promise<TimelineStep[]> {
  const { rows } = await db.query<StepRow>(
    `with replay as materialized (
       select * from receipt_replays where tenant_id = $1 and event_id = $2
     ), run as materialized (
       select e.id, e.delivery_id, e.state, e.reason, e.finished_at, e.created_at, r.id as replay_id, r.executed_at
       from deliveries d
       -- With an offset: a look-up a delivery, where a join may read all records.
       cross join lateral (select x.* from executions x where x.delivery_id = d.id offset 0) e
       left join replay r on r.operation_id = e.operation_id
       where ${isFirstOf('d', '$2')} and d.tenant_id = $1
     ), request as materialized (
       select r.id as run_id, r.delivery_id, r.replay_id, a.number, a.outcome, a.http_status, a.fault_code,
         greatest(a.started_at, r.created_at, r.executed_at) as at
       from run r cross join lateral (select x.* from attempts x where x.execution_id = r.id offset 0) a
     ), step as (
       select at, 3 as rank, number, 'attempted' as what, delivery_id, replay_id, outcome, http_status, fault_code,
         null as state, null as reason
       from request
       union all
       select greatest(r.finished_at, r.executed_at, (select max(q.at) from request q where q.run_id = r.id)), 4, 0, 'ended',
         r.delivery_id, r.replay_id, null, null, null, r.state, r.reason
       from run r where r.finished_at is not null and r.state <> 'superseded'
       union all
       select s.at, s.rank, 0, s.what, null, r.id, null, null, null, null, null
       from replay r cross join lateral (values
         (r.created_at, 0, 'previewed'),
         (greatest(r.created_at, r.confirmed_at), 1, 'confirmed'),
         (greatest(r.created_at, r.confirmed_at, r.executed_at), 2, 'executed')
       ) as s(at, rank, what)
       where s.what = 'previewed' or (s.what = 'confirmed' and r.confirmed_at is not null)
         or (s.what = 'executed' and r.executed_at is not null)
     )
     select * from step order by at desc, rank desc, number desc limit $3`,
    [tenantId, eventId, limit],
  );
  return rows.reverse().map((row) => ({
    at: row.at,
    ...(row.delivery_id ? { deliveryId: row.delivery_id } : {}),
    ...(row.replay_id ? { replayId: row.replay_id } : {}),
    step: stepFrom(row),
  }));
}

function stepFrom(row: StepRow): TimelineStep['step'] {
  switch (row.what) {
    case 'attempted':
      return {
        what: 'attempted',
        outcome: row.outcome ?? '',
        ...(row.http_status !== null ? { httpStatus: row.http_status } : {}),
        ...(row.fault_code !== null ? { faultCode: row.fault_code } : {}),
      };
    case 'ended':
      return {
        what: 'ended',
        state: row.state ?? '',
        ...(row.reason !== null ? { reason: row.reason } : {}),
      };
    default:
      return { what: row.what };
  }
}
