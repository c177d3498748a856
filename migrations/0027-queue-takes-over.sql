-- Why: what `executions` kept in ten indexes is kept by execution_records and queue from here on, which have been made beside
-- it. One short transaction: behind it `executions` is a view of the two, which reads like the table did. The version before
-- finishes there what it has claimed, and is refused what it begins as by a server that may only be read, which it takes for
-- one that is away: until its last process has been replaced, nothing that it tries halts an operation or is lost.
--
-- Needs: 0025-queue-beside.sql
-- Behind: copy_executions

-- Keeps vacuum away and nobody else: it could not be waited for below, where everybody waits. One that works by itself gives
-- way after a second.
set local lock_timeout = '10s';
lock table execution_records, queue, executions in share update exclusive mode;

-- By one snapshot, before anybody has to wait. It stays true for however long the lock below is waited for: whoever changes
-- the table meanwhile changes its copy by the triggers, in the same transaction.
do $$
begin
  if exists (select from execution_copy where upto is not null and complete_at is null) then
    raise exception 'not all executions have been copied' using errcode = 'RD013';
  end if;
  if exists (
    select from (
      select x.*, (select r.target_version from execution_records r where r.id = x.id) as kept_version
      from executions x where x.open) e
    full join queue q on q.execution_id = e.id
    where (q.state, q.lease_token, q.worked_by, q.attempts, q.due_at, q.target_version, e.kept_version)
      is distinct from (e.state, e.lease_token, e.worked_by, e.attempts, e.due_at, e.target_version, e.target_version)
  ) then
    raise exception 'the queue is not what executions says' using errcode = 'RD013';
  end if;
end $$;

-- Waits for the transactions that have looked at it, and keeps new ones waiting from here to the end of this one: not for
-- long, and later once more. Each try is a transaction within this one, which takes its request back and lets everybody
-- pass, and keeps what has been checked.
set local lock_timeout = '400ms';
do $$
begin
  for n in 1 .. 60 loop
    begin
      lock table executions in access exclusive mode;
      return;
    exception when lock_not_available then
      perform pg_sleep(0.5);
    end;
  end loop;
  raise exception 'the table executions is in use' using errcode = '55P03';
end $$;
drop function gives_up_at(executions);
drop table executions;
drop table execution_copy;
drop function account_updated_executions, account_inserted_executions, note_operation_endpoints, copy_executions,
  copy_new_executions, copy_changed_executions, copy_deliveries, refuse_copy;

-- Each execution as it is now. Read only: an update through a view does not look at its conditions once more when it had to
-- wait for a row. What reads many rows of one kind, or locks them, reads the table.
create view executions as
-- Not the table itself, which could not be named for locking behind a left join: the version before locks what it reads here.
with q as (select * from queue)
select r.id, r.tenant_id, r.delivery_id, r.endpoint_id, r.operation_id, r.parent_id, q.worked_by,
  coalesce(q.state, r.outcome) as state,
  r.outcome is null as open,
  q.in_queue,
  -- One cancelled before its first attempt gives its parent's child slot back.
  r.outcome is distinct from 'cancelled' or r.attempts > 0 as keeps_slot,
  coalesce(r.outcome <> 'delivered', false) as undelivered,
  r.reason, r.target_version, r.match_filter, coalesce(q.due_at, r.due_at) as due_at, q.put_off_from,
  coalesce(q.give_up_at, r.give_up_at) as give_up_at, q.reconcile_until, coalesce(q.attempts, r.attempts) as attempts,
  coalesce(q.lost_attempts, r.lost_attempts) as lost_attempts,
  coalesce(q.may_have_arrived, r.may_have_arrived) as may_have_arrived, r.on_ambiguous, q.probe_at, q.probes,
  coalesce(q.acknowledged_at, r.acknowledged_at) as acknowledged_at, q.lease_token, r.created_at, r.finished_at,
  coalesce(q.put_off_ms, r.put_off_ms) as put_off_ms, r.generation
from execution_records r left join q on q.delivery_id = r.delivery_id and q.execution_id = r.id;

