-- Made by `node scripts/schema.mjs` from the migrations: do not edit.

-- Functions

CREATE OR REPLACE FUNCTION public.account_changed_outcome()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.account_deleted_exclusions()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update operation_counts c set expected = c.expected - d.items, excluded = c.excluded - d.items
  from (select operation_id, count(*) as items from old_rows group by 1) d
  where c.operation_id = d.operation_id and not c.frozen;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.account_inserted_exclusions()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update operation_counts c set expected = c.expected + d.items, excluded = c.excluded + d.items
  from (select operation_id, count(*) as items from new_rows group by 1) d where c.operation_id = d.operation_id;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.account_queue_deletes()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_sort TO 'off'
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.account_queue_inserts()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_sort TO 'off'
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.account_queue_updates()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_sort TO 'off'
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.account_record_inserts()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_sort TO 'off'
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.blocked_by(of_delivery uuid)
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.check_operation_transition()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not operation_may_become(old.state, new.state) then
    raise exception 'an operation may not go from % to %', old.state, new.state using errcode = 'RD003';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.check_outage_transition()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not outage_may_become(old.state, new.state) then
    raise exception 'an outage may not go from % to %', old.state, new.state using errcode = 'RD012';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.check_queue_transition()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if execution_may_become(old.state, new.state) is not true then
    perform refuse_transition(old.state, new.state);
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.count_items_in(of_operations uuid[], at_endpoints uuid[], in_states text[], numbers bigint[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.execution_may_become(from_state text, to_state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE from_state WHEN 'queued'::text THEN (to_state = ANY (ARRAY['sending'::text, 'superseded'::text, 'cancelled'::text, 'ignored'::text, 'failed'::text, 'delivered'::text])) WHEN 'scheduled'::text THEN (to_state = ANY (ARRAY['sending'::text, 'superseded'::text, 'cancelled'::text, 'ignored'::text, 'failed'::text, 'delivered'::text])) WHEN 'sending'::text THEN (to_state = ANY (ARRAY['delivered'::text, 'failed'::text, 'scheduled'::text, 'unknown'::text, 'queued'::text, 'cancelled'::text])) WHEN 'unknown'::text THEN (to_state = ANY (ARRAY['delivered'::text, 'failed'::text, 'scheduled'::text])) WHEN 'failed'::text THEN (to_state = 'delivered'::text) WHEN 'cancelled'::text THEN (to_state = 'delivered'::text) WHEN 'ignored'::text THEN (to_state = 'delivered'::text) ELSE false END;

CREATE OR REPLACE FUNCTION public.fenced_version(the_endpoint uuid, the_event uuid)
 RETURNS integer
 LANGUAGE sql
 STABLE
AS $function$
  select f.version from endpoint_fences f
  where f.endpoint_id = the_endpoint and f.accepted_before > first_accepted_at(the_event)
  order by f.accepted_before limit 1
$function$;

CREATE OR REPLACE FUNCTION public.first_accepted_at(the_event uuid)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$
  with recursive told as (
    select least(v.accepted_at, (select o.first_accepted_at from event_origins o where o.event_id = v.id)) as at, v.replay_of
    from events v where v.id = the_event
    union all
    select least(o.accepted_at, (select x.first_accepted_at from event_origins x where x.event_id = o.id)), o.replay_of
    from told t join events o on o.id = t.replay_of
  )
  select min(at) from told
$function$;

CREATE OR REPLACE FUNCTION public.folded_state(of_delivery uuid)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.freeze_times(of_tenant uuid, of_endpoint uuid)
 RETURNS tstzmultirange
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select coalesce(range_agg(tstzrange(s.from_at, s.to_at)), '{}') from freeze_spans s
  where s.tenant_id = of_tenant and (s.endpoint_id is null or s.endpoint_id = of_endpoint)
$function$;

CREATE OR REPLACE FUNCTION public.freeze_times_of(of_operation uuid)
 RETURNS tstzmultirange
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  with recursive hop as (
    (select endpoint_id, 1 as n from queue where in_queue and worked_by = of_operation order by endpoint_id limit 1)
    union all
    select (select q.endpoint_id from queue q
      where q.in_queue and q.worked_by = of_operation and q.endpoint_id > hop.endpoint_id order by q.endpoint_id limit 1), n + 1
    from hop where hop.endpoint_id is not null and n < 20
  )
  select coalesce(range_intersect_agg(freeze_times(n.tenant_id, n.id)), '{}')
  from hop join endpoints n on n.id = hop.endpoint_id
$function$;

CREATE OR REPLACE FUNCTION public.gives_up_at(x executions)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select coalesce((
    select runs_out_at(freeze_times(x.tenant_id, x.endpoint_id), b.began_at,
      extract(epoch from x.give_up_at - b.began_at)::float8 * 1000 - coalesce(x.put_off_ms, 0))
    from operations o cross join lateral (select greatest(x.created_at, o.not_before) as began_at) b
    where o.id = x.operation_id and not o.single and o.report is null
      and (select s.from_at from freeze_spans s where s.tenant_id = x.tenant_id
        order by s.endpoint_id, s.from_at limit 1) is not null
  ), x.give_up_at)
$function$;

CREATE OR REPLACE FUNCTION public.gives_up_at(x queue)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select coalesce((
    select runs_out_at(freeze_times(x.tenant_id, x.endpoint_id), b.began_at,
      extract(epoch from x.give_up_at - b.began_at)::float8 * 1000 - coalesce(x.put_off_ms, 0))
    from operations o cross join lateral (
      select greatest((select r.created_at from execution_records r where r.id = x.execution_id), o.not_before) as began_at) b
    where o.id = x.operation_id and not o.single and o.report is null
      and (select s.from_at from freeze_spans s where s.tenant_id = x.tenant_id
        order by s.endpoint_id, s.from_at limit 1) is not null
  ), x.give_up_at)
$function$;

CREATE OR REPLACE FUNCTION public.keep_audit_checkpoint()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'UPDATE' and (new.tenant_id, new.number, new.hash, new.at)
    is not distinct from (old.tenant_id, old.number, old.hash, old.at)
    and (old.jws is null or (new.jws, new.signing_key_id) is not distinct from (old.jws, old.signing_key_id))
  then return new;
  end if;
  raise exception 'audit checkpoints do not change' using errcode = 'RD004';
end $function$;

CREATE OR REPLACE FUNCTION public.keep_audit_entry()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'UPDATE' and to_jsonb(new) - '{number,prev,hash,words,salt}'::text[]
      = to_jsonb(old) - '{number,prev,hash,words,salt}'::text[]
    and ((new.number, new.prev, new.hash) is not distinct from (old.number, old.prev, old.hash)
      or (old.number is null and new.number is not null))
    and ((new.words, new.salt) is not distinct from (old.words, old.salt) or (new.words is null and new.salt is null))
  then return new;
  end if;
  raise exception 'audit entries do not change' using errcode = 'RD004';
end $function$;

CREATE OR REPLACE FUNCTION public.keep_audit_head()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'UPDATE' and new.tenant_id = old.tenant_id and new.number >= old.number
    and (new.number > old.number or new.hash = old.hash)
  then return new;
  end if;
  raise exception 'the head of an audit chain does not go back' using errcode = 'RD004';
end $function$;

CREATE OR REPLACE FUNCTION public.keep_frozen_diagnostics()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if old.state = 'frozen' and (tg_op <> 'DELETE' or exists (select from events v where v.id = old.receipt_id)
    or exists (select from rejections r where r.id = old.receipt_id))
  then
    raise exception 'frozen diagnostics do not change' using errcode = 'RD002';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end $function$;

CREATE OR REPLACE FUNCTION public.keep_hold()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (new.plan_hash, new.policy_digest, new.because, new.approvers)
      is distinct from (old.plan_hash, old.policy_digest, old.because, old.approvers)
    or (new.ended_for = 'approved' and old.ended_for is null and (new.needs_reason or new.needs_ticket
      or (select count(*) from operation_verdicts v where v.operation_id = new.operation_id and v.hold = new.number
        and v.verdict = 'approve') < new.approvers))
    or (new.ended_for = 'explained' and (new.needs_reason or new.needs_ticket))
    or (old.ended_for is not null and (old.ended_for, new.ended_for) is distinct from ('approved', 'void')
      and new.ended_for is distinct from old.ended_for)
  then
    raise exception 'a hold does not end without what it asked for' using errcode = 'RD010';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.list_executions(ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  insert into listed_executions as l (execution_id, tenant_id, finished_at, undelivered)
  select r.id, r.tenant_id, r.finished_at, coalesce(r.outcome <> 'delivered', false)
  from unnest(ids) as u(id) cross join lateral (select x.* from execution_records x where x.id = u.id limit 1) r
  order by r.id
  on conflict (execution_id) do update set finished_at = excluded.finished_at, undelivered = excluded.undelivered;
end $function$;

CREATE OR REPLACE FUNCTION public.make_bridge_luid()
 RETURNS text
 LANGUAGE sql
AS $function$
  select '$brg.' || translate(left(encode(uuid_send(gen_random_uuid()), 'base64'), 17), '+/', '-_')
$function$;

CREATE OR REPLACE FUNCTION public.move_counts(of_operations uuid[], in_states text[], numbers bigint[])
 RETURNS uuid[]
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.note_late_changes(changes jsonb)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.operation_may_become(from_state text, to_state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE from_state WHEN 'planned'::text THEN (to_state = ANY (ARRAY['awaiting_approval'::text, 'accepted'::text, 'halted'::text, 'closing'::text, 'cancelled'::text])) WHEN 'awaiting_approval'::text THEN (to_state = ANY (ARRAY['accepted'::text, 'halted'::text, 'closing'::text, 'completed'::text, 'completed_with_failures'::text, 'cancelled'::text])) WHEN 'accepted'::text THEN (to_state = ANY (ARRAY['planned'::text, 'selecting'::text, 'running'::text, 'paused'::text, 'halted'::text, 'closing'::text, 'completed'::text, 'completed_with_failures'::text])) WHEN 'selecting'::text THEN (to_state = ANY (ARRAY['planned'::text, 'running'::text, 'paused'::text, 'halted'::text, 'closing'::text])) WHEN 'running'::text THEN (to_state = ANY (ARRAY['paused'::text, 'halted'::text, 'closing'::text, 'completed'::text, 'completed_with_failures'::text])) WHEN 'paused'::text THEN (to_state = ANY (ARRAY['selecting'::text, 'running'::text, 'halted'::text, 'closing'::text, 'completed'::text, 'completed_with_failures'::text])) WHEN 'halted'::text THEN (to_state = ANY (ARRAY['planned'::text, 'awaiting_approval'::text, 'selecting'::text, 'running'::text, 'closing'::text, 'completed'::text, 'completed_with_failures'::text])) WHEN 'closing'::text THEN (to_state = ANY (ARRAY['halted'::text, 'cancelled'::text])) ELSE false END;

CREATE OR REPLACE FUNCTION public.outage_may_become(from_state text, to_state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE from_state WHEN 'open'::text THEN (to_state = ANY (ARRAY['recovered'::text, 'closed'::text, 'dismissed'::text])) WHEN 'recovered'::text THEN (to_state = ANY (ARRAY['open'::text, 'closed'::text, 'dismissed'::text])) ELSE false END;

CREATE OR REPLACE FUNCTION public.ran_ms(still tstzmultirange, since timestamp with time zone, upto timestamp with time zone)
 RETURNS double precision
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select coalesce(sum(extract(epoch from upper(r) - lower(r))), 0)::float8 * 1000
  from unnest(tstzmultirange(tstzrange(since, greatest(since, upto))) - still) r
$function$;

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'a row of % is never changed', tg_table_name using errcode = 'RD004';
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_change_of_plan()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (select p.planned_at from plans p where p.operation_id = new.operation_id) is not null then
    raise exception 'a plan that was shown does not change' using errcode = 'RD009';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_closed_week(of_partition text, id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
begin
  raise exception using errcode = 'check_violation', constraint = 'week_closed', table = of_partition,
    message = format('the partition %s takes no rows any more', of_partition), detail = format('The row has the id %s.', id);
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_held_run()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (select from operation_holds h where h.operation_id = new.id and h.ended_at is null) then
    raise exception 'an operation that is held does not run' using errcode = 'RD010';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_queue(why text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'the queue and the records disagree: %', why using errcode = 'RD013';
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_removal()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (select from old_rows o where exists (
    select from queue q where q.delivery_id = o.delivery_id and q.execution_id = o.id))
  then
    perform refuse_queue('an execution that is in the queue was removed');
  end if;
  if exists (select from old_rows o join operation_counts c on c.operation_id = o.operation_id and not c.frozen) then
    perform refuse_queue('an item was removed whose operation has not ended');
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_self_approval()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (
    select from operations o left join plans p on p.operation_id = o.id
    where o.id = new.operation_id
      and (new.actor in (o.actor, p.executed_by) or new.key_id in (o.requested_by, p.executed_key))
  ) then
    raise exception 'nobody approves an operation of one''s own' using errcode = 'RD011';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_transition(from_state text, to_state text)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'an execution may not go from % to %', from_state, to_state using errcode = 'RD001';
end $function$;

CREATE OR REPLACE FUNCTION public.retention_days(settings jsonb, of_what text)
 RETURNS integer
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select case of_what
    when 'event' then s.event
    when 'payload' then coalesce(s.payload, s.event)
    when 'receipt' then coalesce(s.receipt, s.event)
    when 'ledger' then s.ledger
    when 'report' then s.report end
  from (
    select
      case when settings ? 'eventRetentionDays' then greatest((settings->>'eventRetentionDays')::int,
        (settings->>'payloadRetentionDays')::int, (settings->>'receiptRetentionDays')::int,
        p.least_event_days, p.least_payload_days, p.least_receipt_days) end as event,
      case when settings ? 'payloadRetentionDays' then
        greatest((settings->>'payloadRetentionDays')::int, p.least_payload_days) end as payload,
      case when settings ? 'receiptRetentionDays' then
        greatest((settings->>'receiptRetentionDays')::int, p.least_receipt_days) end as receipt,
      case when settings ? 'ledgerRetentionDays' then
        greatest((settings->>'ledgerRetentionDays')::int, p.least_ledger_days) end as ledger,
      case when settings ?& array['reportRetentionDays', 'ledgerRetentionDays'] then greatest((settings->>'reportRetentionDays')::int,
        (settings->>'ledgerRetentionDays')::int, p.least_report_days, p.least_ledger_days) end as report
    from (select 1) one left join platform_limits p on true
  ) s
$function$;

CREATE OR REPLACE FUNCTION public.revise_endpoint()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.revision := old.revision + 1;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.revise_endpoint_of_secret()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update endpoints set revision = revision + 1 where id = coalesce(new.endpoint_id, old.endpoint_id);
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.run_in_place_of(of_execution uuid)
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  with recursive line as (
    select id, delivery_id, outcome from execution_records where id = of_execution
    union all
    select c.id, c.delivery_id, c.outcome from line l
    join execution_records c on c.delivery_id = l.delivery_id and c.parent_id = l.id
      and (c.outcome is distinct from 'cancelled' or c.attempts > 0)
    where l.outcome = 'superseded'
  )
  select id from line where outcome is distinct from 'superseded' limit 1
$function$;

CREATE OR REPLACE FUNCTION public.runs_out_at(still tstzmultirange, since timestamp with time zone, lasting_ms double precision)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
AS $function$
declare
  -- In seconds: a day that is added to a time has as many hours as the zone of the session says.
  ends_at timestamptz := since + lasting_ms / 1000 * interval '1 second';
  span tstzrange;
begin
  for span in select unnest(still * tstzmultirange(tstzrange(since, null))) loop
    exit when lower(span) >= ends_at;
    if upper(span) = 'infinity' then return 'infinity'; end if;
    ends_at := ends_at + extract(epoch from upper(span) - lower(span))::float8 * interval '1 second';
  end loop;
  return ends_at;
end $function$;

CREATE OR REPLACE FUNCTION public.undelivered_deleted()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
begin
  delete from undelivered u where u.delivery_id = any(array(select o.id from old_rows o));
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.undelivered_inserted()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  insert into undelivered
  select n.id, n.tenant_id, n.endpoint_id, n.event_id, n.accepted_at, n.state, n.fault_code, n.http_status, n.order_key,
    n.order_number
  from new_rows n where n.state <> 'delivered';
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.undelivered_updated()
 RETURNS trigger
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
begin
  delete from undelivered u where u.delivery_id = any(array(select n.id from new_rows n where n.state = 'delivered'));
  update undelivered u set tenant_id = r.tenant_id, endpoint_id = r.endpoint_id, event_id = r.event_id,
    accepted_at = r.accepted_at, state = r.state, fault_code = r.fault_code, http_status = r.http_status,
    order_key = r.order_key, order_number = r.order_number
  from (
    select n.*, x.place from new_rows n cross join lateral (
      select y.ctid as place from undelivered y where y.delivery_id = n.id
        and (y.state, y.fault_code, y.http_status, y.accepted_at, y.tenant_id, y.endpoint_id, y.event_id, y.order_key, y.order_number)
          is distinct from
          (n.state, n.fault_code, n.http_status, n.accepted_at, n.tenant_id, n.endpoint_id, n.event_id, n.order_key, n.order_number)
      limit 1
    ) x where n.state <> 'delivered'
  ) r where u.ctid = r.place;
  -- Never by Redrive, for which delivered is for ever; by whoever mends rows by hand.
  if exists (select from old_rows o where o.state = 'delivered') then
    insert into undelivered
    select n.id, n.tenant_id, n.endpoint_id, n.event_id, n.accepted_at, n.state, n.fault_code, n.http_status, n.order_key,
      n.order_number
    from new_rows n
    where n.state <> 'delivered' and (select y.delivery_id from undelivered y where y.delivery_id = n.id) is null;
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.write_like_before()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

-- Tables

create table access_rules (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  rule jsonb not null,
  created_at timestamp with time zone default now() not null
);

create table announcements (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  type text not null,
  fact text not null,
  except_endpoint_id uuid,
  data jsonb not null,
  at timestamp with time zone default date_trunc('milliseconds'::text, clock_timestamp()) not null
);

create table api_keys (
  id uuid default uuidv7() not null,
  tenant_id uuid,
  name text not null,
  key_hash bytea not null,
  scopes text[] not null,
  made_with_grant text,
  created_at timestamp with time zone default now() not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  actor text,
  made_by text,
  made_by_key uuid
);

create table attempt_deltas (
  tenant_id uuid not null,
  minute timestamp with time zone not null,
  endpoint_id uuid not null,
  event_type text not null,
  outcome text not null,
  fault_code text not null,
  attempts integer not null
) with (vacuum_truncate=off, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=20000);

create table attempt_folds (
  only_one boolean default true not null,
  began_at timestamp with time zone default now() not null,
  pruned_at timestamp with time zone default '-infinity'::timestamp with time zone not null
);

create table attempt_hours (
  tenant_id uuid not null,
  hour timestamp with time zone not null,
  endpoint_id uuid not null,
  event_type text not null,
  outcome text not null,
  fault_code text not null,
  attempts bigint not null
) with (fillfactor=80);

create table attempt_minutes (
  tenant_id uuid not null,
  minute timestamp with time zone not null,
  endpoint_id uuid not null,
  event_type text not null,
  outcome text not null,
  fault_code text not null,
  attempts bigint not null
) with (fillfactor=80);

create table attempts (
  execution_id uuid not null,
  number integer not null,
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  endpoint_version integer,
  started_at timestamp with time zone not null,
  duration_ms integer not null,
  outcome text not null,
  fault_code text,
  http_status integer,
  retry_after_ms integer,
  resend boolean default false not null,
  response_excerpt bytea,
  imported boolean default false not null
) partition by RANGE (execution_id);

create table audit_checkpoints (
  tenant_id uuid not null,
  number bigint not null,
  hash bytea not null,
  at timestamp with time zone default date_trunc('milliseconds'::text, clock_timestamp()) not null,
  signing_key_id uuid,
  jws text
);

create table audit_entries (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  at timestamp with time zone default date_trunc('milliseconds'::text, clock_timestamp()) not null,
  actor text not null,
  key_id uuid,
  action text not null,
  target_kind text not null,
  target_id uuid not null,
  detail jsonb default '{}'::jsonb not null,
  words jsonb,
  salt bytea,
  words_digest bytea,
  number bigint,
  prev bytea,
  hash bytea
);

create table audit_heads (
  tenant_id uuid not null,
  number bigint default 0 not null,
  hash bytea default decode(repeat('00'::text, 32), 'hex'::text) not null,
  sealed_at timestamp with time zone,
  checkpoint_number bigint default 0 not null,
  checkpoint_at timestamp with time zone
) with (fillfactor=50);

create table canaries (
  operation_id uuid not null,
  endpoint_id uuid not null,
  state text default 'testing'::text not null,
  allowed integer not null,
  claimed integer default 0 not null,
  began_at timestamp with time zone default clock_timestamp() not null,
  judged_attempts integer,
  judged_bad integer
);

create table claims (
  token uuid not null,
  worked_by uuid not null,
  lease_until timestamp with time zone not null,
  execution_ids uuid[] not null
);

create table closure_reports (
  operation_id uuid not null,
  tenant_id uuid not null,
  signing_key_id uuid not null,
  digest bytea not null,
  jws text not null,
  lines integer not null,
  merkle_root bytea not null,
  signed_at timestamp with time zone not null
);

create table console_sessions (
  id uuid default uuidv7() not null,
  token_hash bytea not null,
  key_id uuid,
  jwt_issuer_id uuid,
  actor text,
  scopes text[],
  token_expires_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  seen_at timestamp with time zone default now() not null,
  ended_at timestamp with time zone
);

create table deliveries (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  event_id uuid not null,
  endpoint_id uuid not null,
  state text not null,
  state_changed_at timestamp with time zone default now() not null,
  accepted_at timestamp with time zone not null,
  payload_bytes integer not null,
  original_version integer,
  attempts integer default 0 not null,
  last_attempt_at timestamp with time zone,
  fault_code text,
  http_status integer,
  replay_of uuid,
  order_key text,
  order_number bigint,
  resent_by uuid,
  operation_id uuid,
  test boolean default false not null,
  import_id uuid,
  webhook_id text
) with (fillfactor=50);

create table endpoint_fences (
  endpoint_id uuid not null,
  accepted_before timestamp with time zone not null,
  version integer
);

create table endpoint_pacing (
  endpoint_id uuid not null,
  arrival_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  floor_until timestamp with time zone default '-infinity'::timestamp with time zone not null,
  retry_after_until timestamp with time zone default '-infinity'::timestamp with time zone not null,
  lifted_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  window_size double precision,
  halved_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  streak integer default 0 not null,
  openings integer default 0 not null,
  trial_until timestamp with time zone default '-infinity'::timestamp with time zone not null,
  missed integer default 0 not null,
  missed_from timestamp with time zone,
  outage_id uuid
) with (fillfactor=50);

create table endpoint_secrets (
  id uuid default uuidv7() not null,
  endpoint_id uuid not null,
  sealed bytea not null,
  created_at timestamp with time zone default now() not null,
  expires_at timestamp with time zone
);

create table endpoint_versions (
  endpoint_id uuid not null,
  version integer not null,
  tenant_id uuid not null,
  url text not null,
  event_types text[],
  filter jsonb,
  timeout_ms integer not null,
  max_attempts integer not null,
  initial_ms integer not null,
  factor double precision not null,
  cap_ms integer not null,
  give_up_after_ms bigint not null,
  on_ambiguous text not null,
  reconcile_within_ms integer not null,
  rate_per_second double precision,
  max_concurrency integer,
  sealed_headers bytea,
  probe_url text,
  probe_field text,
  require_ack boolean default false not null,
  protect boolean default true not null,
  ordered boolean default false not null,
  on_exhausted text default 'block'::text not null,
  preset text,
  partner jsonb,
  created_at timestamp with time zone default now() not null,
  on_recovered text default 'propose'::text not null,
  ca_certificate text,
  client_certificate text,
  sealed_client_key bytea,
  traceparent boolean default false not null
);

create table endpoints (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  handle text not null,
  state text default 'enabled'::text not null,
  disabled_reason text,
  disabled_at timestamp with time zone,
  current_version integer default 1 not null,
  revision integer default 1 not null,
  prepares boolean default false not null,
  ordered boolean default false not null,
  luid text default make_bridge_luid() not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null
);

create table event_identities (
  tenant_id uuid not null,
  external_id text not null,
  type text not null,
  source text not null,
  event_id uuid not null
);

create table event_origins (
  event_id uuid not null,
  first_accepted_at timestamp with time zone not null
);

create table event_resends (
  first_event_id uuid not null,
  event_id uuid not null
);

create table event_sweep_held (
  tenant_id uuid not null,
  event_id uuid not null,
  accepted_at timestamp with time zone not null,
  kept_for text not null,
  looked_at timestamp with time zone default now() not null
);

create table event_sweeps (
  tenant_id uuid not null,
  accepted_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  event_id uuid default '00000000-0000-0000-0000-000000000000'::uuid not null
);

create table events (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  number bigint not null,
  external_id text,
  duplicate_of uuid,
  replay_of uuid,
  type text not null,
  source text,
  key text,
  occurred_at timestamp with time zone,
  accepted_at timestamp with time zone not null,
  ingestion_batch_id text,
  ingest_call_id uuid not null,
  payload_bytes integer not null,
  payload_removed_at timestamp with time zone,
  payload_removed_for text,
  import_id uuid
);

create table exclusions (
  operation_id uuid not null,
  delivery_id uuid not null,
  reason text not null,
  joined_execution_id uuid,
  held_by uuid,
  created_at timestamp with time zone default now() not null,
  resent_by uuid
);

create table execution_records (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  delivery_id uuid not null,
  endpoint_id uuid not null,
  operation_id uuid,
  parent_id uuid,
  generation integer not null,
  target_version integer,
  match_filter boolean default false not null,
  on_ambiguous text,
  created_at timestamp with time zone default now() not null,
  outcome text,
  reason text,
  finished_at timestamp with time zone,
  attempts integer,
  lost_attempts integer,
  may_have_arrived boolean,
  due_at timestamp with time zone,
  give_up_at timestamp with time zone,
  put_off_ms double precision,
  acknowledged_at timestamp with time zone
) with (fillfactor=40);

create table failed_file_feeds (
  tenant_id uuid not null,
  finished_at timestamp with time zone not null,
  execution_id uuid not null,
  created_at timestamp with time zone default now() not null
);

create table freeze_calendars (
  tenant_id uuid not null,
  windows jsonb not null,
  known_until timestamp with time zone not null
);

create table freeze_spans (
  tenant_id uuid not null,
  endpoint_id uuid,
  from_at timestamp with time zone not null,
  to_at timestamp with time zone not null
);

create table frozen_items (
  operation_id uuid not null,
  execution_id uuid not null,
  state text not null,
  reason text,
  attempts integer not null,
  due_at timestamp with time zone not null,
  may_have_arrived boolean not null,
  finished_at timestamp with time zone,
  superseded_by uuid
);

create table idempotency_keys (
  scope text not null,
  key_hash bytea not null,
  tenant_id uuid not null,
  fingerprint bytea not null,
  use integer default 1 not null,
  operation_id uuid not null,
  status integer not null,
  body text not null,
  expires_at timestamp with time zone not null,
  while_open boolean default false not null,
  created_at timestamp with time zone default now() not null
);

create table import_batches (
  tenant_id uuid not null,
  accepted_at timestamp with time zone not null,
  import_id uuid not null,
  events integer not null
);

create table import_lines (
  import_id uuid not null,
  line bigint not null,
  result text not null,
  reason text,
  member text,
  theirs text,
  event_id uuid,
  delivery_id uuid
);

create table import_targets (
  import_id uuid not null,
  theirs text not null,
  endpoint_id uuid not null
);

create table imports (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  format text not null,
  state text default 'open'::text not null,
  keep_ids boolean not null,
  event_type text,
  source text,
  ingestion_batch_id text not null,
  opened_by text not null,
  lines bigint default 0 not null,
  accepted bigint default 0 not null,
  duplicates bigint default 0 not null,
  refused bigint default 0 not null,
  blank bigint default 0 not null,
  bytes bigint default 0 not null,
  opened_at timestamp with time zone default now() not null,
  expires_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  lines_removed_at timestamp with time zone
);

create table installation (
  only_one boolean default true not null,
  master_key_check bytea not null,
  created_at timestamp with time zone default now() not null,
  rotating_to bytea
);

create table installation_id (
  only_one boolean default true not null,
  id uuid default uuidv7() not null
);

create table jwt_issuers (
  id uuid default uuidv7() not null,
  tenant_id uuid,
  by_installation boolean default false not null,
  name text not null,
  issuer text not null,
  audience text not null,
  algorithm text not null,
  sealed_secret bytea,
  jwks jsonb,
  jwks_url text,
  scopes text[] not null,
  created_at timestamp with time zone default now() not null,
  revoked_at timestamp with time zone,
  made_by text,
  made_by_key uuid
);

create table kept_keys (
  purpose text not null,
  sealed bytea not null
);

create table late_changes (
  operation_id uuid not null,
  execution_id uuid not null,
  delivery_id uuid not null,
  from_state text not null,
  to_state text not null,
  at timestamp with time zone default clock_timestamp() not null
);

create table ledger_chunks (
  operation_id uuid not null,
  number integer not null,
  lines integer not null,
  last_position text collate "C" not null,
  states text[] not null,
  hash bytea not null,
  packed bytea not null
);

create table ledger_sweeps (
  tenant_id uuid not null,
  signed_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  operation_id uuid default '00000000-0000-0000-0000-000000000000'::uuid not null
);

create table listed_executions (
  execution_id uuid not null,
  tenant_id uuid not null,
  finished_at timestamp with time zone,
  undelivered boolean not null
) with (fillfactor=70);

create table listed_tenants (
  tenant_id uuid not null,
  behind xid8,
  reached_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  reached_id uuid default '00000000-0000-0000-0000-000000000000'::uuid not null,
  complete_at timestamp with time zone
);

create table listener_requests (
  id uuid not null,
  listener_id uuid not null,
  tenant_id uuid not null,
  delivery_id uuid not null,
  headers jsonb not null,
  made_at timestamp with time zone default clock_timestamp() not null,
  expires_at timestamp with time zone not null,
  handed_at timestamp with time zone,
  token_hash bytea,
  answered_at timestamp with time zone,
  status smallint,
  excerpt bytea
);

create table listeners (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  endpoint_id uuid not null,
  place smallint not null,
  connected boolean default false not null,
  expires_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  created_at timestamp with time zone default now() not null
);

create table operation_controls (
  operation_id uuid not null,
  number integer not null,
  did text not null,
  actor text not null,
  rate_per_second double precision,
  halt jsonb,
  at timestamp with time zone default clock_timestamp() not null,
  endpoint_ids uuid[]
);

create table operation_counts (
  operation_id uuid not null,
  expected integer default 0 not null,
  queued integer default 0 not null,
  scheduled integer default 0 not null,
  sending integer default 0 not null,
  unknown integer default 0 not null,
  delivered integer default 0 not null,
  failed integer default 0 not null,
  ignored integer default 0 not null,
  cancelled integer default 0 not null,
  superseded integer default 0 not null,
  excluded integer default 0 not null,
  frozen boolean default false not null
) with (fillfactor=50);

create table operation_endpoints (
  endpoint_id uuid not null,
  operation_id uuid not null
);

create table operation_holds (
  operation_id uuid not null,
  number integer not null,
  tenant_id uuid not null,
  plan_hash bytea not null,
  policy_digest bytea not null,
  needs_reason boolean not null,
  needs_ticket boolean not null,
  because text[] not null,
  approvers integer not null,
  opened_at timestamp with time zone default clock_timestamp() not null,
  ended_at timestamp with time zone,
  ended_for text
);

create table operation_pacing (
  operation_id uuid not null,
  arrival_at timestamp with time zone default '-infinity'::timestamp with time zone not null
) with (fillfactor=50);

create table operation_pulses (
  operation_id uuid not null,
  second timestamp with time zone not null,
  attempts integer not null,
  bad integer not null,
  first_attempts integer not null,
  first_bad integer not null
) with (fillfactor=50);

create table operation_samples (
  operation_id uuid not null,
  at timestamp with time zone not null,
  expected integer not null,
  queued integer not null,
  scheduled integer not null,
  sending integer not null,
  unknown integer not null,
  delivered integer not null,
  failed integer not null,
  ignored integer not null,
  cancelled integer not null,
  superseded integer not null,
  excluded integer not null
);

create table operation_traces (
  operation_id uuid not null,
  traceparent text not null
);

create table operation_verdicts (
  operation_id uuid not null,
  hold integer not null,
  verdict text not null,
  actor text not null,
  key_id uuid,
  comment text,
  salt bytea,
  comment_digest bytea,
  at timestamp with time zone default clock_timestamp() not null
);

create table operations (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  kind text not null,
  surface text default 'native'::text not null,
  workflow_id text not null,
  interactive boolean not null,
  target text not null,
  selection jsonb not null,
  options jsonb not null,
  reason text,
  ticket text,
  requested_by uuid,
  actor text,
  state text not null,
  control text default 'run'::text not null,
  control_revision integer default 0 not null,
  control_seen integer default 0 not null,
  rate_per_second double precision,
  max_concurrency integer,
  watched boolean default false not null,
  ramped_at timestamp with time zone default now() not null,
  halt jsonb,
  estimated_events integer,
  not_before timestamp with time zone,
  watermark timestamp with time zone not null,
  selection_cursor jsonb,
  selected_at timestamp with time zone,
  running_since timestamp with time zone,
  ended_before integer,
  awaited_execution_id uuid,
  next_event text,
  next_event_at timestamp with time zone,
  disabled_patience_ms double precision generated always as (COALESCE(((options ->> 'disabledPatienceMs'::text))::double precision, (900000)::double precision)) stored not null,
  expires_at timestamp with time zone,
  start_confirmed_at timestamp with time zone,
  start_attempts integer default 0 not null,
  start_again_at timestamp with time zone,
  nudged_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  created_at timestamp with time zone default now() not null,
  closed_at timestamp with time zone,
  report jsonb,
  single boolean default false not null,
  new_identity boolean default false not null
);

create table outage_operations (
  outage_id uuid not null,
  operation_id uuid not null,
  made boolean default false not null,
  runs boolean default false not null
);

create table outages (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  endpoint_id uuid not null,
  cause text not null,
  state text default 'open'::text not null,
  began_at timestamp with time zone not null,
  reaches_back_to timestamp with time zone not null,
  opened_at timestamp with time zone default clock_timestamp() not null,
  openings integer default 1 not null,
  good_from timestamp with time zone,
  good integer default 0 not null,
  bad integer default 0 not null,
  enabled_at timestamp with time zone,
  quiet_since timestamp with time zone default clock_timestamp() not null,
  trials integer default 0 not null,
  recovered_at timestamp with time zone,
  on_recovered text,
  had_open boolean default false not null,
  planned_again boolean default false not null,
  ended_at timestamp with time zone,
  ended_for text,
  look_at timestamp with time zone default clock_timestamp() not null
) with (fillfactor=50);

create table pace_slots (
  paced_id uuid not null,
  token uuid not null,
  slots integer not null,
  expires_at timestamp with time zone not null
);

create table payload_sweep_held (
  tenant_id uuid not null,
  event_id uuid not null,
  looked_at timestamp with time zone default now() not null
);

create table payload_sweeps (
  tenant_id uuid not null,
  accepted_at timestamp with time zone default '-infinity'::timestamp with time zone not null,
  event_id uuid default '00000000-0000-0000-0000-000000000000'::uuid not null
);

create table payloads (
  event_id uuid not null,
  tenant_id uuid not null,
  body text not null,
  import_members text
) partition by RANGE (event_id);

create table plan_endpoints (
  operation_id uuid not null,
  endpoint_id uuid not null,
  version integer not null,
  original_versions integer[] default '{}'::integer[] not null,
  items integer not null,
  sends integer not null,
  risks integer[] not null
);

create table plan_pages (
  operation_id uuid not null,
  number integer not null,
  ids uuid[] not null,
  risks smallint[] not null,
  any_risks smallint not null,
  digest bytea not null
);

create table plans (
  operation_id uuid not null,
  tenant_id uuid not null,
  origin text not null,
  life_ms double precision not null,
  planned_at timestamp with time zone,
  items integer default 0 not null,
  pages integer default 0 not null,
  items_digest bytea,
  risks_digest bytea,
  plan_hash bytea,
  pin_from timestamp with time zone,
  pin_to timestamp with time zone,
  executed_at timestamp with time zone,
  executed_by text,
  max_drift_percent double precision,
  drift jsonb,
  refused_drift jsonb,
  expired boolean default false not null,
  executed_key uuid,
  emergency boolean default false not null,
  pages_gone_at timestamp with time zone
);

create table platform_limits (
  only_one boolean default true not null,
  items_per_operation integer,
  items_per_day integer,
  open_operations integer,
  rate_per_second double precision,
  least_payload_days integer,
  least_event_days integer,
  least_receipt_days integer,
  least_ledger_days integer,
  least_report_days integer
);

create table queue (
  delivery_id uuid not null,
  execution_id uuid not null,
  tenant_id uuid not null,
  endpoint_id uuid not null,
  operation_id uuid,
  worked_by uuid default '00000000-0000-0000-0000-000000000000'::uuid not null,
  state text not null,
  in_queue boolean generated always as ((state <> 'unknown'::text)) stored not null,
  target_version integer,
  match_filter boolean default false not null,
  on_ambiguous text,
  due_at timestamp with time zone not null,
  put_off_from timestamp with time zone,
  give_up_at timestamp with time zone not null,
  put_off_ms double precision,
  reconcile_until timestamp with time zone,
  attempts integer default 0 not null,
  lost_attempts integer default 0 not null,
  may_have_arrived boolean default false not null,
  probe_at timestamp with time zone,
  probes integer default 0 not null,
  acknowledged_at timestamp with time zone,
  lease_token uuid
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=10000, autovacuum_vacuum_cost_delay=0, autovacuum_analyze_scale_factor=0, autovacuum_analyze_threshold=20000, vacuum_truncate=false);

create table quota_charges (
  operation_id uuid not null,
  tenant_id uuid not null,
  day date not null,
  items integer not null,
  approved boolean default false not null,
  given_back_at timestamp with time zone
);

create table quota_days (
  tenant_id uuid not null,
  day date not null,
  items bigint default 0 not null
);

create unlogged table rate_buckets (
  surface text not null,
  holder text not null,
  tokens double precision not null,
  granted integer not null,
  filled_at timestamp with time zone not null
) with (fillfactor=50);

create table receipt_diagnostics (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  receipt_id uuid not null,
  actor text not null,
  state text default 'previewed'::text not null,
  content text not null,
  created_at timestamp with time zone default now() not null,
  expires_at timestamp with time zone not null,
  frozen_at timestamp with time zone
);

create table receipt_replays (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  event_id uuid not null,
  asked_endpoint_id uuid,
  key_hash bytea not null,
  actor text not null,
  state text default 'previewed'::text not null,
  binding bytea not null,
  kind text not null,
  targets jsonb not null,
  duplicate_risk boolean not null,
  duplicate_risk_confirmed boolean default false not null,
  preview jsonb not null,
  created_at timestamp with time zone default now() not null,
  expires_at timestamp with time zone not null,
  confirmed_at timestamp with time zone,
  executed_at timestamp with time zone,
  operation_id uuid
);

create table rejections (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  request_id text not null,
  code text not null,
  rejected_at timestamp with time zone default now() not null
);

create table report_addenda (
  operation_id uuid not null,
  number integer not null,
  signing_key_id uuid not null,
  digest bytea not null,
  jws text not null,
  changes integer not null,
  signed_at timestamp with time zone default clock_timestamp() not null
);

create table report_drafts (
  operation_id uuid not null,
  details jsonb not null,
  frozen_at timestamp with time zone not null
);

create table report_sweeps (
  tenant_id uuid not null,
  operation_id uuid default '00000000-0000-0000-0000-000000000000'::uuid not null
);

create table resolutions (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  actor text not null,
  outcome text not null,
  reason text,
  selection jsonb not null,
  key_hash bytea,
  fingerprint bytea,
  key_expires_at timestamp with time zone,
  answer text,
  created_at timestamp with time zone default clock_timestamp() not null
);

create table resolved_executions (
  execution_id uuid not null,
  resolution_id uuid not null
);

create table schema_migrations (
  name text not null,
  checksum text not null,
  applied_at timestamp with time zone default now() not null,
  needs text
);

create table sign_in_codes (
  code_hash bytea not null,
  key_id uuid not null,
  expires_at timestamp with time zone not null
);

create table signers (
  id uuid default uuidv7() not null,
  tenant_id uuid not null,
  handle text not null,
  public_key bytea not null,
  proved_by text,
  created_at timestamp with time zone default now() not null
);

create table signing_keys (
  id uuid not null,
  public_key bytea not null,
  sealed_private_key bytea,
  created_at timestamp with time zone default clock_timestamp() not null,
  retired_at timestamp with time zone,
  revoked_at timestamp with time zone
);

create table tenant_counters (
  tenant_id uuid not null,
  last_event_number bigint default 0 not null
) with (fillfactor=50);

create table tenant_policies (
  tenant_id uuid not null,
  reason_above integer,
  ticket_pattern text,
  approve_above integer,
  approve_when text[] default '{}'::text[] not null,
  approvers integer default 1 not null,
  items_per_operation integer,
  items_per_day integer,
  open_operations integer,
  rate_per_second double precision,
  freeze_windows jsonb default '[]'::jsonb not null,
  digest bytea not null,
  changed_at timestamp with time zone default clock_timestamp() not null,
  changed_by text not null
);

create table tenants (
  id uuid default uuidv7() not null,
  handle text not null,
  name text,
  plan text,
  settings jsonb default '{}'::jsonb not null,
  platform boolean default false not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null
);

create table undelivered (
  delivery_id uuid not null,
  tenant_id uuid not null,
  endpoint_id uuid not null,
  event_id uuid not null,
  accepted_at timestamp with time zone not null,
  state text not null,
  fault_code text,
  http_status integer,
  order_key text,
  order_number bigint
);

create table workers (
  id uuid not null,
  host text not null,
  pid integer not null,
  polling boolean default false not null,
  operations uuid[] default '{}'::uuid[] not null,
  started_at timestamp with time zone default now() not null,
  seen_at timestamp with time zone default now() not null
);

-- Constraints

alter table access_rules add constraint access_rules_pkey PRIMARY KEY (id);

alter table access_rules add constraint access_rules_rule_check CHECK ((jsonb_typeof(rule) = 'object'::text));

alter table access_rules add constraint access_rules_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table announcements add constraint announcements_pkey PRIMARY KEY (id);

alter table announcements add constraint announcements_tenant_id_type_fact_key UNIQUE (tenant_id, type, fact);

alter table announcements add constraint announcements_data_check CHECK (((jsonb_typeof(data) = 'object'::text) AND (octet_length((data)::text) <= 8192)));

alter table announcements add constraint announcements_fact_check CHECK (((length(fact) >= 1) AND (length(fact) <= 255)));

alter table announcements add constraint announcements_type_check CHECK ((type ~ '^(operation|outage)\.[a-z_]+$'::text));

alter table announcements add constraint announcements_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table api_keys add constraint api_keys_pkey PRIMARY KEY (id);

alter table api_keys add constraint api_keys_key_hash_key UNIQUE (key_hash);

alter table api_keys add constraint api_keys_actor_check CHECK (((length(actor) >= 1) AND (length(actor) <= 200)));

alter table api_keys add constraint api_keys_check CHECK (((tenant_id IS NOT NULL) OR (scopes = ARRAY['admin'::text])));

alter table api_keys add constraint api_keys_key_hash_check CHECK ((length(key_hash) = 32));

alter table api_keys add constraint api_keys_made_with_grant_check CHECK ((made_with_grant = ANY (ARRAY['observer'::text, 'operator'::text, 'recovery_operator'::text, 'admin'::text])));

alter table api_keys add constraint api_keys_scopes_check CHECK ((cardinality(scopes) > 0));

alter table api_keys add constraint api_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table attempt_folds add constraint attempt_folds_pkey PRIMARY KEY (only_one);

alter table attempt_folds add constraint attempt_folds_only_one_check CHECK (only_one);

alter table attempt_hours add constraint attempt_hours_pkey PRIMARY KEY (tenant_id, hour, endpoint_id, event_type, outcome, fault_code);

alter table attempt_hours add constraint attempt_hours_attempts_check CHECK ((attempts > 0));

alter table attempt_minutes add constraint attempt_minutes_pkey PRIMARY KEY (tenant_id, minute, endpoint_id, event_type, outcome, fault_code);

alter table attempt_minutes add constraint attempt_minutes_attempts_check CHECK ((attempts > 0));

alter table attempts add constraint attempts_pkey PRIMARY KEY (execution_id, number);

alter table attempts add constraint attempts_outcome_check CHECK ((outcome = ANY (ARRAY['delivered'::text, 'retryable'::text, 'permanent'::text, 'gone'::text, 'ambiguous'::text, 'unsent'::text])));

alter table attempts add constraint attempts_response_excerpt_check CHECK ((length(response_excerpt) <= 1024));

alter table audit_checkpoints add constraint audit_checkpoints_pkey PRIMARY KEY (tenant_id, number);

alter table audit_checkpoints add constraint audit_checkpoints_hash_check CHECK ((length(hash) = 32));

alter table audit_checkpoints add constraint audit_checkpoints_number_check CHECK ((number > 0));

alter table audit_checkpoints add constraint audit_checkpoints_signed CHECK (((jws IS NULL) = (signing_key_id IS NULL)));

alter table audit_checkpoints add constraint audit_checkpoints_signing_key_id_fkey FOREIGN KEY (signing_key_id) REFERENCES signing_keys(id);

alter table audit_checkpoints add constraint audit_checkpoints_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table audit_entries add constraint audit_entries_pkey PRIMARY KEY (id);

alter table audit_entries add constraint audit_entries_tenant_id_number_key UNIQUE (tenant_id, number);

alter table audit_entries add constraint audit_entries_action_check CHECK ((action ~ '^[a-z_]+\.[a-z_]+$'::text));

alter table audit_entries add constraint audit_entries_actor_check CHECK ((actor <> ''::text));

alter table audit_entries add constraint audit_entries_at_check CHECK ((at = date_trunc('milliseconds'::text, at)));

alter table audit_entries add constraint audit_entries_detail_check CHECK (((jsonb_typeof(detail) = 'object'::text) AND (octet_length((detail)::text) <= 8192)));

alter table audit_entries add constraint audit_entries_hash_check CHECK ((length(hash) = 32));

alter table audit_entries add constraint audit_entries_number_check CHECK ((number > 0));

alter table audit_entries add constraint audit_entries_prev_check CHECK ((length(prev) = 32));

alter table audit_entries add constraint audit_entries_salt_check CHECK ((length(salt) = 16));

alter table audit_entries add constraint audit_entries_sealed CHECK ((num_nonnulls(number, prev, hash) = ANY (ARRAY[0, 3])));

alter table audit_entries add constraint audit_entries_words CHECK ((((words IS NULL) = (salt IS NULL)) AND ((words IS NULL) OR (words_digest IS NOT NULL))));

alter table audit_entries add constraint audit_entries_words_check CHECK ((jsonb_typeof(words) = 'object'::text));

alter table audit_entries add constraint audit_entries_words_digest_check CHECK ((length(words_digest) = 32));

alter table audit_entries add constraint audit_entries_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table audit_heads add constraint audit_heads_pkey PRIMARY KEY (tenant_id);

alter table audit_heads add constraint audit_heads_check CHECK ((checkpoint_number <= number));

alter table audit_heads add constraint audit_heads_hash_check CHECK ((length(hash) = 32));

alter table audit_heads add constraint audit_heads_number_check CHECK ((number >= 0));

alter table audit_heads add constraint audit_heads_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table canaries add constraint canaries_pkey PRIMARY KEY (operation_id, endpoint_id);

alter table canaries add constraint canaries_allowed_check CHECK ((allowed > 0));

alter table canaries add constraint canaries_claimed_check CHECK ((claimed >= 0));

alter table canaries add constraint canaries_state_check CHECK ((state = ANY (ARRAY['testing'::text, 'passed'::text, 'held'::text])));

alter table claims add constraint claims_pkey PRIMARY KEY (token);

alter table closure_reports add constraint closure_reports_pkey PRIMARY KEY (operation_id);

alter table closure_reports add constraint closure_reports_digest_check CHECK ((length(digest) = 32));

alter table closure_reports add constraint closure_reports_lines_check CHECK ((lines >= 0));

alter table closure_reports add constraint closure_reports_merkle_root_check CHECK ((length(merkle_root) = 32));

alter table closure_reports add constraint closure_reports_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table closure_reports add constraint closure_reports_signing_key_id_fkey FOREIGN KEY (signing_key_id) REFERENCES signing_keys(id);

alter table closure_reports add constraint closure_reports_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table console_sessions add constraint console_sessions_pkey PRIMARY KEY (id);

alter table console_sessions add constraint console_sessions_token_hash_key UNIQUE (token_hash);

alter table console_sessions add constraint console_sessions_actor_check CHECK ((actor <> ''::text));

alter table console_sessions add constraint console_sessions_credential CHECK (((num_nonnulls(key_id, jwt_issuer_id) = 1) AND (num_nonnulls(jwt_issuer_id, actor, scopes, token_expires_at) = ANY (ARRAY[0, 4]))));

alter table console_sessions add constraint console_sessions_token_hash_check CHECK ((length(token_hash) = 32));

alter table console_sessions add constraint console_sessions_jwt_issuer_id_fkey FOREIGN KEY (jwt_issuer_id) REFERENCES jwt_issuers(id);

alter table console_sessions add constraint console_sessions_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_keys(id);

alter table deliveries add constraint deliveries_pkey PRIMARY KEY (id);

alter table deliveries add constraint deliveries_check CHECK (((attempts > 0) = (last_attempt_at IS NOT NULL)));

alter table deliveries add constraint deliveries_delivered CHECK (((state <> 'delivered'::text) OR (attempts > 0) OR (import_id IS NOT NULL)));

alter table deliveries add constraint deliveries_imported CHECK (((import_id IS NULL) OR ((order_key IS NULL) AND (replay_of IS NULL))));

alter table deliveries add constraint deliveries_new_identity CHECK (((operation_id IS NULL) OR (replay_of IS NOT NULL)));

alter table deliveries add constraint deliveries_order_whole CHECK (((order_key IS NULL) = (order_number IS NULL)));

alter table deliveries add constraint deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text, 'unknown'::text, 'cancelled'::text, 'ignored'::text])));

alter table deliveries add constraint deliveries_webhook_id CHECK (((webhook_id IS NULL) OR (import_id IS NOT NULL)));

alter table endpoint_fences add constraint endpoint_fences_pkey PRIMARY KEY (endpoint_id, accepted_before);

alter table endpoint_fences add constraint endpoint_fences_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoints(id);

alter table endpoint_pacing add constraint endpoint_pacing_pkey PRIMARY KEY (endpoint_id);

alter table endpoint_pacing add constraint endpoint_pacing_missed CHECK (((missed = 0) = (missed_from IS NULL)));

alter table endpoint_pacing add constraint endpoint_pacing_missed_check CHECK ((missed >= 0));

alter table endpoint_pacing add constraint endpoint_pacing_window_size_check CHECK ((window_size >= (1)::double precision));

alter table endpoint_pacing add constraint endpoint_pacing_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoints(id);

alter table endpoint_pacing add constraint endpoint_pacing_outage_id_fkey FOREIGN KEY (outage_id) REFERENCES outages(id);

alter table endpoint_secrets add constraint endpoint_secrets_pkey PRIMARY KEY (id);

alter table endpoint_secrets add constraint endpoint_secrets_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoints(id);

alter table endpoint_versions add constraint endpoint_versions_pkey PRIMARY KEY (endpoint_id, version);

alter table endpoint_versions add constraint endpoint_versions_ca_certificate_check CHECK (((length(ca_certificate) >= 1) AND (length(ca_certificate) <= 65536)));

alter table endpoint_versions add constraint endpoint_versions_cap_ms_check CHECK (((cap_ms >= 0) AND (cap_ms <= 86400000)));

alter table endpoint_versions add constraint endpoint_versions_certificates CHECK (((url ~~* 'https:%'::text) OR ((ca_certificate IS NULL) AND (client_certificate IS NULL))));

alter table endpoint_versions add constraint endpoint_versions_client_certificate_check CHECK (((length(client_certificate) >= 1) AND (length(client_certificate) <= 65536)));

alter table endpoint_versions add constraint endpoint_versions_client_key CHECK (((client_certificate IS NULL) = (sealed_client_key IS NULL)));

alter table endpoint_versions add constraint endpoint_versions_factor_check CHECK (((factor >= (1)::double precision) AND (factor <= (100)::double precision)));

alter table endpoint_versions add constraint endpoint_versions_give_up_after_ms_check CHECK (((give_up_after_ms >= 1000) AND (give_up_after_ms <= '2592000000'::bigint)));

alter table endpoint_versions add constraint endpoint_versions_initial_ms_check CHECK (((initial_ms >= 0) AND (initial_ms <= 86400000)));

alter table endpoint_versions add constraint endpoint_versions_max_attempts_check CHECK (((max_attempts >= 1) AND (max_attempts <= 100)));

alter table endpoint_versions add constraint endpoint_versions_max_concurrency_check CHECK ((max_concurrency > 0));

alter table endpoint_versions add constraint endpoint_versions_on_ambiguous_check CHECK ((on_ambiguous = ANY (ARRAY['resend'::text, 'probe'::text, 'hold'::text])));

alter table endpoint_versions add constraint endpoint_versions_on_exhausted_check CHECK ((on_exhausted = ANY (ARRAY['block'::text, 'skip'::text])));

alter table endpoint_versions add constraint endpoint_versions_on_recovered_check CHECK ((on_recovered = ANY (ARRAY['none'::text, 'propose'::text, 'run'::text])));

alter table endpoint_versions add constraint endpoint_versions_partner_check CHECK ((jsonb_typeof(partner) = 'object'::text));

alter table endpoint_versions add constraint endpoint_versions_probe CHECK (((probe_url IS NULL) = (probe_field IS NULL)));

alter table endpoint_versions add constraint endpoint_versions_probes CHECK (((on_ambiguous <> 'probe'::text) OR (probe_url IS NOT NULL)));

alter table endpoint_versions add constraint endpoint_versions_rate_per_second_check CHECK ((rate_per_second > (0)::double precision));

alter table endpoint_versions add constraint endpoint_versions_reconcile_within_ms_check CHECK (((reconcile_within_ms >= 0) AND (reconcile_within_ms <= 604800000)));

alter table endpoint_versions add constraint endpoint_versions_timeout_ms_check CHECK (((timeout_ms >= 1) AND (timeout_ms <= 60000)));

alter table endpoint_versions add constraint endpoint_versions_version_check CHECK ((version > 0));

alter table endpoint_versions add constraint endpoint_versions_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoints(id);

alter table endpoint_versions add constraint endpoint_versions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table endpoints add constraint endpoints_pkey PRIMARY KEY (id);

alter table endpoints add constraint endpoints_luid_key UNIQUE (luid);

alter table endpoints add constraint endpoints_check CHECK (((state = 'disabled'::text) = (disabled_reason IS NOT NULL)));

alter table endpoints add constraint endpoints_disabled_reason_check CHECK ((disabled_reason = ANY (ARRAY['operator'::text, 'gone'::text])));

alter table endpoints add constraint endpoints_handle_check CHECK ((handle ~ '^[a-zA-Z0-9._-]{1,81}$'::text));

alter table endpoints add constraint endpoints_luid_check CHECK ((luid ~ '^\$brg\.[A-Za-z0-9_-]{17}$'::text));

alter table endpoints add constraint endpoints_state_check CHECK ((state = ANY (ARRAY['enabled'::text, 'disabled'::text, 'deleted'::text])));

alter table endpoints add constraint endpoints_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table event_identities add constraint event_identities_pkey PRIMARY KEY (tenant_id, external_id, type, source);

alter table event_origins add constraint event_origins_pkey PRIMARY KEY (event_id);

alter table event_resends add constraint event_resends_pkey PRIMARY KEY (first_event_id, event_id);

alter table event_sweep_held add constraint event_sweep_held_pkey PRIMARY KEY (tenant_id, event_id);

alter table event_sweep_held add constraint event_sweep_held_kept_for_check CHECK ((kept_for = ANY (ARRAY['busy'::text, 'open'::text, 'operation'::text, 'addendum'::text, 'plan'::text, 'outage'::text, 'order'::text, 'import'::text, 'sent_again'::text, 'replay'::text])));

alter table event_sweep_held add constraint event_sweep_held_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table event_sweeps add constraint event_sweeps_pkey PRIMARY KEY (tenant_id);

alter table event_sweeps add constraint event_sweeps_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table events add constraint events_pkey PRIMARY KEY (id);

alter table events add constraint events_tenant_id_number_key UNIQUE (tenant_id, number);

alter table events add constraint events_payload_bytes_check CHECK ((payload_bytes >= 0));

alter table events add constraint events_payload_removal CHECK (((payload_removed_at IS NULL) = (payload_removed_for IS NULL)));

alter table events add constraint events_payload_removed_for_check CHECK ((payload_removed_for = ANY (ARRAY['retention'::text, 'erasure'::text])));

alter table exclusions add constraint exclusions_pkey PRIMARY KEY (operation_id, delivery_id);

alter table exclusions add constraint exclusions_check CHECK (((reason = ANY (ARRAY['coalesced'::text, 'held'::text, 'outcome_unknown'::text])) = (joined_execution_id IS NOT NULL)));

alter table exclusions add constraint exclusions_check1 CHECK (((reason = 'held'::text) = (held_by IS NOT NULL)));

alter table exclusions add constraint exclusions_reason_check CHECK ((reason = ANY (ARRAY['coalesced'::text, 'already_delivered'::text, 'changed_since'::text, 'held'::text, 'outcome_unknown'::text, 'suppressed_duplicate'::text, 'resent'::text, 'payload_expired'::text, 'endpoint_disabled'::text, 'endpoint_deleted'::text, 'endpoint_changed'::text, 'no_longer_matches'::text, 'already_retried'::text, 'not_retryable'::text])));

alter table execution_records add constraint execution_records_pkey PRIMARY KEY (id);

alter table execution_records add constraint execution_records_attempts_check CHECK ((attempts >= 0));

alter table execution_records add constraint execution_records_ended CHECK ((num_nulls(outcome, finished_at, attempts, lost_attempts, may_have_arrived, due_at, give_up_at) =
CASE
    WHEN (outcome IS NULL) THEN 7
    ELSE 0
END));

alter table execution_records add constraint execution_records_generation_check CHECK ((generation > 0));

alter table execution_records add constraint execution_records_lost_attempts CHECK (((lost_attempts >= 0) AND (lost_attempts <= attempts)));

alter table execution_records add constraint execution_records_on_ambiguous_check CHECK ((on_ambiguous = ANY (ARRAY['resend'::text, 'probe'::text, 'hold'::text])));

alter table execution_records add constraint execution_records_outcome_check CHECK ((outcome = ANY (ARRAY['superseded'::text, 'cancelled'::text, 'ignored'::text, 'failed'::text, 'delivered'::text])));

alter table execution_records add constraint execution_records_put_off_ms_check CHECK ((put_off_ms >= (0)::double precision));

alter table execution_records add constraint execution_records_reason CHECK (
CASE
    WHEN (outcome IS NULL) THEN (reason IS NULL)
    ELSE ((outcome <> ALL (ARRAY['ignored'::text, 'cancelled'::text])) OR (reason IS NOT NULL))
END);

alter table failed_file_feeds add constraint failed_file_feeds_pkey PRIMARY KEY (tenant_id);

alter table failed_file_feeds add constraint failed_file_feeds_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table freeze_calendars add constraint freeze_calendars_pkey PRIMARY KEY (tenant_id);

alter table freeze_calendars add constraint freeze_calendars_windows_check CHECK (((jsonb_typeof(windows) = 'array'::text) AND (jsonb_array_length(windows) > 0)));

alter table freeze_calendars add constraint freeze_calendars_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table freeze_spans add constraint freeze_spans_key UNIQUE NULLS NOT DISTINCT (tenant_id, endpoint_id, from_at);

alter table freeze_spans add constraint freeze_spans_check CHECK ((from_at < to_at));

alter table freeze_spans add constraint freeze_spans_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table frozen_items add constraint frozen_items_pkey PRIMARY KEY (operation_id, execution_id);

alter table idempotency_keys add constraint idempotency_keys_pkey PRIMARY KEY (scope, key_hash);

alter table idempotency_keys add constraint idempotency_keys_key_hash_check CHECK ((length(key_hash) = 32));

alter table import_batches add constraint import_batches_pkey PRIMARY KEY (tenant_id, accepted_at, import_id);

alter table import_batches add constraint import_batches_events_check CHECK ((events > 0));

alter table import_lines add constraint import_lines_pkey PRIMARY KEY (import_id, line);

alter table import_lines add constraint import_lines_line_check CHECK ((line > 0));

alter table import_lines add constraint import_lines_member_check CHECK ((length(member) <= 128));

alter table import_lines add constraint import_lines_reason CHECK (((result = 'accepted'::text) = (reason IS NULL)));

alter table import_lines add constraint import_lines_reason_check CHECK ((length(reason) <= 64));

alter table import_lines add constraint import_lines_result_check CHECK ((result = ANY (ARRAY['accepted'::text, 'duplicate'::text, 'refused'::text])));

alter table import_lines add constraint import_lines_theirs_check CHECK ((length(theirs) <= 255));

alter table import_targets add constraint import_targets_pkey PRIMARY KEY (import_id, theirs);

alter table import_targets add constraint import_targets_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoints(id);

alter table import_targets add constraint import_targets_import_id_fkey FOREIGN KEY (import_id) REFERENCES imports(id);

alter table imports add constraint imports_pkey PRIMARY KEY (id);

alter table imports add constraint imports_add_up CHECK (((lines = (((accepted + duplicates) + refused) + blank)) AND (LEAST(accepted, duplicates, refused, blank) >= 0)));

alter table imports add constraint imports_ended CHECK (((state = 'open'::text) = (ended_at IS NULL)));

alter table imports add constraint imports_removed CHECK (((lines_removed_at IS NULL) OR (ended_at IS NOT NULL)));

alter table imports add constraint imports_state_check CHECK ((state = ANY (ARRAY['open'::text, 'closed'::text, 'abandoned'::text, 'expired'::text])));

alter table imports add constraint imports_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table installation add constraint installation_pkey PRIMARY KEY (only_one);

alter table installation add constraint installation_only_one_check CHECK (only_one);

alter table installation add constraint installation_rotating_to_check CHECK ((length(rotating_to) = 32));

alter table installation_id add constraint installation_id_pkey PRIMARY KEY (only_one);

alter table installation_id add constraint installation_id_only_one_check CHECK (only_one);

alter table jwt_issuers add constraint jwt_issuers_pkey PRIMARY KEY (id);

alter table jwt_issuers add constraint jwt_issuers_algorithm_check CHECK ((algorithm = ANY (ARRAY['HS256'::text, 'EdDSA'::text, 'RS256'::text])));

alter table jwt_issuers add constraint jwt_issuers_check CHECK (((tenant_id IS NULL) OR (NOT ('admin'::text = ANY (scopes)))));

alter table jwt_issuers add constraint jwt_issuers_check1 CHECK (((num_nonnulls(sealed_secret, jwks, jwks_url) = 1) AND ((algorithm = 'HS256'::text) = (sealed_secret IS NOT NULL))));

alter table jwt_issuers add constraint jwt_issuers_jwks_check CHECK ((jsonb_typeof((jwks -> 'keys'::text)) = 'array'::text));

alter table jwt_issuers add constraint jwt_issuers_of_installation CHECK (((tenant_id IS NOT NULL) OR by_installation));

alter table jwt_issuers add constraint jwt_issuers_scopes_check CHECK ((cardinality(scopes) > 0));

alter table jwt_issuers add constraint jwt_issuers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table kept_keys add constraint kept_keys_pkey PRIMARY KEY (purpose);

alter table late_changes add constraint late_changes_pkey PRIMARY KEY (operation_id, execution_id);

alter table ledger_chunks add constraint ledger_chunks_pkey PRIMARY KEY (operation_id, number);

alter table ledger_chunks add constraint ledger_chunks_operation_id_last_position_key UNIQUE (operation_id, last_position);

alter table ledger_chunks add constraint ledger_chunks_hash_check CHECK ((length(hash) = 32));

alter table ledger_chunks add constraint ledger_chunks_lines_check CHECK (((lines >= 1) AND (lines <= 1024)));

alter table ledger_chunks add constraint ledger_chunks_number_check CHECK ((number >= 0));

alter table ledger_chunks add constraint ledger_chunks_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table ledger_sweeps add constraint ledger_sweeps_pkey PRIMARY KEY (tenant_id);

alter table ledger_sweeps add constraint ledger_sweeps_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table listed_executions add constraint listed_executions_pkey PRIMARY KEY (execution_id);

alter table listed_tenants add constraint listed_tenants_pkey PRIMARY KEY (tenant_id);

alter table listed_tenants add constraint listed_tenants_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table listener_requests add constraint listener_requests_pkey PRIMARY KEY (id);

alter table listener_requests add constraint listener_requests_token_hash_key UNIQUE (token_hash);

alter table listener_requests add constraint listener_requests_answered CHECK (((answered_at IS NULL) OR (handed_at IS NOT NULL)));

alter table listener_requests add constraint listener_requests_excerpt CHECK (((status IS NULL) = (excerpt IS NULL)));

alter table listener_requests add constraint listener_requests_excerpt_check CHECK ((length(excerpt) <= 1024));

alter table listener_requests add constraint listener_requests_handed CHECK (((handed_at IS NULL) = (token_hash IS NULL)));

alter table listener_requests add constraint listener_requests_headers_check CHECK ((jsonb_typeof(headers) = 'object'::text));

alter table listener_requests add constraint listener_requests_status CHECK (((status IS NULL) OR (answered_at IS NOT NULL)));

alter table listener_requests add constraint listener_requests_status_check CHECK (((status >= 200) AND (status <= 599)));

alter table listener_requests add constraint listener_requests_token_hash_check CHECK ((length(token_hash) = 32));

alter table listener_requests add constraint listener_requests_listener_id_fkey FOREIGN KEY (listener_id) REFERENCES listeners(id);

alter table listeners add constraint listeners_pkey PRIMARY KEY (id);

alter table listeners add constraint listeners_endpoint_id_key UNIQUE (endpoint_id);

alter table listeners add constraint listeners_place_check CHECK (((place >= 1) AND (place <= 5)));

alter table listeners add constraint listeners_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoints(id);

alter table listeners add constraint listeners_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table operation_controls add constraint operation_controls_pkey PRIMARY KEY (operation_id, number);

alter table operation_controls add constraint operation_controls_check CHECK (((did = 'halt'::text) = (halt IS NOT NULL)));

alter table operation_controls add constraint operation_controls_did_check CHECK ((did = ANY (ARRAY['pause'::text, 'resume'::text, 'rate'::text, 'cancel'::text, 'halt'::text, 'execute'::text, 'hold'::text, 'explain'::text, 'approve'::text, 'reject'::text, 'emergency'::text])));

alter table operation_controls add constraint operation_controls_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table operation_counts add constraint operation_counts_pkey PRIMARY KEY (operation_id);

alter table operation_counts add constraint operation_counts_cancelled_check CHECK ((cancelled >= 0));

alter table operation_counts add constraint operation_counts_delivered_check CHECK ((delivered >= 0));

alter table operation_counts add constraint operation_counts_excluded_check CHECK ((excluded >= 0));

alter table operation_counts add constraint operation_counts_failed_check CHECK ((failed >= 0));

alter table operation_counts add constraint operation_counts_ignored_check CHECK ((ignored >= 0));

alter table operation_counts add constraint operation_counts_queued_check CHECK ((queued >= 0));

alter table operation_counts add constraint operation_counts_scheduled_check CHECK ((scheduled >= 0));

alter table operation_counts add constraint operation_counts_sending_check CHECK ((sending >= 0));

alter table operation_counts add constraint operation_counts_superseded_check CHECK ((superseded >= 0));

alter table operation_counts add constraint operation_counts_unknown_check CHECK ((unknown >= 0));

alter table operation_counts add constraint the_one_equation CHECK ((expected = (((((((((queued + sending) + scheduled) + delivered) + failed) + unknown) + ignored) + cancelled) + superseded) + excluded)));

alter table operation_counts add constraint operation_counts_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table operation_endpoints add constraint operation_endpoints_pkey PRIMARY KEY (endpoint_id, operation_id);

alter table operation_holds add constraint operation_holds_pkey PRIMARY KEY (operation_id, number);

alter table operation_holds add constraint operation_holds_approvers CHECK (((approvers > 0) = (cardinality(because) > 0)));

alter table operation_holds add constraint operation_holds_approvers_check CHECK (((approvers >= 0) AND (approvers <= 5)));

alter table operation_holds add constraint operation_holds_ended CHECK (((ended_at IS NULL) = (ended_for IS NULL)));

alter table operation_holds add constraint operation_holds_ended_for_check CHECK ((ended_for = ANY (ARRAY['approved'::text, 'explained'::text, 'emergency'::text, 'rejected'::text, 'expired'::text, 'cancelled'::text, 'void'::text])));

alter table operation_holds add constraint operation_holds_explained CHECK (((ended_for IS DISTINCT FROM 'explained'::text) OR (approvers = 0)));

alter table operation_holds add constraint operation_holds_number_check CHECK ((number > 0));

alter table operation_holds add constraint operation_holds_plan_hash_check CHECK ((length(plan_hash) = 32));

alter table operation_holds add constraint operation_holds_policy_digest_check CHECK ((length(policy_digest) = 32));

alter table operation_holds add constraint operation_holds_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table operation_holds add constraint operation_holds_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table operation_pacing add constraint operation_pacing_pkey PRIMARY KEY (operation_id);

alter table operation_pacing add constraint operation_pacing_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table operation_pulses add constraint operation_pulses_pkey PRIMARY KEY (operation_id, second);

alter table operation_samples add constraint operation_samples_pkey PRIMARY KEY (operation_id, at);

alter table operation_samples add constraint operation_samples_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table operation_traces add constraint operation_traces_pkey PRIMARY KEY (operation_id);

alter table operation_traces add constraint operation_traces_traceparent_check CHECK ((traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-01$'::text));

alter table operation_traces add constraint operation_traces_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table operation_verdicts add constraint operation_verdicts_pkey PRIMARY KEY (operation_id, hold, actor, verdict);

alter table operation_verdicts add constraint operation_verdicts_actor_check CHECK ((actor <> ''::text));

alter table operation_verdicts add constraint operation_verdicts_comment CHECK ((((comment IS NULL) = (salt IS NULL)) AND ((comment IS NULL) OR (comment_digest IS NOT NULL))));

alter table operation_verdicts add constraint operation_verdicts_comment_check CHECK (((length(comment) >= 1) AND (length(comment) <= 1000)));

alter table operation_verdicts add constraint operation_verdicts_comment_digest_check CHECK ((length(comment_digest) = 32));

alter table operation_verdicts add constraint operation_verdicts_salt_check CHECK ((length(salt) = 16));

alter table operation_verdicts add constraint operation_verdicts_verdict_check CHECK ((verdict = ANY (ARRAY['approve'::text, 'reject'::text, 'emergency'::text])));

alter table operation_verdicts add constraint operation_verdicts_operation_id_hold_fkey FOREIGN KEY (operation_id, hold) REFERENCES operation_holds(operation_id, number);

alter table operations add constraint operations_pkey PRIMARY KEY (id);

alter table operations add constraint operations_workflow_id_key UNIQUE (workflow_id);

alter table operations add constraint operations_awaiting CHECK (((state <> 'awaiting_approval'::text) OR (control <> 'run'::text)));

alter table operations add constraint operations_check CHECK (((state = ANY (ARRAY['completed'::text, 'completed_with_failures'::text, 'cancelled'::text])) = (closed_at IS NOT NULL)));

alter table operations add constraint operations_check1 CHECK (((closed_at IS NULL) = (next_event_at IS NOT NULL)));

alter table operations add constraint operations_check2 CHECK (((closed_at IS NULL) OR (report IS NOT NULL)));

alter table operations add constraint operations_control_check CHECK ((control = ANY (ARRAY['run'::text, 'pause'::text, 'cancel'::text])));

alter table operations add constraint operations_estimated_events_check CHECK ((estimated_events >= 0));

alter table operations add constraint operations_halted CHECK (((state <> 'halted'::text) OR ((halt IS NOT NULL) AND (control <> 'run'::text))));

alter table operations add constraint operations_kind_check CHECK ((kind = ANY (ARRAY['retry'::text, 'replay'::text])));

alter table operations add constraint operations_max_concurrency_check CHECK ((max_concurrency > 0));

alter table operations add constraint operations_new_identity CHECK (((NOT new_identity) OR (kind = 'replay'::text)));

alter table operations add constraint operations_rate_per_second_check CHECK ((rate_per_second > (0)::double precision));

alter table operations add constraint operations_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'awaiting_approval'::text, 'accepted'::text, 'selecting'::text, 'running'::text, 'paused'::text, 'halted'::text, 'closing'::text, 'completed'::text, 'completed_with_failures'::text, 'cancelled'::text])));

alter table operations add constraint operations_target_check CHECK ((target = ANY (ARRAY['original'::text, 'current'::text])));

alter table operations add constraint operations_requested_by_fkey FOREIGN KEY (requested_by) REFERENCES api_keys(id);

alter table operations add constraint operations_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table outage_operations add constraint outage_operations_pkey PRIMARY KEY (operation_id);

alter table outage_operations add constraint outage_operations_check CHECK ((made OR (NOT runs)));

alter table outage_operations add constraint outage_operations_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table outage_operations add constraint outage_operations_outage_id_fkey FOREIGN KEY (outage_id) REFERENCES outages(id);

alter table outages add constraint outages_pkey PRIMARY KEY (id);

alter table outages add constraint outages_bad_check CHECK ((bad >= 0));

alter table outages add constraint outages_cause_check CHECK ((cause = ANY (ARRAY['circuit_open'::text, 'gone'::text, 'disabled'::text, 'not_delivered'::text])));

alter table outages add constraint outages_check CHECK ((reaches_back_to <= began_at));

alter table outages add constraint outages_ended CHECK ((((state = ANY (ARRAY['closed'::text, 'dismissed'::text])) = (ended_at IS NOT NULL)) AND ((ended_at IS NULL) = (ended_for IS NULL)) AND ((state = 'dismissed'::text) = (NOT (ended_for IS DISTINCT FROM 'dismissed'::text)))));

alter table outages add constraint outages_ended_for_check CHECK ((ended_for = ANY (ARRAY['nothing_left'::text, 'dismissed'::text, 'retention'::text, 'endpoint_deleted'::text])));

alter table outages add constraint outages_good_check CHECK ((good >= 0));

alter table outages add constraint outages_on_recovered_check CHECK ((on_recovered = ANY (ARRAY['none'::text, 'propose'::text, 'run'::text])));

alter table outages add constraint outages_openings_check CHECK ((openings > 0));

alter table outages add constraint outages_recovered CHECK ((((state = 'open'::text) <= ((recovered_at IS NULL) AND (on_recovered IS NULL))) AND ((state = 'recovered'::text) <= (recovered_at IS NOT NULL)) AND ((recovered_at IS NULL) = (on_recovered IS NULL))));

alter table outages add constraint outages_spell CHECK ((((good_from IS NULL) = (good = 0)) AND ((good_from IS NOT NULL) OR (bad = 0))));

alter table outages add constraint outages_state_check CHECK ((state = ANY (ARRAY['open'::text, 'recovered'::text, 'closed'::text, 'dismissed'::text])));

alter table outages add constraint outages_trials_check CHECK ((trials >= 0));

alter table outages add constraint outages_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES endpoints(id);

alter table outages add constraint outages_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table pace_slots add constraint pace_slots_pkey PRIMARY KEY (paced_id, token);

alter table pace_slots add constraint pace_slots_slots_check CHECK ((slots >= 0));

alter table payload_sweep_held add constraint payload_sweep_held_pkey PRIMARY KEY (tenant_id, event_id);

alter table payload_sweep_held add constraint payload_sweep_held_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table payload_sweeps add constraint payload_sweeps_pkey PRIMARY KEY (tenant_id);

alter table payload_sweeps add constraint payload_sweeps_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table payloads add constraint payloads_pkey PRIMARY KEY (event_id);

alter table plan_endpoints add constraint plan_endpoints_pkey PRIMARY KEY (operation_id, endpoint_id);

alter table plan_endpoints add constraint plan_endpoints_check CHECK (((sends >= 0) AND (sends <= items)));

alter table plan_endpoints add constraint plan_endpoints_items_check CHECK ((items >= 0));

alter table plan_endpoints add constraint plan_endpoints_risks_check CHECK ((cardinality(risks) = 14));

alter table plan_endpoints add constraint plan_endpoints_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES plans(operation_id);

alter table plan_pages add constraint plan_pages_pkey PRIMARY KEY (operation_id, number);

alter table plan_pages add constraint plan_pages_check CHECK ((cardinality(ids) = cardinality(risks)));

alter table plan_pages add constraint plan_pages_digest_check CHECK ((length(digest) = 32));

alter table plan_pages add constraint plan_pages_ids_check CHECK ((cardinality(ids) <= 1000));

alter table plan_pages add constraint plan_pages_number_check CHECK ((number >= 0));

alter table plan_pages add constraint plan_pages_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES plans(operation_id);

alter table plans add constraint plans_pkey PRIMARY KEY (operation_id);

alter table plans add constraint plans_check CHECK (((origin = 'policy'::text) OR (NOT emergency)));

alter table plans add constraint plans_executed CHECK ((((executed_at IS NULL) = (executed_by IS NULL)) AND ((executed_at IS NULL) OR (planned_at IS NOT NULL)) AND ((executed_at IS NULL) OR (NOT expired)) AND ((drift IS NULL) OR (executed_at IS NOT NULL))));

alter table plans add constraint plans_items_check CHECK ((items >= 0));

alter table plans add constraint plans_items_digest_check CHECK ((length(items_digest) = 32));

alter table plans add constraint plans_life_ms_check CHECK ((life_ms > (0)::double precision));

alter table plans add constraint plans_max_drift_percent_check CHECK (((max_drift_percent >= (0)::double precision) AND (max_drift_percent <= (100)::double precision)));

alter table plans add constraint plans_origin_check CHECK ((origin = ANY (ARRAY['plan'::text, 'dry_run'::text, 'policy'::text])));

alter table plans add constraint plans_pages_check CHECK ((pages >= 0));

alter table plans add constraint plans_pin CHECK ((((pin_from IS NULL) = (pin_to IS NULL)) AND ((origin <> 'dry_run'::text) OR (pin_from IS NULL))));

alter table plans add constraint plans_plan_hash_check CHECK ((length(plan_hash) = 32));

alter table plans add constraint plans_planned CHECK ((((planned_at IS NULL) = (plan_hash IS NULL)) AND ((planned_at IS NULL) = (items_digest IS NULL)) AND ((planned_at IS NULL) = (risks_digest IS NULL))));

alter table plans add constraint plans_risks_digest_check CHECK ((length(risks_digest) = 32));

alter table plans add constraint plans_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table plans add constraint plans_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table platform_limits add constraint platform_limits_pkey PRIMARY KEY (only_one);

alter table platform_limits add constraint platform_limits_items_per_day_check CHECK ((items_per_day > 0));

alter table platform_limits add constraint platform_limits_items_per_operation_check CHECK ((items_per_operation > 0));

alter table platform_limits add constraint platform_limits_least_event_days_check CHECK ((least_event_days > 0));

alter table platform_limits add constraint platform_limits_least_ledger_days_check CHECK ((least_ledger_days > 0));

alter table platform_limits add constraint platform_limits_least_payload_days_check CHECK ((least_payload_days > 0));

alter table platform_limits add constraint platform_limits_least_receipt_days_check CHECK ((least_receipt_days > 0));

alter table platform_limits add constraint platform_limits_least_report_days_check CHECK ((least_report_days > 0));

alter table platform_limits add constraint platform_limits_only_one_check CHECK (only_one);

alter table platform_limits add constraint platform_limits_open_operations_check CHECK ((open_operations > 0));

alter table platform_limits add constraint platform_limits_rate_per_second_check CHECK ((rate_per_second > (0)::double precision));

alter table queue add constraint queue_pkey PRIMARY KEY (delivery_id);

alter table queue add constraint queue_attempts_check CHECK ((attempts >= 0));

alter table queue add constraint queue_lease CHECK (((state = 'sending'::text) = (lease_token IS NOT NULL)));

alter table queue add constraint queue_lost_attempts CHECK (((lost_attempts >= 0) AND (lost_attempts <= attempts)));

alter table queue add constraint queue_probe_unknown CHECK (((probe_at IS NULL) OR (state = 'unknown'::text)));

alter table queue add constraint queue_put_off_ms_check CHECK ((put_off_ms >= (0)::double precision));

alter table queue add constraint queue_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'scheduled'::text, 'sending'::text, 'unknown'::text])));

