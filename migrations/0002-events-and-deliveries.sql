-- Why: an event is accepted once and stays; its payload can expire alone; a delivery is one event for one
-- endpoint, stable for ever, and its state is folded from its executions by whatever changes the fold.

-- No foreign keys here and on the tables of executions: their rows are written only by statements that select from
-- the referenced table, nothing of it is ever deleted row by row, each check would cost some 10 µs a row, and
-- partitions by time could not keep them. The engine's property test looks for orphans instead.

create table events (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null,
  number bigint not null,
  external_id text,
  -- A repeat of an external id is kept as an event of its own that points to the first.
  duplicate_of uuid,
  -- The event that a repeat under a new identity repeats.
  replay_of uuid,
  type text not null,
  source text,
  key text,
  occurred_at timestamptz,
  accepted_at timestamptz not null,
  ingestion_batch_id text,
  -- The call that brought it; what first dispatches were made together.
  ingest_call_id uuid not null,
  payload_bytes int not null check (payload_bytes >= 0),
  -- When and why the payload went; null while it is kept. No index names these columns: the update stays heap-only.
  payload_removed_at timestamptz,
  payload_removed_for text check (payload_removed_for in ('retention', 'erasure')),
  unique (tenant_id, number),
  constraint events_payload_removal check ((payload_removed_at is null) = (payload_removed_for is null))
);
create index events_by_acceptance on events (tenant_id, accepted_at, id);
-- The events of one batch, among all of a tenant.
create index events_by_batch on events (tenant_id, ingestion_batch_id, accepted_at, id)
  where ingestion_batch_id is not null;

-- Uniqueness of external ids lives apart from events, so that events can be partitioned by time later.
create table event_identities (
  tenant_id uuid not null,
  external_id text not null,
  -- The same id of another type or another source is another event. No source is the empty text, which no source is.
  type text not null,
  source text not null,
  event_id uuid not null,
  primary key (tenant_id, external_id, type, source)
);

-- The repeats of a first event that are kept with a payload of their own: few, and the only ones that have to be looked at
-- when the id comes once more. The newest of them stands for all.
create table event_resends (
  first_event_id uuid not null,
  event_id uuid not null,
  primary key (first_event_id, event_id)
);


-- The body as it was accepted, byte for byte; apart from events so that it can expire or be erased alone.
create table payloads (
  event_id uuid primary key,
  tenant_id uuid not null,
  body text not null
);

-- How far the payloads of a tenant have been looked at for their age, in the order of acceptance.
create table payload_sweeps (
  tenant_id uuid primary key references tenants,
  accepted_at timestamptz not null default '-infinity',
  event_id uuid not null default '00000000-0000-0000-0000-000000000000'
);

-- Older than their retention, but with an open execution when they were looked at: looked at again until they can go.
create table payload_sweep_held (
  tenant_id uuid not null references tenants,
  event_id uuid not null,
  looked_at timestamptz not null default now(),
  primary key (tenant_id, event_id)
);
create index payload_sweep_held_by_look on payload_sweep_held (tenant_id, looked_at);

create table deliveries (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null,
  event_id uuid not null,
  endpoint_id uuid not null,
  state text not null check (state in ('pending', 'delivered', 'failed', 'unknown', 'cancelled', 'ignored')),
  state_changed_at timestamptz not null default now(),
  accepted_at timestamptz not null,
  payload_bytes int not null,
  -- The endpoint version its first attempt used: the "original target".
  original_version int,
  attempts int not null default 0,
  last_attempt_at timestamptz,
  fault_code text,
  http_status int,
  -- The delivery this one repeats under a new identity.
  replay_of uuid,
  -- Its place among those of its endpoint and key; none where the endpoint did not ask for order when it was made.
  order_key text,
  order_number bigint,
  -- The delivery of a repeat that stands for this one, at the same endpoint: this one is left out of every retry.
  resent_by uuid,
  check ((attempts > 0) = (last_attempt_at is not null)),
  check (state <> 'delivered' or attempts > 0),
  constraint deliveries_order_whole check ((order_key is null) = (order_number is null))
) with (fillfactor = 85);
create unique index deliveries_once on deliveries (event_id, endpoint_id) where replay_of is null;
create index deliveries_by_tenant on deliveries (tenant_id, accepted_at, id);
create index deliveries_by_endpoint on deliveries (endpoint_id, accepted_at, id);
-- What a bulk retry selects from: small because only failures are in it, whatever the size of the table.
create index deliveries_failed_by_tenant on deliveries (tenant_id, accepted_at, id) where state = 'failed';
create index deliveries_failed_by_endpoint on deliveries (endpoint_id, accepted_at, id) where state = 'failed';
create index deliveries_failed_by_fault on deliveries (tenant_id, fault_code, accepted_at, id) where state = 'failed';
-- A retry of one endpoint may take what is still pending, too: its cost follows these, not all that was ever delivered.
create index deliveries_undelivered_by_endpoint on deliveries (endpoint_id, accepted_at, id)
  where state in ('failed', 'pending');
-- Who asks for what did not succeed means what was ignored or cancelled, or what nobody knows, too. There is little of it,
-- and it must be found without reading the deliveries that succeeded.
create index deliveries_rare_by_tenant on deliveries (tenant_id, accepted_at, id)
  where state in ('unknown', 'cancelled', 'ignored');
create index deliveries_rare_by_endpoint on deliveries (endpoint_id, accepted_at, id)
  where state in ('unknown', 'cancelled', 'ignored');
create index deliveries_order on deliveries (endpoint_id, order_key, order_number)
  where order_key is not null and state <> 'delivered';

-- When the event was accepted that another one repeats, or is: a repeat has an old payload and a new time.
create function first_accepted_at(the_event uuid) returns timestamptz language sql stable as $$
  with recursive told as (
    select v.accepted_at, v.replay_of from events v where v.id = the_event
    union all
    select o.accepted_at, o.replay_of from told t join events o on o.id = t.replay_of
  )
  select min(accepted_at) from told
$$;

-- The version that an event of an endpoint goes to where that is not the current one.
create function fenced_version(the_endpoint uuid, the_event uuid) returns integer language sql stable as $$
  select f.version from endpoint_fences f
  where f.endpoint_id = the_endpoint and f.accepted_before > first_accepted_at(the_event)
  order by f.accepted_before limit 1
$$;
