-- Why: each change of an execution wrote into ten indexes, most of which are about what has ended. What never changes, with
-- the outcome that is written once, stands apart from what is open: a narrow row in the queue for as long as there is
-- something to send or to find out. An item costs six entries of indexes when it is made, none when it is claimed, and one
-- or two when its outcome is recorded.
--
-- Here both come beside `executions`, which goes on owning everything: triggers keep them as its copy, and what was there
-- before them is copied by `copy_executions`, in batches, before the next file lets them take over. The version before this
-- one works on meanwhile, at the price of the copy.

create table execution_records (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null,
  delivery_id uuid not null,
  endpoint_id uuid not null,
  operation_id uuid,
  parent_id uuid,
  -- The order of the runs of a delivery. A new run takes the number behind the newest that its statement saw, so that of
  -- two with the same view one conflicts: no execution has two children that keep its slot.
  generation int not null check (generation > 0),
  -- Null: whatever version is current when it is sent.
  target_version int,
  match_filter boolean not null default false,
  -- What its operation asks for; null: what its endpoint does.
  on_ambiguous text check (on_ambiguous in ('resend', 'probe', 'hold')),
  created_at timestamptz not null default now(),
  -- From here on null until it has ended. What its row in the queue said is kept: a cancel makes an execution of it again.
  outcome text check (outcome in ('superseded', 'cancelled', 'ignored', 'failed', 'delivered')),
  -- Why it ended ignored, failed or cancelled.
  reason text,
  finished_at timestamptz,
  attempts int check (attempts >= 0),
  lost_attempts int,
  may_have_arrived boolean,
  due_at timestamptz,
  give_up_at timestamptz,
  put_off_ms double precision check (put_off_ms >= 0),
  acknowledged_at timestamptz,
  constraint execution_records_ended check (
    num_nulls(outcome, finished_at, attempts, lost_attempts, may_have_arrived, due_at, give_up_at)
      = case when outcome is null then 7 else 0 end),
  constraint execution_records_reason check (
    case when outcome is null then reason is null else outcome not in ('ignored', 'cancelled') or reason is not null end),
  constraint execution_records_lost_attempts check (lost_attempts between 0 and attempts)
-- The end is one heap-only update, for no index names a column that it writes. It makes the row half as large again: with
-- half of a page left, which is enough for rows that stay as they are, three of ten ends found no room beside their row.
) with (fillfactor = 40);
comment on column execution_records.match_filter is 'The endpoint''s current types and filter are applied once more before it is sent.';

-- What is open: to be sent, being sent, or not known to have arrived.
create table queue (
  -- Rule 2: one delivery, one owner.
  delivery_id uuid primary key,
  execution_id uuid not null,
  tenant_id uuid not null,
  endpoint_id uuid not null,
  operation_id uuid,
  -- Whose slices claim it: an operation, or nobody's (nil), which is the live lane.
  worked_by uuid not null default '00000000-0000-0000-0000-000000000000',
  state text not null check (state in ('queued', 'scheduled', 'sending', 'unknown')),
  -- Not what is unknown, which waits for a decision, perhaps in great numbers. No claim changes it.
  in_queue boolean not null generated always as (state <> 'unknown') stored,
  -- Of the execution, so that a claim reads no record.
  target_version int,
  match_filter boolean not null default false,
  on_ambiguous text,
  due_at timestamptz not null,
  -- When it is due by itself, while it is put off because something before it is in the way.
  put_off_from timestamptz,
  give_up_at timestamptz not null,
  -- By how much windows have put off its time to give up, in milliseconds; null where they have not.
  put_off_ms double precision check (put_off_ms >= 0),
  reconcile_until timestamptz,
  attempts int not null default 0 check (attempts >= 0),
  -- Those of them whose sender was lost: they are none of the receiver's.
  lost_attempts int not null default 0,
  -- An attempt whose outcome is not known is among its attempts.
  may_have_arrived boolean not null default false,
  probe_at timestamptz,
  probes int not null default 0,
  -- Acknowledged while it was being sent: its outcome, whatever it is, makes it delivered.
  acknowledged_at timestamptz,
  lease_token uuid,
  constraint queue_lease check ((state = 'sending') = (lease_token is not null)),
  constraint queue_probe_unknown check (probe_at is null or state = 'unknown'),
  constraint queue_lost_attempts check (lost_attempts between 0 and attempts)
) with (
  -- A claim is a heap-only update.
  fillfactor = 50,
  -- Every row goes soon after it came. How long the queue is says nothing about how much has gone: a claim passes over what
  -- has, so it is vacuumed after a number of rows, without a pause.
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000,
  -- Nobody may touch a table while its end is cut off, and it grows again at once: its pages stay, and are filled again.
  vacuum_truncate = false
);

