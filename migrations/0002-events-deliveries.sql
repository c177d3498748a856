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
  type text not null,
  source text,
  key text,
  occurred_at timestamptz,
  accepted_at timestamptz not null,
  ingestion_batch_id text,
  -- The call that brought it; what first dispatches were made together.
  ingest_call_id uuid not null,
  payload_bytes int not null check (payload_bytes >= 0),
  unique (tenant_id, number)
);
create index events_by_acceptance on events (tenant_id, accepted_at, id);

-- Uniqueness of external ids lives apart from events, so that events can be partitioned by time later.
create table event_identities (
  tenant_id uuid not null,
  external_id text not null,
  event_id uuid not null,
  primary key (tenant_id, external_id)
);

-- The body as it was accepted, byte for byte; apart from events so that it can expire or be erased alone.
create table payloads (
  event_id uuid primary key,
  tenant_id uuid not null,
  body text not null
);

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
  check ((attempts > 0) = (last_attempt_at is not null)),
  check (state <> 'delivered' or attempts > 0)
) with (fillfactor = 85);
create unique index deliveries_once on deliveries (event_id, endpoint_id) where replay_of is null;
create index deliveries_by_tenant on deliveries (tenant_id, accepted_at, id);
create index deliveries_by_endpoint on deliveries (endpoint_id, accepted_at, id);
-- What a bulk retry selects from: small because only failures are in it, whatever the size of the table.
create index deliveries_failed_by_tenant on deliveries (tenant_id, accepted_at, id) where state = 'failed';
create index deliveries_failed_by_endpoint on deliveries (endpoint_id, accepted_at, id) where state = 'failed';
create index deliveries_failed_by_fault on deliveries (tenant_id, fault_code, accepted_at, id) where state = 'failed';
