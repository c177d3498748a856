-- Why: each change of a delivery's state wrote an entry into every index of `deliveries`, because some of them asked for
-- states; a recovered delivery paid four entries for it. What selections read is apart now: one narrow row for each
-- delivery that is not delivered, removed when it is. `deliveries` changes state without touching an index.
--
-- Not the column of that name of `executions`, which says how a run ended.
--
-- Earlier versions run on this, for as long as a deploy lasts: triggers keep the rows, and what those select from
-- `deliveries` they find by its other indexes. At an endpoint that is ordered, or has an outage, each look reads all that
-- the endpoint ever had.

create table undelivered (
  delivery_id uuid primary key,
  tenant_id uuid not null,
  endpoint_id uuid not null,
  event_id uuid not null,
  accepted_at timestamptz not null,
  state text not null check (state in ('pending', 'failed', 'unknown', 'cancelled', 'ignored')),
  fault_code text,
  http_status int,
  order_key text,
  order_number bigint
);

-- Nobody writes to `deliveries` between the copy and the triggers; and nobody holds it for reading who could then wait to
-- write while the indexes wait to go. Whoever holds it for long, as a dump does, is not waited for: everybody else would
-- wait behind this.
set local lock_timeout = '5s';
lock table deliveries in access exclusive mode;

-- In two parts, each of which has an index by these states: what was delivered is not read.
insert into undelivered
select id, tenant_id, endpoint_id, event_id, accepted_at, state, fault_code, http_status, order_key, order_number
from deliveries where state in ('failed', 'pending');
insert into undelivered
select id, tenant_id, endpoint_id, event_id, accepted_at, state, fault_code, http_status, order_key, order_number
from deliveries where state in ('unknown', 'cancelled', 'ignored');

-- The state comes first, so that each state is a range of its own: what is failed is found without what is pending.
create index undelivered_by_tenant on undelivered (state, tenant_id, accepted_at, delivery_id);
create index undelivered_by_endpoint on undelivered (state, endpoint_id, accepted_at, delivery_id);
create index undelivered_by_fault on undelivered (tenant_id, fault_code, accepted_at, delivery_id) where state = 'failed';
create index undelivered_order on undelivered (endpoint_id, order_key, order_number) where order_key is not null;

create function undelivered_inserted() returns trigger language plpgsql as $$
begin
  insert into undelivered
  select n.id, n.tenant_id, n.endpoint_id, n.event_id, n.accepted_at, n.state, n.fault_code, n.http_status, n.order_key,
    n.order_number
  from new_rows n where n.state <> 'delivered';
  return null;
end $$;

-- A plan is kept for as long as its connection: one that was made for a single row, or while there were few, must serve
-- thousands of a large table. So each row is a look-up by key, whatever the planner knows: by an array, or by the place
-- that a look-up found. Whoever changes a row of `undelivered` holds the lock of its delivery.
create function undelivered_updated() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
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
end $$;

create function undelivered_deleted() returns trigger language plpgsql set enable_seqscan = off as $$
begin
  delete from undelivered u where u.delivery_id = any(array(select o.id from old_rows o));
  return null;
end $$;

create trigger undelivered_inserts after insert on deliveries
  referencing new table as new_rows
  for each statement execute function undelivered_inserted();
create trigger undelivered_updates after update on deliveries
  referencing old table as old_rows new table as new_rows
  for each statement execute function undelivered_updated();
create trigger undelivered_deletes after delete on deliveries
  referencing old table as old_rows
  for each statement execute function undelivered_deleted();

drop index deliveries_failed_by_tenant, deliveries_failed_by_endpoint, deliveries_failed_by_fault,
  deliveries_undelivered_by_endpoint, deliveries_rare_by_tenant, deliveries_rare_by_endpoint, deliveries_order;

-- No index has a column that changes: a change of state stays in its page where that has room for a second copy of it.
alter table deliveries set (fillfactor = 50);

-- As in 0005-sending.sql; what may be in the way is read from `undelivered`.
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
      or exists (select from executions e where e.delivery_id = b.delivery_id and e.open))))
  order by b.order_number limit 1
$$;

analyze undelivered;