-- A sample of 6,000 rows instead of 30,000: both tables are looked at again behind each large selection, and what is asked of
-- them are their sizes, and how many endpoints and operations there are.
do $$
declare
  c record;
begin
  for c in select attrelid::regclass as of_table, attname from pg_attribute
    where attrelid in ('queue'::regclass, 'execution_records'::regclass) and attnum > 0
  loop
    execute format('alter table %s alter column %I set statistics 20', c.of_table, c.attname);
  end loop;
end $$;

create unique index execution_records_by_delivery on execution_records (delivery_id, generation);
create index execution_records_by_operation on execution_records (operation_id, id) where operation_id is not null;
create index queue_due on queue (worked_by, endpoint_id, due_at, execution_id) where in_queue;
-- When a table is analysed while its queue is empty, both partial indexes of the queue look like a page, and the planner
-- would read the whole queue by its times to give up and sort it, at every look. Who does not ask for a time to give up
-- cannot use this one.
create index queue_give_up on queue (give_up_at) where in_queue and give_up_at > '-infinity';
create index queue_probe on queue (probe_at) where probe_at is not null;

-- Executions in the order in which they ended, those that are open behind them, for tenants that have asked for this order:
-- a list of all of them would be two more indexes that each end writes into. Made when a tenant first asks, and kept by the
-- triggers of the queue from then on.
create table listed_tenants (
  tenant_id uuid primary key references tenants,
  -- Transactions before this one may have looked here before the tenant was. Null until the tenant is seen by all later ones.
  behind xid8,
  -- Its deliveries up to here, in the order in which they were accepted, have been taken in since those had ended.
  reached_at timestamptz not null default '-infinity',
  reached_id uuid not null default '00000000-0000-0000-0000-000000000000',
  -- All that they left out has been taken in.
  complete_at timestamptz
);
create table listed_executions (
  execution_id uuid primary key,
  tenant_id uuid not null,
  finished_at timestamptz,
  undelivered boolean not null
) with (fillfactor = 70);
create index listed_executions_by_end on listed_executions (tenant_id, finished_at, execution_id);
-- The same of failures, among millions that were delivered.
create index listed_executions_undelivered on listed_executions (tenant_id, finished_at, execution_id) where undelivered;

create function list_executions(ids uuid[]) returns void language plpgsql as $$
begin
  insert into listed_executions as l (execution_id, tenant_id, finished_at, undelivered)
  select r.id, r.tenant_id, r.finished_at, coalesce(r.outcome <> 'delivered', false)
  from unnest(ids) as u(id) cross join lateral (select x.* from execution_records x where x.id = u.id limit 1) r
  order by r.id
  on conflict (execution_id) do update set finished_at = excluded.finished_at, undelivered = excluded.undelivered;
end $$;

-- How far what was there before the triggers has been copied, by the order of ids.
create table execution_copy (
  the_only boolean primary key default true check (the_only),
  -- The last that the triggers have not seen; null where there was none.
  upto uuid,
  reached uuid not null default '00000000-0000-0000-0000-000000000000',
  passed bigint not null default 0,
  -- How many there are to pass, as far as the statistics know.
  expected bigint not null,
  complete_at timestamptz
);

