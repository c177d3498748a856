-- Why: the counts of an operation are true at every commit because the database itself moves them with each
-- change of an item, and refuses a change of state that the transition table does not name.

create table operation_counts (
  operation_id uuid primary key references operations,
  expected int not null default 0,
  queued int not null default 0 check (queued >= 0),
  scheduled int not null default 0 check (scheduled >= 0),
  sending int not null default 0 check (sending >= 0),
  unknown int not null default 0 check (unknown >= 0),
  delivered int not null default 0 check (delivered >= 0),
  failed int not null default 0 check (failed >= 0),
  ignored int not null default 0 check (ignored >= 0),
  cancelled int not null default 0 check (cancelled >= 0),
  superseded int not null default 0 check (superseded >= 0),
  excluded int not null default 0 check (excluded >= 0),
  -- Set at closing: what is settled later is an addendum and changes no count.
  frozen boolean not null default false,
  constraint the_one_equation check (
    expected = queued + sending + scheduled + delivered + failed + unknown + ignored + cancelled + superseded + excluded)
) with (fillfactor = 50);

-- Mirrors EXECUTION_TRANSITIONS in src/domain/sending/execution-state.ts; a test compares every pair.
create function execution_may_become(from_state text, to_state text) returns boolean
language sql immutable parallel safe return
  case from_state
    when 'queued' then to_state in ('sending', 'superseded', 'cancelled', 'ignored', 'failed', 'delivered')
    when 'scheduled' then to_state in ('sending', 'superseded', 'cancelled', 'ignored', 'failed', 'delivered')
    when 'sending' then to_state in ('delivered', 'failed', 'scheduled', 'unknown', 'queued', 'cancelled')
    when 'unknown' then to_state in ('delivered', 'failed', 'scheduled')
    when 'failed' then to_state = 'delivered'
    when 'cancelled' then to_state = 'delivered'
    when 'ignored' then to_state = 'delivered'
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

-- A repeat that is retried where filters run again is an item that has ended when it is made: it is counted as such.
create function account_inserted_executions() returns trigger language plpgsql as $$
begin
  update operation_counts c set
    expected = c.expected + d.items, queued = c.queued + d.queued, scheduled = c.scheduled + d.scheduled,
    ignored = c.ignored + d.ignored
  from (
    select operation_id, count(*) as items,
      count(*) filter (where state = 'queued') as queued,
      count(*) filter (where state = 'scheduled') as scheduled,
      count(*) filter (where state = 'ignored') as ignored
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

-- Mirrors OPERATION_TRANSITIONS in src/domain/operations/operation-state.ts; a test compares every pair.
create function operation_may_become(from_state text, to_state text) returns boolean
language sql immutable parallel safe return
  case from_state
    when 'planned' then to_state in ('awaiting_approval', 'accepted', 'cancelled')
    when 'awaiting_approval' then to_state in ('accepted', 'cancelled')
    when 'accepted' then to_state in
      ('selecting', 'running', 'paused', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'selecting' then to_state in ('running', 'paused', 'halted', 'closing')
    when 'running' then to_state in ('paused', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'paused' then to_state in
      ('selecting', 'running', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'halted' then to_state in ('selecting', 'running', 'closing', 'completed', 'completed_with_failures')
    when 'closing' then to_state in ('halted', 'cancelled')
    else false
  end;

create function check_operation_transition() returns trigger language plpgsql as $$
begin
  if not operation_may_become(old.state, new.state) then
    raise exception 'an operation may not go from % to %', old.state, new.state using errcode = 'RD003';
  end if;
  return new;
end $$;
create trigger check_transition before update on operations for each row
  when (old.state is distinct from new.state) execute function check_operation_transition();

-- The execution that runs in the place of one that was taken over, however often that happened; itself where it was not,
-- null where what took it over was cancelled before it was sent.
create function run_in_place_of(of_execution uuid) returns uuid language sql stable parallel safe as $$
  with recursive line as (
    select id, state from executions where id = of_execution
    union all
    select c.id, c.state from line l join executions c on c.parent_id = l.id and c.keeps_slot where l.state = 'superseded'
  )
  select id from line where state <> 'superseded' limit 1
$$;