alter table quota_charges add constraint quota_charges_pkey PRIMARY KEY (operation_id, tenant_id);

alter table quota_charges add constraint quota_charges_items_check CHECK ((items >= 0));

alter table quota_charges add constraint quota_charges_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table quota_charges add constraint quota_charges_tenant_id_day_fkey FOREIGN KEY (tenant_id, day) REFERENCES quota_days(tenant_id, day);

alter table quota_days add constraint quota_days_pkey PRIMARY KEY (tenant_id, day);

alter table quota_days add constraint quota_days_items_check CHECK ((items >= 0));

alter table quota_days add constraint quota_days_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table rate_buckets add constraint rate_buckets_pkey PRIMARY KEY (surface, holder);

alter table rate_buckets add constraint rate_buckets_granted_check CHECK ((granted >= 0));

alter table rate_buckets add constraint rate_buckets_tokens_check CHECK ((tokens >= (0)::double precision));

alter table receipt_diagnostics add constraint receipt_diagnostics_pkey PRIMARY KEY (id);

alter table receipt_diagnostics add constraint receipt_diagnostics_check CHECK (((state = 'frozen'::text) = (frozen_at IS NOT NULL)));

alter table receipt_diagnostics add constraint receipt_diagnostics_state_check CHECK ((state = ANY (ARRAY['previewed'::text, 'frozen'::text])));