-- Copies what is missing of deliveries: all of their executions, or those that are new. Whoever gives an execution its
-- record gives the open one its row in the queue: two that copy one delivery at once, one of them by an older snapshot, meet
-- at the record, and the change that one of them is about waits there for the other, and is written over it.
create function copy_deliveries(ids uuid[]) returns void language plpgsql
-- Look-ups by keys, whatever the planner thinks of the size of tables that grow meanwhile.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  with missing as materialized (
    select e.*, n.newest + row_number() over (partition by e.delivery_id order by e.id) as generation
    from unnest(ids) as u(id)
    cross join lateral (
      select coalesce(max(r.generation), 0) as newest from execution_records r where r.delivery_id = u.id) n
    join executions e on e.delivery_id = u.id
    where not exists (select from execution_records r where r.id = e.id)
  ), made as (
    insert into execution_records (id, tenant_id, delivery_id, endpoint_id, operation_id, parent_id, generation,
      target_version, match_filter, on_ambiguous, created_at, outcome, reason, finished_at, attempts, lost_attempts,
      may_have_arrived, due_at, give_up_at, put_off_ms, acknowledged_at)
    select m.id, m.tenant_id, m.delivery_id, m.endpoint_id, m.operation_id, m.parent_id, m.generation, m.target_version,
      m.match_filter, m.on_ambiguous, m.created_at, case when not m.open then m.state end, case when not m.open then m.reason end,
      m.finished_at, case when not m.open then m.attempts end, case when not m.open then m.lost_attempts end,
      case when not m.open then m.may_have_arrived end, case when not m.open then m.due_at end,
      case when not m.open then m.give_up_at end, case when not m.open then m.put_off_ms end,
      case when not m.open then m.acknowledged_at end
    from missing m
    -- All that copy go by one order, so that none waits for another that waits for it.
    order by m.id
    on conflict (id) do nothing returning id
  )
  insert into queue (delivery_id, execution_id, tenant_id, endpoint_id, operation_id, worked_by, state, target_version,
    match_filter, on_ambiguous, due_at, put_off_from, give_up_at, put_off_ms, reconcile_until, attempts, lost_attempts,
    may_have_arrived, probe_at, probes, acknowledged_at, lease_token)
  select e.delivery_id, e.id, e.tenant_id, e.endpoint_id, e.operation_id, e.worked_by, e.state, e.target_version,
    e.match_filter, e.on_ambiguous, e.due_at, e.put_off_from, e.give_up_at, e.put_off_ms, e.reconcile_until, e.attempts,
    e.lost_attempts, e.may_have_arrived, e.probe_at, e.probes, e.acknowledged_at, e.lease_token
  from made join executions e on e.id = made.id where e.open
  -- The one that was open before may have been ended by this very statement: its trigger finds nothing of it any more.
  on conflict (delivery_id) do update set execution_id = excluded.execution_id, endpoint_id = excluded.endpoint_id,
    operation_id = excluded.operation_id, worked_by = excluded.worked_by, state = excluded.state,
    target_version = excluded.target_version, match_filter = excluded.match_filter, on_ambiguous = excluded.on_ambiguous,
    due_at = excluded.due_at, put_off_from = excluded.put_off_from, give_up_at = excluded.give_up_at,
    put_off_ms = excluded.put_off_ms, reconcile_until = excluded.reconcile_until, attempts = excluded.attempts,
    lost_attempts = excluded.lost_attempts, may_have_arrived = excluded.may_have_arrived, probe_at = excluded.probe_at,
    probes = excluded.probes, acknowledged_at = excluded.acknowledged_at, lease_token = excluded.lease_token;
end $$;

create function copy_new_executions() returns trigger language plpgsql as $$
begin
  perform copy_deliveries(array_agg(distinct n.delivery_id)) from new_rows n;
  return null;
end $$;

