-- Why: a tenant says when bulk work rests, and how much of it may be asked for without a second look. The times of its
-- windows are worked out ahead and kept as spans, so that a claim compares them with its clock and knows no zones. After
-- the last span that is known one follows that never ends: where nobody works out the next ones, bulk work rests.

-- The windows of a tenant that has any, from which the spans are worked out again and again.
create table freeze_calendars (
  tenant_id uuid primary key references tenants,
  windows jsonb not null check (jsonb_typeof(windows) = 'array' and jsonb_array_length(windows) > 0),
  -- Until then the spans are known.
  known_until timestamptz not null
);

-- Those of one endpoint, or of all of the tenant, do not overlap: the one that began last is the only one that can last.
-- An endpoint that a window names has the spans of the windows for all among its own. Those that are over stay while an
-- operation is open that they may have held: its clocks stood still in them.
create table freeze_spans (
  tenant_id uuid not null references tenants,
  -- Null: all of the tenant.
  endpoint_id uuid,
  from_at timestamptz not null,
  to_at timestamptz not null,
  check (from_at < to_at),
  constraint freeze_spans_key unique nulls not distinct (tenant_id, endpoint_id, from_at)
);

-- It names exactly one thing: the retry that somebody asks for by hand, which no window holds.
alter table operations add column single boolean not null default false;

-- By how much windows have put off its time to give up, in milliseconds; null where they have not.
alter table executions add column put_off_ms double precision check (put_off_ms >= 0);

-- When the bulk work of an endpoint rests, as far as it is known, and has rested.
create function freeze_times(of_tenant uuid, of_endpoint uuid) returns tstzmultirange
language sql stable parallel safe as $$
  select coalesce(range_agg(tstzrange(s.from_at, s.to_at)), '{}') from freeze_spans s
  where s.tenant_id = of_tenant and (s.endpoint_id is null or s.endpoint_id = of_endpoint)
$$;

-- When a clock that stands still at these times has run for so long.
create function runs_out_at(still tstzmultirange, since timestamptz, lasting_ms double precision) returns timestamptz
language plpgsql stable parallel safe as $$
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
end $$;

-- How long such a clock has run between two times, in milliseconds.
create function ran_ms(still tstzmultirange, since timestamptz, upto timestamptz) returns double precision
language sql stable parallel safe as $$
  select coalesce(sum(extract(epoch from upper(r) - lower(r))), 0)::float8 * 1000
  from unnest(tstzmultirange(tstzrange(since, greatest(since, upto))) - still) r
$$;

-- When an unsent execution is given up: later than it says where windows held it, and nobody has written that down yet.
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

-- When all that an operation has left to send rests: at the first twenty of its endpoints, which is no less.
create function freeze_times_of(of_operation uuid) returns tstzmultirange language sql stable parallel safe as $$
  with recursive hop as (
    (select endpoint_id, 1 as n from executions where in_queue and worked_by = of_operation order by endpoint_id limit 1)
    union all
    select (select e.endpoint_id from executions e
      where e.in_queue and e.worked_by = of_operation and e.endpoint_id > hop.endpoint_id order by e.endpoint_id limit 1), n + 1
    from hop where hop.endpoint_id is not null and n < 20
  )
  select coalesce(range_intersect_agg(freeze_times(n.tenant_id, n.id)), '{}')
  from hop join endpoints n on n.id = hop.endpoint_id
$$;

-- What a tenant has asked for on a day, in UTC: locked by whoever adds to it, so that no two pass where one may.
create table quota_days (
  tenant_id uuid not null references tenants,
  day date not null,
  items bigint not null default 0 check (items >= 0),
  primary key (tenant_id, day)
);

-- What each operation was charged: once, and given back once.
create table quota_charges (
  operation_id uuid not null references operations,
  tenant_id uuid not null,
  day date not null,
  items int not null check (items >= 0),
  -- It was above a quota, and somebody let it pass.
  approved boolean not null default false,
  given_back_at timestamptz,
  primary key (operation_id, tenant_id),
  foreign key (tenant_id, day) references quota_days
);

-- What no operation exceeds, whoever approves it: the ceilings of the installation. An absent one limits nothing.
create table platform_limits (
  only_one boolean primary key default true check (only_one),
  items_per_operation int check (items_per_operation > 0),
  items_per_day int check (items_per_day > 0),
  open_operations int check (open_operations > 0),
  rate_per_second double precision check (rate_per_second > 0)
);