alter table receipt_diagnostics add constraint receipt_diagnostics_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table receipt_replays add constraint receipt_replays_pkey PRIMARY KEY (id);

alter table receipt_replays add constraint receipt_replays_binding_check CHECK ((length(binding) = 32));

alter table receipt_replays add constraint receipt_replays_check CHECK (((state = 'previewed'::text) = (confirmed_at IS NULL)));

alter table receipt_replays add constraint receipt_replays_check1 CHECK (((state = 'executed'::text) = (executed_at IS NOT NULL)));

alter table receipt_replays add constraint receipt_replays_check2 CHECK (((executed_at IS NULL) = (operation_id IS NULL)));

alter table receipt_replays add constraint receipt_replays_check3 CHECK (((confirmed_at IS NULL) OR duplicate_risk_confirmed OR (NOT duplicate_risk)));

alter table receipt_replays add constraint receipt_replays_key_hash_check CHECK ((length(key_hash) = 32));

alter table receipt_replays add constraint receipt_replays_kind_check CHECK ((kind = ANY (ARRAY['handoff'::text, 'afresh'::text])));

alter table receipt_replays add constraint receipt_replays_state_check CHECK ((state = ANY (ARRAY['previewed'::text, 'confirmed'::text, 'executed'::text])));

alter table receipt_replays add constraint receipt_replays_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table receipt_replays add constraint receipt_replays_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table rejections add constraint rejections_pkey PRIMARY KEY (id);