-- For the version before alone, until none of its processes is left. It begins nothing any more, and finishes what it has
-- claimed and what is told to it: each change of a row that is still as the statement saw it. Another is a conflict, which
-- that version runs again: an update through a view does not look at its conditions once more when it had to wait.
create function write_like_before() returns trigger language plpgsql as $$
begin
  if tg_op <> 'UPDATE' or (new.state = 'sending' and old.state <> 'sending') then
    raise exception 'nothing new begins here: this process is of a version that is being replaced' using errcode = '25006';
  end if;
  if not old.open then
    update execution_records r set outcome = new.state, reason = new.reason, finished_at = new.finished_at,
      attempts = new.attempts, lost_attempts = new.lost_attempts, may_have_arrived = new.may_have_arrived,
      acknowledged_at = new.acknowledged_at
    where r.id = old.id and (r.outcome, r.attempts, r.may_have_arrived, r.acknowledged_at)
      is not distinct from (old.state, old.attempts, old.may_have_arrived, old.acknowledged_at);
  elsif new.state in ('queued', 'scheduled', 'sending', 'unknown') then
    update queue q set worked_by = new.worked_by, state = new.state, due_at = new.due_at, put_off_from = new.put_off_from,
      give_up_at = new.give_up_at, put_off_ms = new.put_off_ms, reconcile_until = new.reconcile_until,
      attempts = new.attempts, lost_attempts = new.lost_attempts, may_have_arrived = new.may_have_arrived,
      probe_at = new.probe_at, probes = new.probes, acknowledged_at = new.acknowledged_at, lease_token = new.lease_token,
      target_version = new.target_version
    where q.delivery_id = old.delivery_id and q.execution_id = old.id
      and (q.state, q.lease_token, q.worked_by, q.due_at, q.give_up_at, q.attempts, q.probes, q.acknowledged_at)
        is not distinct from
        (old.state, old.lease_token, old.worked_by, old.due_at, old.give_up_at, old.attempts, old.probes, old.acknowledged_at);
    -- Finds its record wherever it is asked for.
    if found and new.target_version is distinct from old.target_version then
      update execution_records r set target_version = new.target_version where r.id = old.id;
    end if;
  else
    with gone as (
      delete from queue q where q.delivery_id = old.delivery_id and q.execution_id = old.id
        and (q.state, q.lease_token, q.attempts, q.acknowledged_at)
          is not distinct from (old.state, old.lease_token, old.attempts, old.acknowledged_at)
      returning q.execution_id
    )
    update execution_records r set outcome = new.state, reason = new.reason, finished_at = new.finished_at,
      attempts = new.attempts, lost_attempts = new.lost_attempts, may_have_arrived = new.may_have_arrived,
      due_at = new.due_at, give_up_at = new.give_up_at, put_off_ms = new.put_off_ms, acknowledged_at = new.acknowledged_at
    from gone where r.id = gone.execution_id;
  end if;
  if not found then raise exception 'an execution has been changed meanwhile' using errcode = '40001'; end if;
  return new;
end $$;
create trigger write_like_before instead of insert or update or delete on executions
  for each row execute function write_like_before();
create function gives_up_at(x executions) returns timestamptz language sql stable parallel safe as $$
  select coalesce((
    select runs_out_at(freeze_times(x.tenant_id, x.endpoint_id), b.began_at,
      extract(epoch from x.give_up_at - b.began_at)::float8 * 1000 - coalesce(x.put_off_ms, 0))
    from operations o cross join lateral (select greatest(x.created_at, o.not_before) as began_at) b
    where o.id = x.operation_id and not o.single and o.report is null
      and (select s.from_at from freeze_spans s where s.tenant_id = x.tenant_id
        order by s.endpoint_id, s.from_at limit 1) is not null
  ), x.give_up_at)
$$;

-- The accounts. An execution is counted in where its row of the queue is made, or its record where that has its outcome at
-- once; it is moved with the state of its row in the queue, once more when that row goes, to the outcome which the same
-- statement has written, and where an outcome changes. A plan of a trigger is made for as many rows as it met first, perhaps
-- none, and kept: so rows are looked up by their keys, and many of them are neither sorted nor joined to what they were.

-- Moves the counts of operations: by so many, up or down, in so many states. Answers the operations among them whose counts
-- are frozen. Known by the lock that was not got: by then a freeze that had to be waited for counts as well, which the
-- statement itself could not see.
create function move_counts(of_operations uuid[], in_states text[], numbers bigint[]) returns uuid[] language plpgsql as $$
declare
  frozen_ones uuid[];