create function copy_changed_executions() returns trigger language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  perform copy_deliveries(array_agg(distinct n.delivery_id)) from new_rows n
  where not exists (select from execution_records r where r.id = n.id)
  having count(*) > 0;

  update execution_records r set outcome = n.state, reason = n.reason, finished_at = n.finished_at, attempts = n.attempts,
    lost_attempts = n.lost_attempts, may_have_arrived = n.may_have_arrived, due_at = n.due_at, give_up_at = n.give_up_at,
    put_off_ms = n.put_off_ms, acknowledged_at = n.acknowledged_at
  from new_rows n where r.id = n.id and not n.open;
  -- All that changes of one that is open and stays in its record.
  update execution_records r set target_version = n.target_version
  from new_rows n where r.id = n.id and n.open and r.target_version is distinct from n.target_version;

  delete from queue q using new_rows n where q.delivery_id = n.delivery_id and q.execution_id = n.id and not n.open;

  update queue q set worked_by = n.worked_by, state = n.state, target_version = n.target_version,
    match_filter = n.match_filter, on_ambiguous = n.on_ambiguous, due_at = n.due_at, put_off_from = n.put_off_from,
    give_up_at = n.give_up_at, put_off_ms = n.put_off_ms, reconcile_until = n.reconcile_until, attempts = n.attempts,
    lost_attempts = n.lost_attempts, may_have_arrived = n.may_have_arrived, probe_at = n.probe_at, probes = n.probes,
    acknowledged_at = n.acknowledged_at, lease_token = n.lease_token
  from new_rows n where q.delivery_id = n.delivery_id and q.execution_id = n.id and n.open;
  return null;
end $$;

-- The next batch, of the deliveries of so many executions. It is done when nothing is left, and both tables have been
-- counted once more and looked at for the planner.
create function copy_executions(at_most int, out passed bigint, out expected bigint, out done boolean) language plpgsql
as $$
declare
  c execution_copy;
  ids uuid[];
  last uuid;
begin
  select * into c from execution_copy;
  passed := c.passed;
  expected := c.expected;
  done := c.upto is null or c.complete_at is not null;
  if done then return; end if;
  with batch as materialized (
    select e.id, e.delivery_id from executions e where e.id > c.reached and e.id <= c.upto order by e.id limit at_most
  )
  select array_agg(distinct b.delivery_id), (select x.id from batch x order by x.id desc limit 1), c.passed + count(*)
  into ids, last, passed from batch b;
  if ids is not null then
    perform copy_deliveries(ids);
    update execution_copy set reached = last, passed = copy_executions.passed;
    return;
  end if;
  perform refuse_copy(n.here, n.there) from (
    select (select count(*) from executions) as here, (select count(*) from execution_records) as there) n
  where n.here <> n.there;
  -- Nobody waits for this one, and vacuum gives way to it after a second.
  perform set_config('lock_timeout', '10s', true);
  analyze execution_records;
  analyze queue;
  update execution_copy set complete_at = clock_timestamp();
end $$;

create function refuse_copy(here bigint, there bigint) returns void language plpgsql as $$
begin
  raise exception 'of % executions % have been copied', here, there using errcode = 'RD013';
end $$;

-- Keeps vacuum away and nobody else: it could not be waited for below, where everybody waits. One that works by itself gives
-- way after a second.
set local lock_timeout = '10s';
lock table executions in share update exclusive mode;
set local lock_timeout = '400ms';

-- Behind the triggers that count: whoever waits for a batch holds the counts, and no batch ever asks for them.
create trigger copies_inserts after insert on executions
  referencing new table as new_rows for each statement execute function copy_new_executions();
create trigger copies_updates after update on executions
  referencing new table as new_rows for each statement execute function copy_changed_executions();

-- Behind the triggers: whatever changed before them has been committed by now.
insert into execution_copy (upto, expected)
select (select e.id from executions e order by e.id desc limit 1), greatest(c.reltuples, 0)::bigint
from pg_class c where c.oid = 'executions'::regclass;