alter table rejections add constraint rejections_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table report_addenda add constraint report_addenda_pkey PRIMARY KEY (operation_id, number);

alter table report_addenda add constraint report_addenda_changes_check CHECK ((changes >= 1));

alter table report_addenda add constraint report_addenda_digest_check CHECK ((length(digest) = 32));

alter table report_addenda add constraint report_addenda_number_check CHECK ((number >= 1));

alter table report_addenda add constraint report_addenda_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES closure_reports(operation_id);

alter table report_addenda add constraint report_addenda_signing_key_id_fkey FOREIGN KEY (signing_key_id) REFERENCES signing_keys(id);

alter table report_drafts add constraint report_drafts_pkey PRIMARY KEY (operation_id);

alter table report_drafts add constraint report_drafts_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id);

alter table report_sweeps add constraint report_sweeps_pkey PRIMARY KEY (tenant_id);

alter table report_sweeps add constraint report_sweeps_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table resolutions add constraint resolutions_pkey PRIMARY KEY (id);

alter table resolutions add constraint resolutions_check CHECK ((((key_hash IS NULL) = (fingerprint IS NULL)) AND ((key_hash IS NULL) = (key_expires_at IS NULL))));

alter table resolutions add constraint resolutions_key_hash_check CHECK ((length(key_hash) = 32));