begin
  if array_length(array_remove(of_operations, null), 1) is null then return null; end if;
  with delta as materialized (
    select m.operation_id,
      coalesce(sum(m.items) filter (where m.state = 'queued'), 0) as queued,
      coalesce(sum(m.items) filter (where m.state = 'scheduled'), 0) as scheduled,
      coalesce(sum(m.items) filter (where m.state = 'sending'), 0) as sending,
      coalesce(sum(m.items) filter (where m.state = 'unknown'), 0) as unknown,
      coalesce(sum(m.items) filter (where m.state = 'delivered'), 0) as delivered,
      coalesce(sum(m.items) filter (where m.state = 'failed'), 0) as failed,
      coalesce(sum(m.items) filter (where m.state = 'ignored'), 0) as ignored,
      coalesce(sum(m.items) filter (where m.state = 'cancelled'), 0) as cancelled,
      coalesce(sum(m.items) filter (where m.state = 'superseded'), 0) as superseded
    from unnest(of_operations, in_states, numbers) as m(operation_id, state, items)
    where m.operation_id is not null group by 1
  ), locked as materialized (
    -- Several operations meet in one statement only in a take-over: lock them in one order everywhere.
    select c.operation_id from operation_counts c
    where c.operation_id in (select operation_id from delta) and not c.frozen
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
  where d.operation_id not in (select operation_id from locked);
  if frozen_ones is not null then
    perform from report_drafts d where d.operation_id = any(frozen_ones) order by d.operation_id for key share;
  end if;
  return frozen_ones;
end $$;

-- Keeps items of operations whose counts are frozen as they were, and notes what is to be told in an addendum.
create function note_late_changes(changes jsonb) returns void language plpgsql as $$
begin
  insert into frozen_items (operation_id, execution_id, state, reason, attempts, due_at, may_have_arrived, finished_at)
  select c.operation_id, c.execution_id, c.from_state, c.reason, c.attempts, c.due_at, c.may_have_arrived, c.finished_at
  from jsonb_to_recordset(changes) as c(operation_id uuid, execution_id uuid, from_state text, reason text, attempts int,
    due_at timestamptz, may_have_arrived boolean, finished_at timestamptz)
  where exists (select from report_drafts d where d.operation_id = c.operation_id)
  on conflict do nothing;

  insert into late_changes (operation_id, execution_id, delivery_id, from_state, to_state)
  select c.operation_id, c.execution_id, c.delivery_id, c.from_state, c.to_state
  from jsonb_to_recordset(changes) as c(operation_id uuid, execution_id uuid, delivery_id uuid, from_state text, to_state text)
  where exists (select from report_drafts d where d.operation_id = c.operation_id)
    or exists (select from closure_reports r where r.operation_id = c.operation_id)
  order by c.operation_id, c.execution_id
  on conflict (operation_id, execution_id) do update set to_state = excluded.to_state, at = excluded.at;
end $$;

create function refuse_queue(why text) returns void language plpgsql as $$
begin
  raise exception 'the queue and the records disagree: %', why using errcode = 'RD013';
end $$;

-- Counts items in, and notes their endpoints: behind the counts, whose lock of the operation's row comes first.
create function count_items_in(of_operations uuid[], at_endpoints uuid[], in_states text[], numbers bigint[]) returns void
language plpgsql as $$
begin
  if array_length(array_remove(of_operations, null), 1) is null then return; end if;
  update operation_counts c set
    expected = c.expected + d.items, queued = c.queued + d.queued, scheduled = c.scheduled + d.scheduled,
    sending = c.sending + d.sending, unknown = c.unknown + d.unknown, delivered = c.delivered + d.delivered,
    failed = c.failed + d.failed, ignored = c.ignored + d.ignored, cancelled = c.cancelled + d.cancelled,
    superseded = c.superseded + d.superseded
  from (
    select m.operation_id, sum(m.items) as items,
      coalesce(sum(m.items) filter (where m.state = 'queued'), 0) as queued,
      coalesce(sum(m.items) filter (where m.state = 'scheduled'), 0) as scheduled,
      coalesce(sum(m.items) filter (where m.state = 'sending'), 0) as sending,
      coalesce(sum(m.items) filter (where m.state = 'unknown'), 0) as unknown,
      coalesce(sum(m.items) filter (where m.state = 'delivered'), 0) as delivered,
      coalesce(sum(m.items) filter (where m.state = 'failed'), 0) as failed,
      coalesce(sum(m.items) filter (where m.state = 'ignored'), 0) as ignored,
      coalesce(sum(m.items) filter (where m.state = 'cancelled'), 0) as cancelled,
      coalesce(sum(m.items) filter (where m.state = 'superseded'), 0) as superseded
    from unnest(of_operations, in_states, numbers) as m(operation_id, state, items) where m.operation_id is not null group by 1
  ) d where c.operation_id = d.operation_id;
  insert into operation_endpoints (endpoint_id, operation_id)
  select distinct m.endpoint_id, m.operation_id from unnest(at_endpoints, of_operations) as m(endpoint_id, operation_id)
  where m.operation_id is not null order by 1, 2
  on conflict do nothing;
end $$;

create function account_queue_inserts() returns trigger language plpgsql set enable_sort = off as $$
declare
  of_operations uuid[];
  at_endpoints uuid[];
  in_states text[];
  numbers bigint[];
  sound boolean;
begin
  select array_agg(m.operation_id), array_agg(m.endpoint_id), array_agg(m.state), array_agg(m.items), bool_and(m.sound)
  into of_operations, at_endpoints, in_states, numbers, sound from (
    select n.operation_id, n.endpoint_id, n.state, count(*) as items, bool_and(coalesce(r.open, false)) as sound
    from new_rows n left join lateral (
      -- With a limit: one look-up each, whatever the planner thinks of the size of the tables.
      select x.outcome is null as open from execution_records x where x.id = n.execution_id limit 1) r on true
    group by 1, 2, 3
  ) m;
  if not sound then perform refuse_queue('an execution that has ended, or is not there, was queued'); end if;
  perform count_items_in(of_operations, at_endpoints, in_states, numbers);
  if exists (select from listed_tenants) then
    perform list_executions(array_agg(n.execution_id)) from new_rows n where n.tenant_id in (select t.tenant_id from listed_tenants t);
  end if;
  return null;
end $$;

-- For those changes within the queue that are not the usual ones, which the trigger lets pass.
create function check_queue_transition() returns trigger language plpgsql as $$
begin
  if execution_may_become(old.state, new.state) is not true then
    perform refuse_transition(old.state, new.state);
  end if;
  return null;
end $$;

create function account_queue_updates() returns trigger language plpgsql set enable_sort = off as $$
declare
  of_operations uuid[];
  in_states text[];
  numbers bigint[];
  frozen_ones uuid[];
begin
  -- No statement moves some there and others back, so that something moves wherever a state changes.
  select array_agg(m.operation_id), array_agg(m.state), array_agg(m.items) into of_operations, in_states, numbers from (
    select s.operation_id, s.state, sum(s.items) as items from (
      select o.operation_id, o.state, -1 as items from old_rows o
      union all
      select n.operation_id, n.state, 1 from new_rows n
    ) s group by 1, 2 having sum(s.items) <> 0
  ) m;
  if numbers is null then return null; end if;
  frozen_ones := move_counts(of_operations, in_states, numbers);
  if frozen_ones is null then return null; end if;
  perform note_late_changes(jsonb_agg(to_jsonb(l))) from (
    select o.operation_id, o.execution_id, o.delivery_id, o.state as from_state, n.state as to_state, o.attempts, o.due_at,
      o.may_have_arrived
    from old_rows o join new_rows n on n.delivery_id = o.delivery_id
    where o.operation_id = any(frozen_ones) and o.state <> n.state
  ) l;
  return null;
end $$;

create function account_queue_deletes() returns trigger language plpgsql set enable_sort = off as $$
declare
  of_operations uuid[];
  out_of text[];
  into_states text[];
  numbers bigint[];
  frozen_ones uuid[];
begin
  select array_agg(m.operation_id), array_agg(m.from_state), array_agg(m.to_state), array_agg(m.items)
  into of_operations, out_of, into_states, numbers from (
    select o.operation_id, o.state as from_state, r.outcome as to_state, count(*) as items
    from old_rows o left join lateral (
      select x.outcome from execution_records x where x.id = o.execution_id limit 1) r on true
    group by 1, 2, 3
  ) m;
  if numbers is null then return null; end if;
  if array_position(into_states, null) is not null then
    perform refuse_queue('an execution left the queue without an outcome');
  end if;
  for i in 1 .. array_length(numbers, 1) loop
    if not execution_may_become(out_of[i], into_states[i]) then perform refuse_transition(out_of[i], into_states[i]); end if;
  end loop;
  if exists (select from listed_tenants) then
    perform list_executions(array_agg(o.execution_id)) from old_rows o where o.tenant_id in (select t.tenant_id from listed_tenants t);
  end if;
  frozen_ones := move_counts(of_operations || of_operations, out_of || into_states,
    array(select -u.items from unnest(numbers) with ordinality as u(items, n) order by u.n) || numbers);
  if frozen_ones is null then return null; end if;
  perform note_late_changes(jsonb_agg(to_jsonb(l))) from (
    select o.operation_id, o.execution_id, o.delivery_id, o.state as from_state, r.outcome as to_state, o.attempts, o.due_at,
      o.may_have_arrived
    from old_rows o join execution_records r on r.id = o.execution_id where o.operation_id = any(frozen_ones)
  ) l;
  return null;
end $$;

-- One that is inserted without an outcome is counted where it is queued.
create function account_record_inserts() returns trigger language plpgsql set enable_sort = off as $$
declare
  of_operations uuid[];
  at_endpoints uuid[];
  in_states text[];
  numbers bigint[];
begin
  select array_agg(m.operation_id), array_agg(m.endpoint_id), array_agg(m.outcome), array_agg(m.items)
  into of_operations, at_endpoints, in_states, numbers from (
    select n.operation_id, n.endpoint_id, n.outcome, count(*) as items from new_rows n
    where n.outcome is not null group by 1, 2, 3
  ) m;
  if numbers is null then return null; end if;
  perform count_items_in(of_operations, at_endpoints, in_states, numbers);
  if exists (select from listed_tenants) then
    perform list_executions(array_agg(n.id)) from new_rows n
    where n.outcome is not null and n.tenant_id in (select t.tenant_id from listed_tenants t);
  end if;
  return null;
end $$;

-- What had ended is settled after all, which is rare: a row at a time costs the ends themselves nothing. It keeps the time of
-- its end; one that ends in the queue gets another, and would be counted twice.
create function account_changed_outcome() returns trigger language plpgsql as $$
declare
  frozen_ones uuid[];
begin
  if new.finished_at is distinct from old.finished_at then
    perform refuse_queue('an execution that was in the queue had an outcome');
  end if;
  if execution_may_become(old.outcome, new.outcome) is not true then
    perform refuse_transition(old.outcome, new.outcome);
  end if;
  if exists (select from listed_tenants t where t.tenant_id = new.tenant_id) then
    perform list_executions(array[new.id]);
  end if;
  frozen_ones := move_counts(array[new.operation_id, new.operation_id], array[old.outcome, new.outcome], array[-1, 1]);
  if frozen_ones is null then return null; end if;
  perform note_late_changes(jsonb_build_array(jsonb_build_object(
    'operation_id', old.operation_id, 'execution_id', old.id, 'delivery_id', old.delivery_id, 'from_state', old.outcome,
    'to_state', new.outcome, 'reason', old.reason, 'attempts', old.attempts, 'due_at', old.due_at,
    'may_have_arrived', old.may_have_arrived, 'finished_at', old.finished_at)));
  return null;
end $$;

create trigger account_inserts after insert on queue
  referencing new table as new_rows for each statement execute function account_queue_inserts();
create trigger account_updates after update on queue
  referencing old table as old_rows new table as new_rows for each statement execute function account_queue_updates();
create trigger account_deletes after delete on queue
  referencing old table as old_rows for each statement execute function account_queue_deletes();
-- The usual changes are passed here, without a call: a claim, and whatever a sender may say of what it does not end.
create trigger check_transition after update on queue for each row
  when (old.state <> new.state and old.state <> 'sending' and (new.state <> 'sending' or old.state = 'unknown'))
  execute function check_queue_transition();
create trigger account_inserts after insert on execution_records
  referencing new table as new_rows for each statement execute function account_record_inserts();
create trigger account_changes after update on execution_records for each row
  when (old.outcome is not null and new.outcome is distinct from old.outcome) execute function account_changed_outcome();

-- The state of a delivery, folded from its executions (the rule is in docs/concepts.md). Used by every change that
-- is rarer than an outcome; recording an outcome knows its execution to be the newest and needs no look around.
create or replace function folded_state(of_delivery uuid) returns text language sql stable parallel safe as $$
  select case
    when exists (select from execution_records e where e.delivery_id = of_delivery and e.outcome = 'delivered') then 'delivered'
    else coalesce(
      (select case
          when e.state in ('queued', 'scheduled', 'sending') then 'pending'
          when e.state = 'cancelled' then 'failed'
          when e.state = 'superseded' then
            case when exists (select from queue o where o.delivery_id = of_delivery) then 'pending' else 'failed' end
          else e.state end
        from executions e where e.delivery_id = of_delivery and e.attempts > 0 order by e.generation desc limit 1),
      (select coalesce(e.outcome, 'pending') from execution_records e
        where e.delivery_id = of_delivery and e.outcome is distinct from 'superseded' order by e.generation desc limit 1),
      'pending') end
$$;

-- The execution that runs in the place of one that was taken over, however often that happened; itself where it was not,
-- null where what took it over was cancelled before it was sent.
create or replace function run_in_place_of(of_execution uuid) returns uuid language sql stable parallel safe as $$
  with recursive line as (
    select id, delivery_id, outcome from execution_records where id = of_execution
    union all
    select c.id, c.delivery_id, c.outcome from line l
    join execution_records c on c.delivery_id = l.delivery_id and c.parent_id = l.id
      and (c.outcome is distinct from 'cancelled' or c.attempts > 0)
    where l.outcome = 'superseded'
  )
  select id from line where outcome is distinct from 'superseded' limit 1
$$;

-- As in 0005-sending.sql: the first delivery that keeps this one waiting.
create or replace function blocked_by(of_delivery uuid) returns uuid language sql stable parallel safe as $$
  select b.delivery_id from deliveries d
  join endpoints n on n.id = d.endpoint_id and n.ordered
  join endpoint_versions v on v.endpoint_id = n.id and v.version = n.current_version
  join undelivered b on b.endpoint_id = d.endpoint_id and b.order_key = d.order_key and b.order_number < d.order_number
    and b.order_key is not null
  where d.id = of_delivery and (
    b.state in ('pending', 'unknown')
    or (b.state = 'failed' and (
      (v.on_exhausted = 'block' and (select r.resent_by from deliveries r where r.id = b.delivery_id) is null)
      or exists (select from queue q where q.delivery_id = b.delivery_id))))
  order by b.order_number limit 1
$$;

-- When an unsent execution is given up: later than it says where windows held it, and nobody has written that down yet.
create function gives_up_at(x queue) returns timestamptz language sql stable parallel safe as $$
  select coalesce((
    select runs_out_at(freeze_times(x.tenant_id, x.endpoint_id), b.began_at,
      extract(epoch from x.give_up_at - b.began_at)::float8 * 1000 - coalesce(x.put_off_ms, 0))
    from operations o cross join lateral (
      select greatest((select r.created_at from execution_records r where r.id = x.execution_id), o.not_before) as began_at) b
    where o.id = x.operation_id and not o.single and o.report is null
      and (select s.from_at from freeze_spans s where s.tenant_id = x.tenant_id
        order by s.endpoint_id, s.from_at limit 1) is not null
  ), x.give_up_at)
$$;

-- When all that an operation has left to send rests: at the first twenty of its endpoints, which is no less.
create or replace function freeze_times_of(of_operation uuid) returns tstzmultirange language sql stable parallel safe as $$
  with recursive hop as (
    (select endpoint_id, 1 as n from queue where in_queue and worked_by = of_operation order by endpoint_id limit 1)
    union all
    select (select q.endpoint_id from queue q
      where q.in_queue and q.worked_by = of_operation and q.endpoint_id > hop.endpoint_id order by q.endpoint_id limit 1), n + 1
    from hop where hop.endpoint_id is not null and n < 20
  )
  select coalesce(range_intersect_agg(freeze_times(n.tenant_id, n.id)), '{}')
  from hop join endpoints n on n.id = hop.endpoint_id
$$;
