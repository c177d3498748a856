import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

/** A condition that an execution `j` will be sent, or is being sent, without a human having to act first. */
export const GOES_BY_ITSELF = `(j.state = 'sending' or (j.state in ('queued', 'scheduled')
  and (select n.state from endpoints n where n.id = j.endpoint_id) = 'enabled'
  and not exists (select from operations w where w.id = j.operation_id and w.report is null
    and (w.control <> 'run' or w.state = 'halted'))))`;

/** An execution of others that an operation waits for, and when it can be sent. */
export interface Joined {
  executionId: Id<'execution'>;
  dueInMs: number;
}

/**
 * One of the executions that an operation joined, or that took its items over, and that will be sent without a human;
 * undefined where there is none. A joined execution that was taken over itself is followed to its replacement.
 */
export async function firstJoined(db: Queryable, operationId: Id<'operation'>): Promise<Joined | undefined> {
  const { rows } = await db.query<{ id: Id<'execution'>; due_in_ms: number }>(
    `select j.id, greatest(0, extract(epoch from greatest(j.due_at, p.floor_until) - clock_timestamp()) * 1000)::float8
         as due_in_ms
     from (
       select case when e.state = 'superseded' then run_in_place_of(e.id) else e.id end as id
       from exclusions x
       cross join lateral (select y.id, y.state from executions y where y.id = x.joined_execution_id limit 1) e
       where x.operation_id = $1 and x.reason = 'coalesced'
       union all
       select run_in_place_of(e.id) from execution_records e where e.operation_id = $1 and e.outcome = 'superseded'
     ) s
     cross join lateral (select e.* from executions e where e.id = s.id limit 1) j
     cross join lateral (select x.floor_until from endpoint_pacing x where x.endpoint_id = j.endpoint_id limit 1) p
     where ${GOES_BY_ITSELF} limit 1`,
    [operationId],
  );
  return rows[0] && { executionId: rows[0].id, dueInMs: rows[0].due_in_ms };
}