alter table resolutions add constraint resolutions_outcome_check CHECK ((outcome = ANY (ARRAY['delivered'::text, 'failed'::text, 'retry'::text])));

alter table resolutions add constraint resolutions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table resolved_executions add constraint resolved_executions_pkey PRIMARY KEY (execution_id, resolution_id);

alter table resolved_executions add constraint resolved_executions_resolution_id_fkey FOREIGN KEY (resolution_id) REFERENCES resolutions(id);

alter table schema_migrations add constraint schema_migrations_pkey PRIMARY KEY (name);

alter table sign_in_codes add constraint sign_in_codes_pkey PRIMARY KEY (code_hash);

alter table sign_in_codes add constraint sign_in_codes_code_hash_check CHECK ((length(code_hash) = 32));

alter table sign_in_codes add constraint sign_in_codes_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_keys(id);

alter table signers add constraint signers_pkey PRIMARY KEY (id);

alter table signers add constraint signers_tenant_id_handle_key UNIQUE (tenant_id, handle);

alter table signers add constraint signers_tenant_id_public_key_key UNIQUE (tenant_id, public_key);

alter table signers add constraint signers_handle_check CHECK (((handle ~ '^[a-zA-Z0-9_+.-]{1,81}$'::text) AND (handle <> ALL (ARRAY['system'::text, 'any'::text]))));

