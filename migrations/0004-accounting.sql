-- Why: the counts of an operation are true at every commit because the database itself moves them with each
-- change of an item, and refuses a change of state that the transition table does not name.

-- Mirrors EXECUTION_TRANSITIONS in src/domain/execution-state.ts; a test compares every pair.
create function execution_may_become(from_state text, to_state text) returns boolean
language sql immutable parallel safe return
  case from_state
    when 'queued' then to_state in ('sending', 'superseded', 'cancelled', 'ignored', 'failed', 'delivered')
    when 'scheduled' then to_state in ('sending', 'superseded', 'cancelled', 'ignored', 'failed', 'delivered')
    when 'sending' then to_state in ('delivered', 'failed', 'scheduled', 'unknown', 'queued', 'cancelled')
    when 'unknown' then to_state in ('delivered', 'failed', 'scheduled')
    when 'failed' then to_state = 'delivered'
    when 'cancelled' then to_state = 'delivered'
    else false
  end;

create function refuse_transition(from_state text, to_state text) returns bigint language plpgsql as $$
begin
  raise exception 'an execution may not go from % to %', from_state, to_state using errcode = 'RD001';
end $$;

create function account_updated_executions() returns trigger language plpgsql as $$
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
  ), delta as (
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
  )
  update operation_counts c set
    queued = c.queued + d.queued, scheduled = c.scheduled + d.scheduled, sending = c.sending + d.sending,
    unknown = c.unknown + d.unknown, delivered = c.delivered + d.delivered, failed = c.failed + d.failed,
    ignored = c.ignored + d.ignored, cancelled = c.cancelled + d.cancelled, superseded = c.superseded + d.superseded
  from delta d join locked l on l.operation_id = d.operation_id
  -- The last condition makes every plan check first, also one that finds no operation and would look no further.
  where c.operation_id = d.operation_id and (select count(*) from checked) >= 0;
  return null;
end $$;

create function account_inserted_executions() returns trigger language plpgsql as $$
begin
  update operation_counts c set
    expected = c.expected + d.items, queued = c.queued + d.queued, scheduled = c.scheduled + d.scheduled
  from (
    select operation_id, count(*) as items,
      count(*) filter (where state = 'queued') as queued,
      count(*) filter (where state = 'scheduled') as scheduled
    from new_rows where operation_id is not null group by 1
  ) d where c.operation_id = d.operation_id;
  return null;
end $$;

create function account_inserted_exclusions() returns trigger language plpgsql as $$
begin
  update operation_counts c set expected = c.expected + d.items, excluded = c.excluded + d.items
  from (select operation_id, count(*) as items from new_rows group by 1) d where c.operation_id = d.operation_id;
  return null;
end $$;

create function account_deleted_exclusions() returns trigger language plpgsql as $$
begin
  update operation_counts c set expected = c.expected - d.items, excluded = c.excluded - d.items
  from (select operation_id, count(*) as items from old_rows group by 1) d where c.operation_id = d.operation_id;
  return null;
end $$;

create trigger account_updates after update on executions
  referencing old table as old_rows new table as new_rows
  for each statement execute function account_updated_executions();
create trigger account_inserts after insert on executions
  referencing new table as new_rows
  for each statement execute function account_inserted_executions();
create trigger account_inserts after insert on exclusions
  referencing new table as new_rows
  for each statement execute function account_inserted_exclusions();
create trigger account_deletes after delete on exclusions
  referencing old table as old_rows
  for each statement execute function account_deleted_exclusions();

-- The state of a delivery, folded from its executions (the rule is in docs/concepts.md). Used by every change that
-- is rarer than an outcome; recording an outcome knows its execution to be the newest and needs no look around.
create function folded_state(of_delivery uuid) returns text language sql stable parallel safe as $$
  select case
    when exists (select from executions e where e.delivery_id = of_delivery and e.state = 'delivered') then 'delivered'
    else coalesce(
      (select case
          when e.state in ('queued', 'scheduled', 'sending') then 'pending'
          when e.state = 'cancelled' then 'failed'
          when e.state = 'superseded' then
            case when exists (select from executions o where o.delivery_id = of_delivery and o.open) then 'pending' else 'failed' end
          else e.state end
        from executions e where e.delivery_id = of_delivery and e.attempts > 0 order by e.id desc limit 1),
      (select case when e.open then 'pending' else e.state end
        from executions e where e.delivery_id = of_delivery and e.state <> 'superseded' order by e.id desc limit 1),
      'pending') end
$$;
