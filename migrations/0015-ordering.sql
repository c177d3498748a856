-- Why: an endpoint can ask for the events of one key in the order of their numbers, whatever fails in between. Each delivery
-- knows its place; the claim asks whether anything before it is in the way.

alter table endpoint_versions
  add column ordered boolean not null default false,
  -- What a delivery that failed for good does to those behind it: it keeps them waiting, or lets them pass.
  add column on_exhausted text not null default 'block' check (on_exhausted in ('block', 'skip'));
-- Of the current version, where the claim looks anyway.
alter table endpoints add column ordered boolean not null default false;

alter table deliveries
  -- Its place among those of its endpoint and key; none where the endpoint did not ask for order when it was made.
  add column order_key text,
  add column order_number bigint,
  add constraint deliveries_order_whole check ((order_key is null) = (order_number is null));
create index deliveries_order on deliveries (endpoint_id, order_key, order_number)
  where order_key is not null and state <> 'delivered';

-- When it is due by itself, while it is put off because something before it is in the way.
alter table executions add column put_off_from timestamptz;

-- The first delivery that keeps this one waiting: one before it that is open, or that failed for good where the endpoint
-- blocks on that. What was never meant to be sent, and what an operator cancelled, keeps nobody waiting.
create function blocked_by(of_delivery uuid) returns uuid language sql stable parallel safe as $$
  select b.id from deliveries d
  join endpoints n on n.id = d.endpoint_id and n.ordered
  join endpoint_versions v on v.endpoint_id = n.id and v.version = n.current_version
  join deliveries b on b.endpoint_id = d.endpoint_id and b.order_key = d.order_key and b.order_number < d.order_number
    and b.order_key is not null and b.state <> 'delivered'
  where d.id = of_delivery and (
    b.state in ('pending', 'unknown')
    or (b.state = 'failed' and (v.on_exhausted = 'block'
      or exists (select from executions e where e.delivery_id = b.id and e.open))))
  order by b.order_number limit 1
$$;