alter table signers add constraint signers_proved_by_check CHECK ((proved_by = ANY (ARRAY['key'::text, 'installation'::text])));

alter table signers add constraint signers_public_key_check CHECK ((length(public_key) = 32));

alter table signers add constraint signers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table signing_keys add constraint signing_keys_pkey PRIMARY KEY (id);

alter table signing_keys add constraint signing_keys_check CHECK (((retired_at IS NULL) = (sealed_private_key IS NOT NULL)));

alter table signing_keys add constraint signing_keys_check1 CHECK (((revoked_at IS NULL) OR (retired_at IS NOT NULL)));

alter table signing_keys add constraint signing_keys_public_key_check CHECK ((length(public_key) = 32));

alter table tenant_counters add constraint tenant_counters_pkey PRIMARY KEY (tenant_id);

alter table tenant_counters add constraint tenant_counters_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table tenant_policies add constraint tenant_policies_pkey PRIMARY KEY (tenant_id);

alter table tenant_policies add constraint tenant_policies_approve_above_check CHECK ((approve_above >= 0));

alter table tenant_policies add constraint tenant_policies_approve_when_check CHECK ((approve_when <@ ARRAY['mayHaveArrived'::text, 'endpointChanged'::text, 'replayOfDelivered'::text]));

alter table tenant_policies add constraint tenant_policies_approvers_check CHECK (((approvers >= 1) AND (approvers <= 5)));

