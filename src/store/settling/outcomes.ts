import type { Refusal } from '../../domain/endpoints/preparation.ts';
import type { Classification } from '../../domain/sending/classification.ts';
import type { Next } from '../../domain/sending/decide-next.ts';
import type { ExecutionState } from '../../domain/sending/execution-state.ts';
import { LOST_FAULT, WAY_OUT_FAULT } from '../../domain/sending/fault-code.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import type { Queryable } from '../db/queryable.ts';
import { kept } from './ends.ts';

/** The outcome of one claimed item; written once, by the holder of its token. */
export interface Outcome {
  executionId: Id<'execution'>;
  deliveryId: Id<'delivery'>;
  token: string;
  next: Next;
  classification: Classification;
  endpointVersion: number;
  durationMs: number;
  excerpt?: Uint8Array;
  /** Why its preparation refused it, once it is released. */
  refusal?: Refusal;
  /** How long an unknown one waits for a decision before it is listed as needing one. */
  reconcileWithinMs: number;
}

/** The execution in the ledger after its outcome was recorded. */
export interface Recorded {
  executionId: Id<'execution'>;
  operationId?: Id<'operation'>;
  state: ExecutionState;
  attempts: number;
}

interface RecordedRow {
  id: Id<'execution'>;
  operation_id: Id<'operation'> | null;
  state: ExecutionState;
  attempts: number;
}

/** SQL: the columns of what was moved, of its row in the queue `e` and the decision `d`. */
const MOVED = `e.execution_id as id, e.delivery_id, e.endpoint_id, e.tenant_id, e.operation_id, d.attempts, d.next,
        d.had_arrived, d.outcome, d.fault_code, d.http_status, d.retry_after_ms, d.endpoint_version, d.duration_ms,
        d.excerpt, d.ended_at - d.duration_ms * interval '1 millisecond' as started_at`;

/** The names of these. */
const MOVED_COLUMNS = `id, delivery_id, endpoint_id, tenant_id, operation_id, attempts, next, had_arrived, outcome,
        fault_code, http_status, retry_after_ms, endpoint_version, duration_ms, excerpt, started_at`;

/** SQL: the states in which an execution ends with its attempt. */
const ENDS = `('delivered', 'failed', 'cancelled')`;

/**
 * Records outcomes in one statement: attempts appended, and counted for the figures, executions moved on, deliveries
 * folded, counts moved by the trigger. Fenced by token and `sending`: an outcome whose execution the sweeper has settled
 * meanwhile is not in the answer and changes nothing. A retryable outcome under a cancelled operation ends `cancelled`,
 * an ambiguous one `unknown`, until the operation has closed: nobody can cancel an execution that is sent again after
 * that. One that would only be due after its time to give up is given up. Deliveries are locked first, in the order of
 * their ids.
 *
 * What is not in the answer is told once more: an acknowledgement that was committed while the statement waited for its
 * delivery is seen by the next one alone. What has been settled meanwhile stays out of that, too, by its token.
 */
export async function recordOutcomes(db: Queryable, outcomes: Outcome[]): Promise<Recorded[]> {
  const recorded = await recordSeen(db, outcomes);
  const seen = new Set(recorded.map(({ executionId }) => executionId));
  const unseen = outcomes.filter(({ executionId }) => !seen.has(executionId));
  return unseen.length === 0 ? recorded : [...recorded, ...(await recordSeen(db, unseen))];
}

