-- What changes while an operation is being closed. A change that had looked before the closing took the draft away, and
-- was committed after it, left a row of frozen_items behind for ever: the draft is now held until the change is
-- committed, or its end is waited for. The order of locks: executions, then the draft; the closing takes the operation,
-- then the draft, and no execution behind that.

-- As in 0004-accounting.sql, and for operations whose counts are frozen: keeps their items as they were, and notes what
-- is to be told in an addendum. An operation is known to be frozen by the lock that it did not get: by then a freeze
-- that this statement had to wait for counts as well, which the statement itself could not see.
create or replace function account_updated_executions() returns trigger language plpgsql as $$
declare
  frozen_ones uuid[];
begin
  with moved as materialized (
    select n.operation_id, o.state as from_state, n.state as to_state, count(*) as items
    from old_rows o join new_rows n on n.id = o.id
    where o.state <> n.state
    group by 1, 2, 3
  ), checked as materialized (
    select operation_id, from_state, to_state,
      case when execution_may_become(from_state, to_state) then items else refuse_transition(from_state, to_state) end as items
    from moved
  ), sides as (
    select operation_id, from_state as state, -items as items from checked
    union all
    select operation_id, to_state, items from checked
  ), delta as materialized (
    select operation_id,
      coalesce(sum(items) filter (where state = 'queued'), 0) as queued,
      coalesce(sum(items) filter (where state = 'scheduled'), 0) as scheduled,
      coalesce(sum(items) filter (where state = 'sending'), 0) as sending,
      coalesce(sum(items) filter (where state = 'unknown'), 0) as unknown,
      coalesce(sum(items) filter (where state = 'delivered'), 0) as delivered,
      coalesce(sum(items) filter (where state = 'failed'), 0) as failed,
      coalesce(sum(items) filter (where state = 'ignored'), 0) as ignored,
      coalesce(sum(items) filter (where state = 'cancelled'), 0) as cancelled,
      coalesce(sum(items) filter (where state = 'superseded'), 0) as superseded
    from sides group by operation_id
  ), locked as materialized (
    -- Several operations meet in one statement only in a take-over: lock them in one order everywhere.
    select c.operation_id from operation_counts c
    where c.operation_id in (select operation_id from delta where operation_id is not null) and not c.frozen
    order by c.operation_id for update
  ), counted as (
    update operation_counts c set
      queued = c.queued + d.queued, scheduled = c.scheduled + d.scheduled, sending = c.sending + d.sending,
      unknown = c.unknown + d.unknown, delivered = c.delivered + d.delivered, failed = c.failed + d.failed,
      ignored = c.ignored + d.ignored, cancelled = c.cancelled + d.cancelled, superseded = c.superseded + d.superseded
    from delta d join locked l on l.operation_id = d.operation_id
    where c.operation_id = d.operation_id
  )
  select array_agg(d.operation_id) into frozen_ones from delta d
  -- The last condition makes every plan check first, also one that finds no operation and would look no further.
  where d.operation_id is not null and d.operation_id not in (select operation_id from locked)
    and (select count(*) from checked) >= 0;
  if frozen_ones is null then return null; end if;
  perform from report_drafts d where d.operation_id = any(frozen_ones) order by d.operation_id for key share;

  insert into frozen_items (operation_id, execution_id, state, reason, attempts, due_at, may_have_arrived, finished_at)
  select o.operation_id, o.id, o.state, o.reason, o.attempts, o.due_at, o.may_have_arrived, o.finished_at
  from old_rows o join new_rows n on n.id = o.id
  where o.operation_id = any(frozen_ones) and o.state <> n.state
    and exists (select from report_drafts d where d.operation_id = o.operation_id)
  on conflict do nothing;

  insert into late_changes (operation_id, execution_id, delivery_id, from_state, to_state)
  select o.operation_id, o.id, o.delivery_id, o.state, n.state
  from old_rows o join new_rows n on n.id = o.id
  where o.operation_id = any(frozen_ones) and o.state <> n.state
    and (exists (select from report_drafts d where d.operation_id = o.operation_id)
      or exists (select from closure_reports r where r.operation_id = o.operation_id))
  order by o.operation_id, o.id
  on conflict (operation_id, execution_id) do update set to_state = excluded.to_state, at = excluded.at;
  return null;
end $$;

delete from frozen_items f where not exists (select from report_drafts d where d.operation_id = f.operation_id);