alter table tenant_policies add constraint tenant_policies_digest_check CHECK ((length(digest) = 32));

alter table tenant_policies add constraint tenant_policies_freeze_windows_check CHECK (((jsonb_typeof(freeze_windows) = 'array'::text) AND (jsonb_array_length(freeze_windows) <= 50)));

alter table tenant_policies add constraint tenant_policies_items_per_day_check CHECK ((items_per_day >= 0));

alter table tenant_policies add constraint tenant_policies_items_per_operation_check CHECK ((items_per_operation >= 0));

alter table tenant_policies add constraint tenant_policies_open_operations_check CHECK ((open_operations >= 0));

alter table tenant_policies add constraint tenant_policies_rate_per_second_check CHECK ((rate_per_second > (0)::double precision));

alter table tenant_policies add constraint tenant_policies_reason_above_check CHECK ((reason_above >= 0));

alter table tenant_policies add constraint tenant_policies_ticket CHECK (((ticket_pattern IS NULL) OR (reason_above IS NOT NULL)));

alter table tenant_policies add constraint tenant_policies_ticket_pattern_check CHECK (((length(ticket_pattern) >= 1) AND (length(ticket_pattern) <= 200)));

alter table tenant_policies add constraint tenant_policies_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id);

alter table tenants add constraint tenants_pkey PRIMARY KEY (id);

alter table tenants add constraint tenants_handle_key UNIQUE (handle);

alter table tenants add constraint tenants_handle_check CHECK (((handle ~ '^[a-z0-9][a-z0-9._-]{0,62}$'::text) AND (handle !~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'::text) AND (handle !~ '^[a-z]{2,4}_[0-9a-hjkmnp-tv-z]{26}$'::text)));

alter table tenants add constraint tenants_plan_check CHECK ((plan = ANY (ARRAY['free'::text, 'pro'::text, 'business'::text])));

alter table tenants add constraint tenants_settings_check CHECK ((jsonb_typeof(settings) = 'object'::text));

alter table undelivered add constraint undelivered_pkey PRIMARY KEY (delivery_id);

alter table undelivered add constraint undelivered_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'failed'::text, 'unknown'::text, 'cancelled'::text, 'ignored'::text])));

alter table workers add constraint workers_pkey PRIMARY KEY (id);

-- Indexes

CREATE INDEX access_rules_by_tenant ON public.access_rules USING btree (tenant_id, id);

CREATE INDEX announcements_by_tenant ON public.announcements USING btree (tenant_id, id);

CREATE INDEX api_keys_by_tenant ON public.api_keys USING btree (tenant_id, id);

CREATE INDEX audit_entries_by_target ON public.audit_entries USING btree (target_id, tenant_id, number);

CREATE INDEX audit_entries_by_time ON public.audit_entries USING btree (tenant_id, at);

CREATE INDEX audit_entries_unsealed ON public.audit_entries USING btree (tenant_id, id) WHERE (number IS NULL);

CREATE INDEX claims_by_lease ON public.claims USING btree (lease_until);

CREATE INDEX claims_by_owner ON public.claims USING btree (worked_by);

CREATE INDEX closure_reports_by_signing ON public.closure_reports USING btree (tenant_id, signed_at, operation_id);

CREATE INDEX console_sessions_by_age ON public.console_sessions USING btree (created_at);

CREATE INDEX deliveries_by_endpoint ON public.deliveries USING btree (endpoint_id, accepted_at, id);

CREATE INDEX deliveries_by_tenant ON public.deliveries USING btree (tenant_id, accepted_at, id);

CREATE UNIQUE INDEX deliveries_by_webhook_id ON public.deliveries USING btree (endpoint_id, webhook_id) WHERE (webhook_id IS NOT NULL);

CREATE UNIQUE INDEX deliveries_once ON public.deliveries USING btree (event_id, endpoint_id) WHERE (replay_of IS NULL);

CREATE UNIQUE INDEX deliveries_once_replayed ON public.deliveries USING btree (operation_id, replay_of) WHERE (operation_id IS NOT NULL);

CREATE INDEX deliveries_replayed ON public.deliveries USING btree (event_id, id) WHERE (replay_of IS NOT NULL);

CREATE INDEX endpoint_secrets_by_endpoint ON public.endpoint_secrets USING btree (endpoint_id, id);

CREATE INDEX endpoint_secrets_expiring ON public.endpoint_secrets USING btree (expires_at) WHERE (expires_at IS NOT NULL);

CREATE INDEX endpoint_versions_failed_files ON public.endpoint_versions USING btree (tenant_id, created_at) WHERE ('file.failed.v2'::text = ANY (event_types));

CREATE INDEX endpoint_versions_told ON public.endpoint_versions USING btree (tenant_id) WHERE (event_types && ARRAY['operation.awaiting_approval'::text, 'operation.approved'::text, 'operation.rejected'::text, 'operation.halted'::text, 'operation.closed'::text, 'operation.drift_too_large'::text, 'outage.opened'::text, 'outage.recovered'::text]);

CREATE UNIQUE INDEX endpoints_by_handle ON public.endpoints USING btree (tenant_id, handle) WHERE (state <> 'deleted'::text);

CREATE INDEX endpoints_by_tenant ON public.endpoints USING btree (tenant_id, id) WHERE (state <> 'deleted'::text);

CREATE INDEX event_sweep_held_by_age ON public.event_sweep_held USING btree (tenant_id, accepted_at);

CREATE INDEX event_sweep_held_by_look ON public.event_sweep_held USING btree (tenant_id, looked_at);

CREATE INDEX events_by_acceptance ON public.events USING btree (tenant_id, accepted_at, id);

CREATE INDEX events_by_batch ON public.events USING btree (tenant_id, ingestion_batch_id, accepted_at, id) WHERE (ingestion_batch_id IS NOT NULL);

CREATE INDEX events_by_key ON public.events USING btree (tenant_id, key, accepted_at, id) WHERE (key IS NOT NULL);

CREATE INDEX exclusions_by_delivery ON public.exclusions USING btree (delivery_id);

CREATE UNIQUE INDEX execution_records_by_delivery ON public.execution_records USING btree (delivery_id, generation);

CREATE INDEX execution_records_by_operation ON public.execution_records USING btree (operation_id, id) WHERE (operation_id IS NOT NULL);

CREATE INDEX idempotency_keys_expiring ON public.idempotency_keys USING btree (expires_at) WHERE (expires_at < 'infinity'::timestamp with time zone);

CREATE INDEX idempotency_keys_of_operation ON public.idempotency_keys USING btree (operation_id);

CREATE INDEX idempotency_keys_while_open ON public.idempotency_keys USING btree (created_at) WHERE while_open;

CREATE INDEX import_lines_not_accepted ON public.import_lines USING btree (import_id, result, line) WHERE (result <> 'accepted'::text);

CREATE INDEX imports_by_tenant ON public.imports USING btree (tenant_id, id);

CREATE UNIQUE INDEX imports_one_open ON public.imports USING btree (tenant_id) WHERE (state = 'open'::text);

CREATE INDEX imports_open ON public.imports USING btree (expires_at) WHERE (state = 'open'::text);