async function recordSeen(db: Queryable, outcomes: Outcome[]): Promise<Recorded[]> {
  if (outcomes.length === 0) return [];
  const { rows } = await db.query<RecordedRow>({
    name: 'record-outcomes',
    text: `with told as materialized (
      select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::float8[], $7::text[], $8::text[],
        $9::int[], $10::int[], $11::int[], $12::int[], $13::bytea[], $14::float8[], $15::boolean[])
        as t(execution_id, delivery_id, token, next, reason, delay_ms, outcome, fault_code,
          http_status, retry_after_ms, endpoint_version, duration_ms, excerpt, reconcile_ms, probes)
    ), locked as materialized (
      select d.id, d.attempts, d.event_id from deliveries d
      where d.id in (select delivery_id from told) order by d.id for no key update
    ), decided as materialized (
      -- One time for the end of the attempt and of the execution: no execution ends before its attempts.
      select t.*, e.operation_id, e.may_have_arrived as had_arrived, clock_timestamp() as ended_at,
        e.attempts + case when t.next = 'queued' then 0 else 1 end as attempts,
        e.lost_attempts + case when t.fault_code in ('${LOST_FAULT}', '${WAY_OUT_FAULT}') then 1 else 0 end as lost_attempts,
        e.may_have_arrived or t.outcome = 'ambiguous' as may_have_arrived, e.acknowledged_at,
        case
          -- A request that certainly never left cannot have been acknowledged: that would be a mistake of the receiver.
          when e.acknowledged_at is not null and (t.next <> 'queued' or (select l.attempts from locked l
            where l.id = t.delivery_id) > 0 or (select bool_or(x.may_have_arrived)
            from executions x where x.delivery_id = t.delivery_id)) then 'delivered'
          when t.next in ('scheduled', 'unknown') and o.control = 'cancel'
            then case when t.outcome = 'ambiguous' then 'unknown' else 'cancelled' end
          when t.next = 'scheduled' and now() + t.delay_ms * interval '1 millisecond' >= e.give_up_at
            -- Later than that where freeze windows have held it: asked only where it matters.
            then case when now() + t.delay_ms * interval '1 millisecond' >= (select gives_up_at(x) from queue x
              where x.delivery_id = t.delivery_id) then 'failed' else t.next end
          else t.next end as state
      from told t
      -- Lateral with a limit: one look-up an item. While the queue is small, a join would be planned as a loop over both.
      cross join lateral (select x.operation_id, x.attempts, x.lost_attempts, x.may_have_arrived, x.acknowledged_at, x.give_up_at
        from queue x where x.delivery_id = t.delivery_id and x.execution_id = t.execution_id and x.lease_token = t.token
          and x.state = 'sending' limit 1) e
      left join lateral (select y.control from operations y where y.id = e.operation_id and y.report is null limit 1) o on true
      -- Not a join either: it only makes the locks come first.
      where (select count(*) from locked) >= 0
    ), held as materialized (
      -- What ends and what goes on is counted by two triggers: the counts of several operations are locked before both, in
      -- the one order. The items of one operation alone, which is most of all, lock them as late as they can.
      select c.operation_id from operation_counts c
      where exists (select from decided d
          where d.operation_id is distinct from (select x.operation_id from decided x limit 1))
        and c.operation_id in (select d.operation_id from decided d) and not c.frozen
      order by c.operation_id for update
    ), gone as (
      delete from queue e using decided d
      where ${lookedUp('e.delivery_id', 'd.delivery_id', `d.state in ${ENDS}`)} and (select count(*) from held) >= 0
        and e.lease_token = d.token and e.state = 'sending'
      -- An acknowledgement that was committed since this statement began is there by now, and is not lost.
      returning ${MOVED}, case when e.acknowledged_at is null then d.state else 'delivered' end as state, e.due_at,
        e.put_off_from, e.give_up_at, e.put_off_ms, e.acknowledged_at, d.lost_attempts,
        d.may_have_arrived, d.reason, d.ended_at
    ), ended as (
      update execution_records r set
        outcome = g.state,
        reason = case when g.state = 'cancelled' then 'operation_cancelled'
          when g.state = 'failed' and g.next = 'scheduled' then 'gave_up'
          when g.state = 'delivered' and g.next <> 'delivered' then 'acknowledged' else g.reason end,
        finished_at = g.ended_at,
        ${kept('g')}
      from gone g where r.id = g.id
    ), going_on as (
      update queue e set
        state = d.state,
        attempts = d.attempts,
        lost_attempts = d.lost_attempts,
        may_have_arrived = d.may_have_arrived,
        due_at = case when d.state = 'scheduled' then now() + d.delay_ms * interval '1 millisecond' else e.due_at end,
        reconcile_until = case when d.state = 'unknown' then now() + d.reconcile_ms * interval '1 millisecond' end,
        probe_at = case when d.state = 'unknown' and d.probes then now() + interval '1 second' end,
        lease_token = null
      from decided d
      where ${lookedUp('e.delivery_id', 'd.delivery_id', `d.state not in ${ENDS}`)} and (select count(*) from held) >= 0
        and e.lease_token = d.token and e.state = 'sending'
        -- Acknowledged since this statement began, it does not go on: it is not in the answer, and is decided once more.
        and e.acknowledged_at is not distinct from d.acknowledged_at
      returning ${MOVED}, d.state
    ), moved as (
      select ${MOVED_COLUMNS}, state from gone
      union all
      select ${MOVED_COLUMNS}, state from going_on
    ), appended as (
      insert into attempts (execution_id, number, tenant_id, endpoint_version, started_at, duration_ms, outcome,
        fault_code, http_status, retry_after_ms, resend, response_excerpt)
      select id, attempts, tenant_id, endpoint_version, started_at, duration_ms, outcome, fault_code, http_status,
        retry_after_ms, had_arrived, excerpt
      from moved where next <> 'queued'
      on conflict do nothing
    ), counted as (
      insert into attempt_deltas (tenant_id, minute, endpoint_id, event_type, outcome, fault_code, attempts)
      select m.tenant_id, date_bin('1 minute', m.started_at, 'epoch'), m.endpoint_id, v.type, m.outcome,
        coalesce(m.fault_code, ''), count(*)
      from moved m join locked l on l.id = m.delivery_id
      cross join lateral (select x.type from events x where x.id = l.event_id limit 1) v
      where m.next <> 'queued' group by 1, 2, 3, 4, 5, 6
    ), folded as (
      -- Delivered once is delivered for ever; the result of a later replay stays on its execution.
      update deliveries x set
        attempts = x.attempts + case when m.attempted then 1 else 0 end,
        last_attempt_at = case when m.attempted then m.started_at else x.last_attempt_at end,
        original_version = coalesce(x.original_version, case when m.attempted then m.endpoint_version end),
        fault_code = case when m.attempted and x.state <> 'delivered' then m.fault_code else x.fault_code end,
        http_status = case when m.attempted and x.state <> 'delivered' then m.http_status else x.http_status end,
        state = case when x.state = 'delivered' then x.state else m.delivery_state end,
        state_changed_at = case when x.state in (m.delivery_state, 'delivered') then x.state_changed_at
          else clock_timestamp() end
      from (select *, next <> 'queued' as attempted,
        case state when 'scheduled' then 'pending' when 'cancelled' then 'failed' else state end as delivery_state from moved) m
      -- An item that was released unsent changes nothing, save where it was acknowledged meanwhile.
      where x.id = m.delivery_id and (m.attempted or m.state = 'delivered')
    )
    select id, operation_id, state, attempts from moved`,
    values: [
      outcomes.map((o) => o.executionId),
      outcomes.map((o) => o.deliveryId),
      outcomes.map((o) => o.token),
      outcomes.map((o) => o.next.state),
      outcomes.map((o) => ('reason' in o.next ? o.next.reason : null)),
      outcomes.map((o) => ('delayMs' in o.next ? o.next.delayMs : 0)),
      outcomes.map((o) => o.classification.outcome),
      outcomes.map((o) => o.classification.faultCode ?? null),
      outcomes.map((o) => o.classification.httpStatus ?? null),
      outcomes.map((o) => o.classification.retryAfterMs ?? null),
      outcomes.map((o) => o.endpointVersion),
      outcomes.map((o) => Math.round(o.durationMs)),
      outcomes.map((o) => (o.excerpt?.length ? Buffer.from(o.excerpt) : null)),
      outcomes.map((o) => o.reconcileWithinMs),
      outcomes.map((o) => o.next.state === 'unknown' && o.next.probes),
    ],
  });
  return rows.map((row) => ({
    executionId: row.id,
    ...(row.operation_id ? { operationId: row.operation_id } : {}),
    state: row.state,
    attempts: row.attempts,
  }));
}

/** Ends claims whose items are all recorded. */
export async function endClaims(db: Queryable, tokens: string[]): Promise<void> {
  await db.query({
    name: 'end-claims',
    text: 'delete from claims where token = any($1::uuid[])',
    values: [tokens],
  });
}