CREATE INDEX imports_with_lines ON public.imports USING btree (ended_at) WHERE ((ended_at IS NOT NULL) AND (lines_removed_at IS NULL));

CREATE INDEX jwt_issuers_by_audience ON public.jwt_issuers USING btree (issuer, audience);

CREATE UNIQUE INDEX jwt_issuers_by_claims ON public.jwt_issuers USING btree (tenant_id, issuer, audience) NULLS NOT DISTINCT WHERE (revoked_at IS NULL);

CREATE INDEX jwt_issuers_by_tenant ON public.jwt_issuers USING btree (tenant_id, id);

CREATE UNIQUE INDEX jwt_issuers_unnamed ON public.jwt_issuers USING btree (issuer, audience) WHERE (by_installation AND (revoked_at IS NULL));

CREATE INDEX listed_executions_by_end ON public.listed_executions USING btree (tenant_id, finished_at, execution_id);

CREATE INDEX listed_executions_undelivered ON public.listed_executions USING btree (tenant_id, finished_at, execution_id) WHERE undelivered;

CREATE INDEX listener_requests_expiring ON public.listener_requests USING btree (expires_at);

CREATE INDEX listener_requests_waiting ON public.listener_requests USING btree (listener_id, id) WHERE (handed_at IS NULL);

CREATE INDEX listeners_expiring ON public.listeners USING btree (expires_at) WHERE (ended_at IS NULL);

CREATE UNIQUE INDEX listeners_places ON public.listeners USING btree (tenant_id, place) WHERE (ended_at IS NULL);

CREATE INDEX operation_endpoints_by_operation ON public.operation_endpoints USING btree (operation_id);

CREATE UNIQUE INDEX operation_holds_open ON public.operation_holds USING btree (operation_id) WHERE (ended_at IS NULL);

CREATE INDEX operations_by_actor ON public.operations USING btree (tenant_id, actor, id);

CREATE INDEX operations_by_tenant ON public.operations USING btree (tenant_id, id);

CREATE INDEX operations_by_ticket ON public.operations USING btree (tenant_id, ticket, id) WHERE (ticket IS NOT NULL);

CREATE INDEX operations_open ON public.operations USING btree (next_event_at) WHERE (closed_at IS NULL);

CREATE INDEX outage_operations_by_outage ON public.outage_operations USING btree (outage_id, operation_id);

CREATE INDEX outages_by_endpoint ON public.outages USING btree (endpoint_id, id);

CREATE INDEX outages_by_tenant ON public.outages USING btree (tenant_id, id);

CREATE UNIQUE INDEX outages_one_open ON public.outages USING btree (endpoint_id) WHERE (state = 'open'::text);

CREATE INDEX outages_unended ON public.outages USING btree (look_at) WHERE (state = ANY (ARRAY['open'::text, 'recovered'::text]));

CREATE INDEX pace_slots_by_token ON public.pace_slots USING btree (token);

CREATE INDEX payload_sweep_held_by_look ON public.payload_sweep_held USING btree (tenant_id, looked_at);

CREATE INDEX plans_pinning ON public.plans USING btree (tenant_id) WHERE (pin_from IS NOT NULL);

CREATE INDEX plans_with_pages ON public.plans USING btree (operation_id) WHERE ((executed_at IS NULL) AND (pages_gone_at IS NULL));

CREATE INDEX queue_due ON public.queue USING btree (worked_by, endpoint_id, due_at, execution_id) WHERE in_queue;

CREATE INDEX queue_give_up ON public.queue USING btree (give_up_at) WHERE (in_queue AND (give_up_at > '-infinity'::timestamp with time zone));

CREATE INDEX queue_probe ON public.queue USING btree (probe_at) WHERE (probe_at IS NOT NULL);

CREATE INDEX receipt_diagnostics_by_receipt ON public.receipt_diagnostics USING btree (receipt_id);

CREATE INDEX receipt_diagnostics_drafts ON public.receipt_diagnostics USING btree (expires_at) WHERE (state = 'previewed'::text);

CREATE INDEX receipt_replays_by_event ON public.receipt_replays USING btree (tenant_id, event_id, id);

CREATE UNIQUE INDEX receipt_replays_by_key ON public.receipt_replays USING btree (tenant_id, key_hash);

CREATE INDEX receipt_replays_by_operation ON public.receipt_replays USING btree (operation_id);

CREATE INDEX receipt_replays_executed ON public.receipt_replays USING btree (tenant_id, executed_at) WHERE (executed_at IS NOT NULL);

CREATE INDEX rejections_by_request ON public.rejections USING btree (tenant_id, request_id);

CREATE INDEX rejections_by_time ON public.rejections USING btree (tenant_id, rejected_at, id);

CREATE UNIQUE INDEX resolutions_by_key ON public.resolutions USING btree (tenant_id, key_hash) WHERE (key_hash IS NOT NULL);

CREATE INDEX resolutions_keys_expiring ON public.resolutions USING btree (key_expires_at) WHERE (key_expires_at IS NOT NULL);

CREATE INDEX resolved_executions_by_resolution ON public.resolved_executions USING btree (resolution_id);

CREATE INDEX signers_by_handle ON public.signers USING btree (handle);

CREATE INDEX signers_by_key ON public.signers USING btree (public_key);

CREATE UNIQUE INDEX signing_keys_one_active ON public.signing_keys USING btree ((true)) WHERE (retired_at IS NULL);

CREATE UNIQUE INDEX tenants_platform ON public.tenants USING btree (platform) WHERE platform;

CREATE INDEX undelivered_by_endpoint ON public.undelivered USING btree (state, endpoint_id, accepted_at, delivery_id);

CREATE INDEX undelivered_by_fault ON public.undelivered USING btree (tenant_id, fault_code, accepted_at, delivery_id) WHERE (state = 'failed'::text);

CREATE INDEX undelivered_by_tenant ON public.undelivered USING btree (state, tenant_id, accepted_at, delivery_id);

CREATE INDEX undelivered_order ON public.undelivered USING btree (endpoint_id, order_key, order_number) WHERE (order_key IS NOT NULL);

-- Views

create view executions as
 WITH q AS (
         SELECT queue.delivery_id,
            queue.execution_id,
            queue.tenant_id,
            queue.endpoint_id,
            queue.operation_id,
            queue.worked_by,
            queue.state,
            queue.in_queue,
            queue.target_version,
            queue.match_filter,
            queue.on_ambiguous,
            queue.due_at,
            queue.put_off_from,
            queue.give_up_at,
            queue.put_off_ms,
            queue.reconcile_until,
            queue.attempts,
            queue.lost_attempts,
            queue.may_have_arrived,
            queue.probe_at,
            queue.probes,
            queue.acknowledged_at,
            queue.lease_token
           FROM queue
        )
 SELECT r.id,
    r.tenant_id,
    r.delivery_id,
    r.endpoint_id,
    r.operation_id,
    r.parent_id,
    q.worked_by,
    COALESCE(q.state, r.outcome) AS state,
    r.outcome IS NULL AS open,
    q.in_queue,
    r.outcome IS DISTINCT FROM 'cancelled'::text OR r.attempts > 0 AS keeps_slot,
    COALESCE(r.outcome <> 'delivered'::text, false) AS undelivered,
    r.reason,
    r.target_version,
    r.match_filter,
    COALESCE(q.due_at, r.due_at) AS due_at,
    q.put_off_from,
    COALESCE(q.give_up_at, r.give_up_at) AS give_up_at,
    q.reconcile_until,
    COALESCE(q.attempts, r.attempts) AS attempts,
    COALESCE(q.lost_attempts, r.lost_attempts) AS lost_attempts,
    COALESCE(q.may_have_arrived, r.may_have_arrived) AS may_have_arrived,
    r.on_ambiguous,
    q.probe_at,
    q.probes,
    COALESCE(q.acknowledged_at, r.acknowledged_at) AS acknowledged_at,
    q.lease_token,
    r.created_at,
    r.finished_at,
    COALESCE(q.put_off_ms, r.put_off_ms) AS put_off_ms,
    r.generation
   FROM execution_records r
     LEFT JOIN q ON q.delivery_id = r.delivery_id AND q.execution_id = r.id;

-- Triggers

CREATE TRIGGER keep_checkpoint BEFORE DELETE OR UPDATE ON public.audit_checkpoints FOR EACH ROW EXECUTE FUNCTION keep_audit_checkpoint();

CREATE TRIGGER keep_checkpoints BEFORE TRUNCATE ON public.audit_checkpoints FOR EACH STATEMENT EXECUTE FUNCTION keep_audit_checkpoint();

CREATE TRIGGER keep_entries BEFORE TRUNCATE ON public.audit_entries FOR EACH STATEMENT EXECUTE FUNCTION keep_audit_entry();

CREATE TRIGGER keep_entry BEFORE DELETE OR UPDATE ON public.audit_entries FOR EACH ROW EXECUTE FUNCTION keep_audit_entry();

CREATE TRIGGER keep_head BEFORE DELETE OR UPDATE ON public.audit_heads FOR EACH ROW EXECUTE FUNCTION keep_audit_head();

CREATE TRIGGER keep_heads BEFORE TRUNCATE ON public.audit_heads FOR EACH STATEMENT EXECUTE FUNCTION keep_audit_head();

CREATE TRIGGER never_changed BEFORE UPDATE ON public.closure_reports FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER undelivered_deletes AFTER DELETE ON public.deliveries REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION undelivered_deleted();

CREATE TRIGGER undelivered_inserts AFTER INSERT ON public.deliveries REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION undelivered_inserted();

CREATE TRIGGER undelivered_updates AFTER UPDATE ON public.deliveries REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION undelivered_updated();

CREATE TRIGGER revise_endpoint_of_secret AFTER INSERT OR DELETE OR UPDATE ON public.endpoint_secrets FOR EACH ROW EXECUTE FUNCTION revise_endpoint_of_secret();

CREATE TRIGGER revise_endpoint BEFORE UPDATE ON public.endpoints FOR EACH ROW WHEN (((((old.state IS DISTINCT FROM new.state) OR (old.current_version IS DISTINCT FROM new.current_version)) OR (old.prepares IS DISTINCT FROM new.prepares)) OR (old.ordered IS DISTINCT FROM new.ordered))) EXECUTE FUNCTION revise_endpoint();

CREATE TRIGGER account_deletes AFTER DELETE ON public.exclusions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION account_deleted_exclusions();

CREATE TRIGGER account_inserts AFTER INSERT ON public.exclusions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION account_inserted_exclusions();

CREATE TRIGGER account_changes AFTER UPDATE ON public.execution_records FOR EACH ROW WHEN (((old.outcome IS NOT NULL) AND (new.outcome IS DISTINCT FROM old.outcome))) EXECUTE FUNCTION account_changed_outcome();

CREATE TRIGGER account_inserts AFTER INSERT ON public.execution_records REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION account_record_inserts();

CREATE TRIGGER refuse_removals AFTER DELETE ON public.execution_records REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

CREATE TRIGGER write_like_before INSTEAD OF INSERT OR DELETE OR UPDATE ON public.executions FOR EACH ROW EXECUTE FUNCTION write_like_before();

CREATE TRIGGER never_changed BEFORE UPDATE ON public.ledger_chunks FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER frozen_counts BEFORE UPDATE ON public.operation_counts FOR EACH ROW WHEN ((old.frozen AND (new.* IS DISTINCT FROM old.*))) EXECUTE FUNCTION refuse_change();

CREATE TRIGGER keep_hold BEFORE UPDATE ON public.operation_holds FOR EACH ROW EXECUTE FUNCTION keep_hold();

CREATE TRIGGER refuse_self_approval BEFORE INSERT ON public.operation_verdicts FOR EACH ROW WHEN ((new.verdict = 'approve'::text)) EXECUTE FUNCTION refuse_self_approval();

CREATE TRIGGER check_transition BEFORE UPDATE ON public.operations FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION check_operation_transition();

CREATE TRIGGER refuse_held_run BEFORE UPDATE OF state, control ON public.operations FOR EACH ROW WHEN (((new.control = 'run'::text) AND ((old.control <> 'run'::text) OR (old.state IS DISTINCT FROM new.state)))) EXECUTE FUNCTION refuse_held_run();

CREATE TRIGGER check_transition BEFORE UPDATE ON public.outages FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION check_outage_transition();

CREATE TRIGGER refuse_change BEFORE INSERT OR UPDATE ON public.plan_endpoints FOR EACH ROW EXECUTE FUNCTION refuse_change_of_plan();

CREATE TRIGGER refuse_change BEFORE INSERT OR UPDATE ON public.plan_pages FOR EACH ROW EXECUTE FUNCTION refuse_change_of_plan();

CREATE TRIGGER account_deletes AFTER DELETE ON public.queue REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION account_queue_deletes();

CREATE TRIGGER account_inserts AFTER INSERT ON public.queue REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION account_queue_inserts();

CREATE TRIGGER account_updates AFTER UPDATE ON public.queue REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION account_queue_updates();

CREATE TRIGGER check_transition AFTER UPDATE ON public.queue FOR EACH ROW WHEN (((old.state <> new.state) AND (old.state <> 'sending'::text) AND ((new.state <> 'sending'::text) OR (old.state = 'unknown'::text)))) EXECUTE FUNCTION check_queue_transition();

CREATE TRIGGER keep_frozen BEFORE DELETE OR UPDATE ON public.receipt_diagnostics FOR EACH ROW EXECUTE FUNCTION keep_frozen_diagnostics();

CREATE TRIGGER never_changed BEFORE UPDATE ON public.report_addenda FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Comments

comment on table column public.execution_records.match_filter is 'The endpoint''s current types and filter are applied once more before it is sent.';
